//! Accounts for web and mobile front ends: registration, login with a second step, recovery, changes,
//! all proved with one-time tokens.
//!
//! One request, one use case: a handler receives typed values, calls the use case, and renders what it
//! gave.

mod account;
mod address;
mod call;
mod error;
mod keys;
mod login;
mod openapi;
mod password;
mod registration;
mod second_step;
mod value;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use web::surface::{Surface, UtoipaMethodRouter, routes};

pub use error::not_found;
pub use openapi::openapi;

/// The name of this surface in messages and the audit trail.
pub(crate) const SURFACE: &str = "profile";

/// Whether a habit of older clients is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    Served,
    Refused,
}

/// The switches of §2 and §3.
#[derive(Debug, Clone, Copy)]
pub struct Compat {
    /// The paths of older versions.
    pub legacy_paths: Habit,
    /// GET for token requests that need no body.
    pub get_token_requests: Habit,
}

impl Default for Compat {
    fn default() -> Self {
        Self {
            legacy_paths: Habit::Served,
            get_token_requests: Habit::Refused,
        }
    }
}

/// The state of every handler.
pub(crate) type People = Arc<domain::person::People>;

/// Adds a token request that needs no body: with the switch it answers GET as well.
macro_rules! token {
    ($surface:expr, $compat:expr, $module:ident::$handler:ident) => {
        add_token(
            $surface,
            $compat,
            routes!($module::$handler),
            $module::$handler,
        )
    };
}

/// The routes of this surface, answering exactly the methods that their handlers name.
///
/// `seconds`: after so many a handler that did not answer is given up.
pub fn routes(people: Arc<domain::person::People>, compat: Compat, seconds: u64) -> Router {
    let (router, _) = surface(compat).into_parts();
    // The errors' bodies are drawn outermost, for late answers too.
    let render = axum::middleware::from_fn_with_state(Arc::clone(&people), error::render);
    web::deadline::within(router.with_state(people), seconds, error::late).layer(render)
}

/// Each route with its section of the sheet.
fn surface(compat: Compat) -> Surface<People> {
    let surface = Surface::new(openapi::About::openapi(), error::method_not_allowed);
    let surface = without_session(surface, compat);
    let surface = with_session(surface, compat);
    match compat.legacy_paths {
        Habit::Served => surface.beside(legacy(compat)),
        Habit::Refused => surface,
    }
}

fn without_session(surface: Surface<People>, compat: Compat) -> Surface<People> {
    let surface = surface.route(routes!(registration::start)); // §5.1
    token!(surface, compat, registration::token) // §3 T1
        .route(routes!(registration::verify)) // §5.1
        .route(routes!(registration::finish)) // §5.1
        .route(routes!(login::login)) // §5.2
        .route(routes!(login::token)) // §3 T2
        .route(routes!(login::verify)) // §5.2
        .route(routes!(login::refresh)) // §5.2
        .route(routes!(password::recover)) // §5.3
        .route(routes!(password::recovery_token)) // §3 T3
        .route(routes!(password::verify)) // §5.3
        .route(routes!(password::renew)) // §5.3
        .route(routes!(address::recover)) // §5.5
        .route(routes!(address::recovery_token)) // §3 T4
        .route(routes!(address::verify_recovery)) // §5.5
        .route(routes!(address::recovered_token)) // §3 T5
        .route(routes!(address::finish_recovery)) // §5.5
        .route(routes!(keys::jwks)) // §6
        .route(routes!(keys::discovery)) // §6
}

fn with_session(surface: Surface<People>, compat: Compat) -> Surface<People> {
    let surface = surface
        .route(routes!(login::logout)) // §5.2
        .route(routes!(password::change)) // §5.4
        .route(routes!(address::add_email)) // §5.6
        .route(routes!(address::add_phone)) // §5.6
        .route(routes!(address::changed_token)) // §3 T10
        .route(routes!(address::change)) // §5.6
        .route(routes!(address::remove)) // §5.6
        .route(routes!(account::set_phrase)) // §5.7
        .route(routes!(account::details)) // §5.8
        .route(routes!(second_step::list)) // §5.8
        .route(routes!(second_step::enable)) // §5.8
        .route(routes!(second_step::disabling_token)) // §3 T14
        .route(routes!(second_step::disable)) // §5.8
        .route(routes!(second_step::start_authenticator)) // §5.8
        .route(routes!(second_step::confirm_authenticator)); // §5.8
    let surface = token!(surface, compat, password::change_token); // §3 T6
    let surface = token!(surface, compat, address::adding_email_token); // §3 T7
    let surface = token!(surface, compat, address::adding_phone_token); // §3 T8
    let surface = token!(surface, compat, address::change_token); // §3 T9
    let surface = token!(surface, compat, address::removing_token); // §3 T11
    let surface = token!(surface, compat, account::phrase_change_token); // §3 T12
    token!(surface, compat, account::phrase_add_token) // §3 T13
}

/// The paths of older versions.
fn legacy(compat: Compat) -> Surface<People> {
    let surface = Surface::new(OpenApi::default(), error::method_not_allowed)
        .route(routes!(password::recovery_token_by_path)) // §3 T3
        .route(routes!(address::adding_token)); // §3 T7, T8
    let surface = token!(surface, compat, account::phrase_token) // §3 T12, T13
        .moved(
            "/api/v1/token/registration/",
            "/api/v1/token/registration/verification/",
        );
    token!(surface, compat, registration::token) // §3 T1
        .moved("/api/v1/token/userKeys/recovery/", "/api/v1/token/mfa/recovery/")
        .route(routes!(address::recovery_token)) // §3 T4
        .route(routes!(address::recovered_token)) // §3 T5
}

fn add_token<H: Handler<T, People>, T: 'static>(
    surface: Surface<People>,
    compat: Compat,
    route: UtoipaMethodRouter<People>,
    handler: H,
) -> Surface<People> {
    let surface = surface.route(route.clone());
    match compat.get_token_requests {
        Habit::Served => surface.route(by_get(route, handler)),
        Habit::Refused => surface,
    }
}

/// The route for GET instead of POST.
fn by_get<H: Handler<T, People>, T: 'static>(
    route: UtoipaMethodRouter<People>,
    handler: H,
) -> UtoipaMethodRouter<People> {
    let (schemas, mut paths, _) = route;
    for item in paths.paths.values_mut() {
        item.get = item.post.take();
    }
    (schemas, paths, axum::routing::get(handler))
}

/// Whether an unknown path is answered in this surface's shape.
pub fn owns(path: &str) -> bool {
    path.starts_with("/api/v1/")
        && path != "/api/v1/"
        && path != "/api/v1/user"
        && !path.starts_with("/api/v1/user/")
}
