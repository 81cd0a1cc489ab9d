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
use domain::guarded_key::GuardedKeys;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use web::surface::{Surface, routes};

pub use error::{late, not_found, panicked};
pub use openapi::openapi;

/// The name of this surface in messages and the audit trail.
pub(crate) const SURFACE: &str = "photon";

/// The state of every handler.
pub(crate) type Keys = Arc<GuardedKeys>;

/// Each route with its section of the sheet.
fn surface() -> Surface<Keys> {
    let pages = Surface::new(OpenApi::default(), page::method_not_allowed)
        .route(routes!(page::show)) // §9, owner's page
        .route(routes!(page::cancel)); // §9, owner's page
    Surface::new(openapi::About::openapi(), error::method_not_allowed)
        .route(routes!(key::create)) // §4
        .route(routes!(key::fetch)) // §5
        .route(routes!(key::change_pin)) // §6
        .route(routes!(user::create)) // §7.2
        .route(routes!(user::verify)) // §7.3, §13.7
        .route(routes!(user::reset)) // §7.5
        .route(routes!(user::remove)) // §7.6
        .beside(pages)
}

/// The routes of this surface, answering exactly the methods that their handlers name.
pub fn routes(keys: Arc<GuardedKeys>) -> Router {
    surface().into_parts().0.with_state(keys)
}

/// Whether an unknown path is answered in this surface's shape.
pub fn owns(path: &str) -> bool {
    path == "/v2/key" || path.starts_with("/v2/key/")
}
