//! Device keys for back ends, wire-compatible with the Transmit Security CIS API: access tokens for
//! clients, users and their device keys, and the tenant's administration.
//!
//! One request, one use case: a handler receives the proof of what its caller may do and typed values, calls the use
//! case, and renders what it gave.

mod application;
mod call;
mod client;
mod device_key;
mod error;
mod fields;
mod openapi;
mod published;
mod role;
mod token;
mod user;
mod value;
mod wire;

use std::sync::Arc;

use axum::Router;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use web::surface::{Surface, routes};

pub use error::{late, not_found, panicked};
pub use openapi::openapi;

/// The name of this surface in the audit trail.
pub(crate) const SURFACE: &str = "cis";

/// The state of every handler.
pub(crate) type Tenants = Arc<domain::tenant::Tenants>;

/// Each route with its section of the sheet.
fn surface() -> Surface<Tenants> {
    let older = Surface::new(OpenApi::default(), error::method_not_allowed)
        .route(routes!(token::issue_below_cis)); // §3
    Surface::new(openapi::About::openapi(), error::method_not_allowed)
        .route(routes!(token::issue)) // §3
        .route(routes!(published::jwks)) // §2.1, §3.3
        .route(routes!(published::discovery)) // §2.1
        .route(routes!(device_key::mine)) // §6.9
        .route(routes!(device_key::register)) // §6.1
        .route(routes!(device_key::list)) // §6.2
        .route(routes!(device_key::read)) // §6.3
        .route(routes!(device_key::change)) // §6.4
        .route(routes!(device_key::delete)) // §6.5
        .route(routes!(device_key::validate)) // §6.6
        .route(routes!(device_key::block)) // §6.7
        .route(routes!(device_key::unblock)) // §6.7
        .route(routes!(device_key::challenge)) // §9
        .route(routes!(user::create)) // §7.1
        .route(routes!(user::read)) // §7.2
        .route(routes!(user::read_by_email)) // §7.2
        .route(routes!(user::expel)) // §7.2
        .route(routes!(user::delete)) // §7.2
        .route(routes!(user::admit)) // §7.2
        .route(routes!(application::create)) // §8
        .route(routes!(application::list)) // §8
        .route(routes!(application::read)) // §8
        .route(routes!(application::change)) // §8
        .route(routes!(application::delete)) // §8
        .route(routes!(client::create)) // §8
        .route(routes!(client::read)) // §8
        .route(routes!(client::change)) // §8
        .route(routes!(client::delete)) // §8
        .route(routes!(role::create)) // §8
        .route(routes!(role::list)) // §8
        .route(routes!(role::change)) // §8
        .route(routes!(role::delete)) // §8
        .beside(older)
}

/// The routes of this surface, answering exactly the methods that their handlers name.
pub fn routes(tenants: Arc<domain::tenant::Tenants>) -> Router {
    surface().into_parts().0.with_state(tenants)
}

/// Whether an unknown path is answered in this surface's shape.
pub fn owns(path: &str) -> bool {
    path.starts_with("/cis/") || path == "/cis" || path.starts_with("/oidc/") || path == "/oidc"
}
