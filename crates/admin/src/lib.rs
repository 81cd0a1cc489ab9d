//! The admin API: our own wire, so it is regular. The command line and the console are its only clients
//! and have no privileged way in.
//!
//! Nouns, one module each. Every call needs the bearer token that the running server keeps in its data
//! directory. Errors are `{"error": {"code", "message"}}`.

mod audit;
mod auth;
mod console;
mod error;
mod guarded_key;
mod import;
mod message;
mod openapi;
mod status;

use std::sync::Arc;

use axum::Router;
use domain::Keeper;
use domain::audit::Checkpoint;
use domain::secret::SecretText;
use web::methods::only;

pub use error::{not_found, panicked};
pub use openapi::openapi;

/// Method, pattern, what it is for.
pub const ROUTES: &[(&str, &str, &str)] = &[
    ("GET", "/", "the console"),
    ("GET", "/admin/v1/status", "version, counts, what waits"),
    (
        "GET",
        "/admin/v1/guarded-keys/{keyId}",
        "state of a PIN-guarded key, without secrets",
    ),
    (
        "DELETE",
        "/admin/v1/guarded-keys/{keyId}",
        "delete a key with its users",
    ),
    (
        "POST",
        "/admin/v1/import/photon",
        "take over rows of the original key server",
    ),
    ("GET", "/admin/v1/audit/events", "newest events"),
    ("POST", "/admin/v1/audit/verify", "walk the whole chain"),
    (
        "POST",
        "/admin/v1/messages/preview",
        "a message in words, without sending it",
    ),
];

/// What the admin API works with.
pub struct Admin {
    pub keeper: Arc<Keeper>,
    /// The bearer token of this run.
    pub token: SecretText,
    pub version: &'static str,
    /// Reads the checkpoint that is kept outside the database.
    pub anchor: Box<dyn Fn() -> Option<Checkpoint> + Send + Sync>,
}

/// The routes of [`ROUTES`].
pub fn routes(admin: Arc<Admin>) -> Router {
    let on_405 = error::method_not_allowed;
    Router::new()
        .route("/admin/v1/status", only(on_405).get(status::show).build())
        .route(
            "/admin/v1/guarded-keys/{keyId}",
            only(on_405)
                .get(guarded_key::show)
                .delete(guarded_key::delete)
                .build(),
        )
        .route(
            "/admin/v1/import/photon",
            only(on_405).post(import::take_over).build(),
        )
        .route(
            "/admin/v1/audit/events",
            only(on_405).get(audit::events).build(),
        )
        .route(
            "/admin/v1/audit/verify",
            only(on_405).post(audit::verify).build(),
        )
        .route(
            "/admin/v1/messages/preview",
            only(on_405).post(message::preview).build(),
        )
        .route("/", only(on_405).get(console::show).build())
        .with_state(admin)
}
