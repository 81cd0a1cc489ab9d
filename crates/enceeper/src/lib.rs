//! The Enceeper API 1.1: accounts with SRP-6a logins, encrypted keys, slots for readers, sharing.
//!
//! One request, one use case: the gate counts the call and finds out who makes it; a handler receives typed values, calls
//! the use case, and renders what it gave.

mod account;
mod call;
mod error;
mod front;
mod gate;
mod key;
mod members;
mod openapi;
mod page;
mod read;
mod request;
mod share;
mod slot;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use domain::vault::Vaults;
use domain::vault::{MessageTemplate, Names, RegistrationMessages};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use web::surface::{Surface, routes};

pub use error::{late, not_found, panicked};
pub use front::Options;
pub use openapi::openapi;

use front::{Front, FrontState};
use gate::{Calls, Gate};

/// Where the routes lie, unless configured otherwise.
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

/// Each call with its section of the sheet, below `base`.
fn api(base: &str) -> Surface<FrontState> {
    Surface::new(openapi::About::openapi(), error::no_such_method)
        .moved(BASE_PATH, base)
        .route(routes!(account::greet)) // 5.1
        .route(routes!(account::register)) // 5.2
        .route(routes!(account::challenge)) // 5.3
        .route(routes!(account::login)) // 5.4
        .route(routes!(account::edit)) // 5.5
        .route(routes!(account::web_token)) // 5.6
        .route(routes!(account::delete)) // 5.7
        .route(routes!(key::list)) // 5.8
        .route(routes!(key::create)) // 5.9
        .route(routes!(key::edit)) // 5.10
        .route(routes!(key::delete)) // 5.11
        .route(routes!(slot::create)) // 5.12
        .route(routes!(slot::edit)) // 5.13
        .route(routes!(slot::delete)) // 5.14
        .route(routes!(share::search)) // 5.15
        .route(routes!(read::slot)) // 5.16
        .route(routes!(read::check)) // 5.17
        .route(routes!(share::create)) // 5.18
        .route(routes!(share::accept)) // 5.19
        .route(routes!(share::end)) // 5.20
}

/// The greeting at the base path itself. An empty base path has no such route.
fn greeting(base: &str) -> Surface<FrontState> {
    let surface = Surface::new(OpenApi::default(), error::no_such_method).moved(BASE_PATH, base);
    if base.is_empty() {
        surface
    } else {
        surface.route(routes!(account::greet_without_slash)) // 4.1
    }
}

/// The pages, below `base`.
fn pages(base: &str) -> Surface<FrontState> {
    Surface::new(OpenApi::default(), page::method_not_allowed)
        .moved(BASE_PATH, base)
        .route(routes!(page::confirm::show)) // 9, page
        .route(routes!(page::confirm::decide)) // 9, page
        .route(routes!(page::approve::show)) // 9, page
        .route(routes!(page::approve::decide)) // 9, page
        .route(routes!(page::account::show)) // 9, page
}

/// Everything at the default base path, for the description.
fn surface() -> Surface<FrontState> {
    let pages = pages(BASE_PATH);
    api(BASE_PATH).beside(greeting(BASE_PATH)).beside(pages)
}

/// The routes of this surface, and this wire's answer to everything else below them.
pub fn routes(vaults: Arc<Vaults>, options: Options) -> Router {
    let base = options.base_path.clone();
    let front = Arc::new(Front { vaults, options });
    let (calls, description) = api(&base).into_parts();
    let (greeting, _) = greeting(&base).into_parts();
    let (pages, _) = pages(&base).into_parts();
    let api = Gate::api(&front, Calls::of(&description).open("GET", &base));
    let unknown = || axum::routing::any(error::unknown_path);
    let api = calls
        .merge(greeting)
        .route(&format!("{base}/user/"), unknown())
        .route(&format!("{base}/user/{{*rest}}"), unknown())
        .layer(from_fn_with_state(api, gate::pass));
    let pages = pages.layer(from_fn_with_state(Gate::pages(&front), gate::pass));
    api.merge(pages).with_state(front)
}

/// Whether an unknown path is answered in this surface's shape. Under `base` it owns `/`, `/user` and what is
/// below that; what belongs to no surface there is answered in its shape too.
pub fn owns(base: &str, path: &str) -> bool {
    let under = path.strip_prefix(base);
    under.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
