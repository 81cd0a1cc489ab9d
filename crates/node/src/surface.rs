//! The surfaces: their routes, their descriptions, and which of them answers for an unknown path.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use compose::Closed;
use config::Config;
use domain::Keeper;
use http::{StatusCode, header};
use serde_json::Value;

use crate::options;

/// Name and title of each surface that has a description.
const DESCRIBED: [(&str, &str); 6] = [
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
            let known = DESCRIBED.map(|(name, _)| name).join(", ");
            Err(format!("there is no surface {other}; there are {known}"))
        }
    }
}

/// Everything on the public listener.
/// `seconds`: after so many a handler that did not answer is given up, in its surface's own words.
pub(crate) fn public(keeper: &Arc<Keeper>, config: &Config, seconds: u64) -> Router {
    let clock = Arc::clone(keeper);
    let keeper = || Arc::clone(keeper);
    let vaults = options::vaults(config);
    let mut router = Router::new()
        .merge(web::deadline::within(
            photon::routes(keeper()),
            seconds,
            photon::late,
        ))
        .merge(profile::routes(keeper(), options::compat(config), seconds))
        .merge(web::deadline::within(
            cis::routes(keeper()),
            seconds,
            cis::late,
        ))
        .merge(web::deadline::within(
            duo::routes(keeper()),
            seconds,
            duo::late,
        ));
    if config.enceeper.enabled {
        router = router.merge(web::deadline::within(
            enceeper::routes(keeper(), vaults.clone()),
            seconds,
            enceeper::late,
        ));
    }
    DESCRIBED
        .iter()
        .filter(|(name, _)| *name != "admin")
        .fold(router, |router, (name, title)| {
            described(router, name, title)
        })
        .route("/", get(front_page))
        .fallback(move |request: Request| async move { unknown(&clock, &request, &vaults) })
}

/// `/openapi/<surface>.json` and the page beside it.
pub(crate) fn described(router: Router, name: &'static str, title: &'static str) -> Router {
    let json = move || async move {
        match openapi(name) {
            Ok(description) => web::json::reply(StatusCode::OK, &description),
            Err(_) => unknown_in_general(),
        }
    };
    let page =
        move || async move { web::openapi::page_response(title, &format!("/openapi/{name}.json")) };
    router
        .route(&format!("/openapi/{name}.json"), get(json))
        .route(&format!("/openapi/{name}"), get(page))
}

/// The answer when a handler panicked, whichever surface it was.
pub(crate) fn panicked() -> Response {
    photon::panicked()
}

fn unknown(keeper: &Keeper, request: &Request, vaults: &enceeper::Options) -> Response {
    let path = request.uri().path();
    if profile::owns(path) {
        profile::not_found(path, keeper.now())
    } else if photon::owns(path) {
        photon::not_found()
    } else if cis::owns(path) {
        cis::not_found()
    } else if enceeper::owns(&vaults.base_path, path) {
        enceeper::not_found(vaults)
    } else if duo::owns(path) {
        duo::not_found()
    } else {
        unknown_in_general()
    }
}

fn unknown_in_general() -> Response {
    web::json::reply(
        StatusCode::NOT_FOUND,
        &serde_json::json!({"message": "Not found"}),
    )
}

async fn front_page() -> Response {
    let items: String = DESCRIBED
        .iter()
        .filter(|(name, _)| *name != "admin")
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

/// Alive: the process answers.
pub(crate) async fn alive() -> Response {
    ([(header::CACHE_CONTROL, "no-store")], "ok\n").into_response()
}

/// Ready: a write would succeed.
pub(crate) async fn ready(keeper: Arc<Keeper>) -> Response {
    match keeper.ready().await {
        Ok(()) => alive().await,
        Err(error) => {
            tracing::warn!(
                code = "not_ready",
                error = domain::error::chain(&error),
                "not ready"
            );
            let headers = [
                (header::CACHE_CONTROL, "no-store"),
                (header::RETRY_AFTER, "1"),
            ];
            let why = match &error {
                domain::Error::Unavailable(source) => source.downcast_ref::<Closed>(),
                _ => None,
            };
            let why = why.map_or("the database cannot be written", |closed| &closed.0);
            (StatusCode::SERVICE_UNAVAILABLE, headers, format!("{why}\n")).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// OpenAPI 3.1 §4.8.10: generators name functions by it.
    #[test]
    fn every_operation_has_an_id_of_its_own() {
        for (surface, _) in DESCRIBED {
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
