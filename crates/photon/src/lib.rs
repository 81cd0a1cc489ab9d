//! The Photon key server API, version 2: keys behind a PIN, recovered through verified addresses.
//!
//! One request, one use case: a handler receives typed values, calls the use case, and renders what it gave.

mod auth;
mod call;
mod error;
mod key;
mod openapi;
mod page;
mod user;
mod value;
mod wire;

use std::sync::Arc;

use axum::Router;
use domain::GuardedKeys;
use web::methods::only;

pub use error::{late, not_found, panicked};
pub use openapi::openapi;

/// Method, pattern, section of the sheet.
pub const ROUTES: &[(&str, &str, &str)] = &[
    ("POST", "/v2/key", "§4"),
    ("GET", "/v2/key/{keyId}", "§5"),
    ("PUT", "/v2/key/{keyId}", "§6"),
    ("POST", "/v2/key/{keyId}/user", "§7.2"),
    ("PUT", "/v2/key/{keyId}/user/{userId}", "§7.3"),
    ("POST", "/v2/key/{keyId}/user/{userId}", "§7.3, §13.7"),
    ("GET", "/v2/key/{keyId}/user/{userId}/reset", "§7.5"),
    ("DELETE", "/v2/key/{keyId}/user/{userId}", "§7.6"),
    ("GET", "/recovery/{token}", "§9, owner's page"),
    ("POST", "/recovery/{token}", "§9, owner's page"),
];

/// The name of this surface in messages and the audit trail.
pub(crate) const SURFACE: &str = "photon";

/// The state of every handler.
pub(crate) type Keys = Arc<GuardedKeys>;

/// The routes of [`ROUTES`], answering exactly the methods named there.
pub fn routes(keys: Arc<GuardedKeys>) -> Router {
    let on_405 = error::method_not_allowed;
    Router::new()
        .route("/v2/key", only(on_405).post(key::create).build())
        .route(
            "/v2/key/{keyId}",
            only(on_405).get(key::fetch).put(key::change_pin).build(),
        )
        .route(
            "/v2/key/{keyId}/user",
            only(on_405).post(user::create).build(),
        )
        .route(
            "/v2/key/{keyId}/user/{userId}",
            only(on_405)
                .put(user::verify)
                .post(user::verify)
                .delete(user::remove)
                .build(),
        )
        .route(
            "/v2/key/{keyId}/user/{userId}/reset",
            only(on_405).get(user::reset).build(),
        )
        .route(
            "/recovery/{token}",
            only(page::method_not_allowed)
                .get(page::show)
                .post(page::cancel)
                .build(),
        )
        .with_state(keys)
}

/// Whether an unknown path is answered in this surface's shape.
pub fn owns(path: &str) -> bool {
    path == "/v2/key" || path.starts_with("/v2/key/")
}
