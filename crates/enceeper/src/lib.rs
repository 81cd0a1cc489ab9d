//! The Enceeper API 1.1: accounts with SRP-6a logins, encrypted keys, slots for readers, sharing.
//!
//! One request, one use case: the gate counts and recognises the call, a handler parses, calls the vaults,
//! and renders.

mod account;
mod call;
mod error;
mod front;
mod gate;
mod key;
mod openapi;
mod page;
mod read;
mod share;
mod slot;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use domain::Vaults;
use domain::vault::{MessageTemplate, Names, RegistrationMessages};
use web::methods::only;

pub use error::{late, not_found, panicked};
pub use front::Options;
pub use openapi::openapi;

use front::Front;
use gate::{Access, Gate};

/// Method, pattern under the default base path, section of the sheet.
pub const ROUTES: &[(&str, &str, &str)] = &[
    ("GET", "/api/v1/", "5.1"),
    ("GET", "/api/v1", "4.1"),
    ("POST", "/api/v1/user", "5.2"),
    ("POST", "/api/v1/user/challenge", "5.3"),
    ("POST", "/api/v1/user/login", "5.4"),
    ("PUT", "/api/v1/user", "5.5"),
    ("GET", "/api/v1/user/webauth", "5.6"),
    ("DELETE", "/api/v1/user", "5.7"),
    ("GET", "/api/v1/user/keys", "5.8"),
    ("POST", "/api/v1/user/keys", "5.9"),
    ("PUT", "/api/v1/user/keys/{keyId}", "5.10"),
    ("DELETE", "/api/v1/user/keys/{keyId}", "5.11"),
    ("POST", "/api/v1/user/keys/{keyId}/slots", "5.12"),
    ("PUT", "/api/v1/user/keys/{keyId}/slots/{slotId}", "5.13"),
    ("DELETE", "/api/v1/user/keys/{keyId}/slots/{slotId}", "5.14"),
    ("POST", "/api/v1/user/search", "5.15"),
    ("GET", "/api/v1/user/slots/{identifier}", "5.16"),
    ("GET", "/api/v1/user/slots/check/{ref}", "5.17"),
    ("POST", "/api/v1/user/keys/{keyId}/share", "5.18"),
    ("POST", "/api/v1/user/keys/shares/{shareId}", "5.19"),
    ("DELETE", "/api/v1/user/keys/shares/{shareId}", "5.20"),
    ("GET", "/api/v1/user/confirm/{token}", "9, page"),
    ("POST", "/api/v1/user/confirm/{token}", "9, page"),
    ("GET", "/api/v1/user/slots/approve/{token}", "9, page"),
    ("POST", "/api/v1/user/slots/approve/{token}", "9, page"),
    ("GET", "/api/v1/user/login/{token}", "9, page"),
];

/// The calls that need no token (sheet 5).
const OPEN: [(&str, &str); 7] = [
    ("GET", "/"),
    ("GET", ""),
    ("POST", "/user"),
    ("POST", "/user/challenge"),
    ("POST", "/user/login"),
    ("GET", "/user/slots/{identifier}"),
    ("GET", "/user/slots/check/{ref}"),
];

/// Where the patterns of [`ROUTES`] lie, unless configured otherwise.
pub const BASE_PATH: &str = "/api/v1";

/// The name of this surface in messages and the audit trail.
pub(crate) const SURFACE: &str = "enceeper";

/// Members of `auth` with a meaning (sheet 5.2).
pub(crate) static NAMES: Names = Names {
    document: "auth",
    credential: "srp6a",
    reserved: "enceeper",
};

/// Sheet 7.
pub(crate) static JOINING: RegistrationMessages = RegistrationMessages {
    confirm: MessageTemplate {
        operation: "ENCEEPER_CONFIRM",
        page: "/user/confirm/",
    },
    taken: MessageTemplate {
        operation: "ENCEEPER_ALREADY_REGISTERED",
        page: "",
    },
};
pub(crate) static SLOT_USED: MessageTemplate = MessageTemplate {
    operation: "ENCEEPER_SLOT_USED",
    page: "",
};
pub(crate) static SLOT_APPROVAL: MessageTemplate = MessageTemplate {
    operation: "ENCEEPER_SLOT_APPROVAL",
    page: "/user/slots/approve/",
};

/// The routes of [`ROUTES`], and this wire's answer to everything else below them.
pub fn routes(vaults: Arc<Vaults>, options: Options) -> Router {
    let base = options.base_path.clone();
    let front = Arc::new(Front { vaults, options });
    let api = Gate::new(&front, Access::Api);
    let pages = Gate::new(&front, Access::Page);
    api_routes(&base)
        .layer(from_fn_with_state(api, gate::pass))
        .merge(page_routes(&base).layer(from_fn_with_state(pages, gate::pass)))
        .with_state(front)
}

fn api_routes(base: &str) -> Router<Arc<Front>> {
    let on_404 = error::no_such_method;
    let at = |pattern: &str| format!("{base}{pattern}");
    let greeting = || only(on_404).get(account::greet).build();
    let router = Router::new();
    let router = if base.is_empty() {
        router
    } else {
        router.route(base, greeting())
    };
    router
        .route(&at("/"), greeting())
        .route(
            &at("/user"),
            only(on_404)
                .post(account::register)
                .put(account::edit)
                .delete(account::delete)
                .build(),
        )
        .route(
            &at("/user/challenge"),
            only(on_404).post(account::challenge).build(),
        )
        .route(
            &at("/user/login"),
            only(on_404).post(account::login).build(),
        )
        .route(
            &at("/user/webauth"),
            only(on_404).get(account::web_token).build(),
        )
        .route(
            &at("/user/search"),
            only(on_404).post(share::search).build(),
        )
        .merge(key_routes(base))
        .route(
            &at("/user/slots/{identifier}"),
            only(on_404).get(read::slot).build(),
        )
        .route(
            &at("/user/slots/check/{ref}"),
            only(on_404).get(read::check).build(),
        )
        .route(&at("/user/"), axum::routing::any(error::unknown_path))
        .route(
            &at("/user/{*rest}"),
            axum::routing::any(error::unknown_path),
        )
}

fn key_routes(base: &str) -> Router<Arc<Front>> {
    let on_404 = error::no_such_method;
    let at = |pattern: &str| format!("{base}{pattern}");
    Router::new()
        .route(
            &at("/user/keys"),
            only(on_404).get(key::list).post(key::create).build(),
        )
        .route(
            &at("/user/keys/{keyId}"),
            only(on_404).put(key::edit).delete(key::delete).build(),
        )
        .route(
            &at("/user/keys/{keyId}/slots"),
            only(on_404).post(slot::create).build(),
        )
        .route(
            &at("/user/keys/{keyId}/slots/{slotId}"),
            only(on_404).put(slot::edit).delete(slot::delete).build(),
        )
        .route(
            &at("/user/keys/{keyId}/share"),
            only(on_404).post(share::create).build(),
        )
        .route(
            &at("/user/keys/shares/{shareId}"),
            only(on_404).post(share::accept).delete(share::end).build(),
        )
}

fn page_routes(base: &str) -> Router<Arc<Front>> {
    let on_405 = page::method_not_allowed;
    let at = |pattern: &str| format!("{base}{pattern}");
    Router::new()
        .route(
            &at("/user/confirm/{token}"),
            only(on_405)
                .get(page::confirm::show)
                .post(page::confirm::decide)
                .build(),
        )
        .route(
            &at("/user/slots/approve/{token}"),
            only(on_405)
                .get(page::approve::show)
                .post(page::approve::decide)
                .build(),
        )
        .route(
            &at("/user/login/{token}"),
            only(on_405).get(page::account::show).build(),
        )
}

/// Whether an unknown path is answered in this surface's shape. Under `base` it owns `/`, `/user` and what is
/// below that; what belongs to no surface there is answered in its shape too.
pub fn owns(base: &str, path: &str) -> bool {
    let under = path.strip_prefix(base);
    under.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
