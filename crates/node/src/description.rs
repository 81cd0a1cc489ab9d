//! The descriptions of the surfaces: as OpenAPI, as pages that show it, and a front page that lists them.

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::Value;

/// Name and title of each surface.
const SURFACES: [(&str, &str); 6] = [
    ("photon", "Photon key server"),
    ("enceeper", "Enceeper"),
    ("profile", "One-time tokens and profiles"),
    ("cis", "CIS device keys"),
    ("duo", "Duo auth service"),
    ("admin", "Keyward admin"),
];

/// The OpenAPI description of a surface.
pub fn openapi(surface: &str) -> Result<Value, String> {
    match surface {
        "photon" => Ok(photon::openapi()),
        "enceeper" => Ok(enceeper::openapi()),
        "profile" => Ok(profile::openapi()),
        "cis" => Ok(cis::openapi()),
        "duo" => Ok(duo::openapi()),
        "admin" => Ok(admin::openapi()),
        other => {
            let known = SURFACES.map(|(name, _)| name).join(", ");
            Err(format!("there is no surface {other}; there are {known}"))
        }
    }
}

/// Adds the descriptions of all public surfaces, and the front page.
pub(crate) fn with_public(router: Router) -> Router {
    public()
        .fold(router, |router, (name, title)| {
            described(router, name, title)
        })
        .route("/", get(front_page))
}

/// Adds the description of the admin API.
pub(crate) fn with_admin(router: Router) -> Router {
    described(router, "admin", "Keyward admin")
}

fn public() -> impl Iterator<Item = (&'static str, &'static str)> {
    SURFACES.into_iter().filter(|(name, _)| *name != "admin")
}

/// Adds `/openapi/<surface>.json`, and the page that shows it.
fn described(router: Router, name: &'static str, title: &'static str) -> Router {
    let json = move || async move {
        match openapi(name) {
            Ok(description) => web::json::reply(StatusCode::OK, &description),
            Err(_) => crate::surface::not_found(),
        }
    };
    let page =
        move || async move { web::openapi::page_response(title, &format!("/openapi/{name}.json")) };
    router
        .route(&format!("/openapi/{name}.json"), get(json))
        .route(&format!("/openapi/{name}"), get(page))
}

async fn front_page() -> Response {
    let items: String = public()
        .map(|(name, title)| format!("<li><a href=\"/openapi/{name}\">{title}</a></li>"))
        .collect();
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Keyward</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"></head>\
         <body style=\"font:18px/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem\">\
         <main><h1>Keyward</h1><p>This server keeps people's key material and gives it back only to them. \
         Its interfaces, to read and to try:</p><ul>{items}</ul></main></body></html>"
    );
    web::page::html(StatusCode::OK, page)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// OpenAPI 3.1 §4.8.10: generators name functions by it.
    #[test]
    fn every_operation_has_an_id_of_its_own() {
        for (surface, _) in SURFACES {
            let description = openapi(surface).expect("it is described");
            let mut known = BTreeSet::new();
            let paths = description["paths"].as_object().expect("there are paths");
            for (path, operations) in paths {
                for (method, operation) in operations.as_object().expect("there are operations") {
                    let id = operation["operationId"].as_str().unwrap_or_default();
                    assert!(
                        !id.is_empty() && known.insert(id.to_owned()),
                        "{surface}: {method} {path} is called {id:?}"
                    );
                }
            }
            assert!(!known.is_empty(), "{surface}");
        }
    }
}
