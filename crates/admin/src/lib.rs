//! The admin API: our own wire, so it is regular. The command line and the console are its only clients
//! and have no privileged way in.
//!
//! Nouns, one module each. Every call needs the bearer token that the running server keeps in its data
//! directory. Errors are `{"error": {"code", "message"}}`.

mod account;
mod audit;
mod auth;
mod call;
mod console;
mod error;
mod guarded_key;
mod import;
mod message;
mod openapi;
mod path;
mod status;
mod tenancy;
mod vault_account;
mod wallet;
mod wire;

use std::sync::Arc;

use axum::Router;
use domain::Services;
use domain::trail::audit::Checkpoint;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use web::surface::{Surface, routes};

use crate::tenancy::{application, client, role, tenant, user};

pub use error::{not_found, panicked};
pub use openapi::openapi;

/// What the admin API works with.
pub struct Admin {
    pub services: Services,
    pub version: &'static str,
    /// Reads the checkpoint that is kept outside the database.
    pub anchor: Box<dyn Fn() -> Option<Checkpoint> + Send + Sync>,
}

/// The state of every handler.
pub(crate) type Shared = Arc<Admin>;

fn surface() -> Surface<Shared> {
    let console =
        Surface::new(OpenApi::default(), error::method_not_allowed).route(routes!(console::show));
    Surface::new(openapi::About::openapi(), error::method_not_allowed)
        .route(routes!(status::show))
        .route(routes!(guarded_key::show))
        .route(routes!(guarded_key::delete))
        .route(routes!(account::rotate))
        .route(routes!(account::show))
        .route(routes!(account::erase))
        .route(routes!(account::unlock))
        .route(routes!(account::end_sessions))
        .route(routes!(import::take_over))
        .route(routes!(wallet::users))
        .route(routes!(wallet::belongings))
        .route(routes!(wallet::deactivate))
        .route(routes!(wallet::remove_enrolment))
        .route(routes!(wallet::erase))
        .route(routes!(vault_account::show))
        .route(routes!(vault_account::delete))
        .route(routes!(vault_account::set_plan))
        .route(routes!(audit::events))
        .route(routes!(audit::verify))
        .route(routes!(message::preview))
        .route(routes!(tenant::create))
        .route(routes!(tenant::list))
        .route(routes!(tenant::delete))
        .route(routes!(tenant::add_manager))
        .route(routes!(tenant::rotate))
        .route(routes!(application::create))
        .route(routes!(application::list))
        .route(routes!(application::change))
        .route(routes!(application::delete))
        .route(routes!(client::create))
        .route(routes!(client::list))
        .route(routes!(client::change))
        .route(routes!(client::delete))
        .route(routes!(client::rotate))
        .route(routes!(role::create))
        .route(routes!(role::list))
        .route(routes!(role::change))
        .route(routes!(role::delete))
        .route(routes!(user::create))
        .route(routes!(user::show))
        .route(routes!(user::admit))
        .route(routes!(user::expel))
        .route(routes!(user::delete))
        .beside(console)
}

/// The routes of the admin API and the console, answering exactly the methods that their handlers name.
pub fn routes(admin: Arc<Admin>) -> Router {
    surface().into_parts().0.with_state(admin)
}
