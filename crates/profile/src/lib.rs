//! Accounts for web and mobile front ends: registration, login with a second step, recovery, changes,
//! all proved with one-time tokens.
//!
//! One request, one use case: a handler parses, calls the people, and renders.

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
use axum::routing::MethodRouter;
use domain::People;
use web::methods::only;

pub use error::not_found;
pub use openapi::openapi;

/// Method, pattern, section of the sheet.
pub const ROUTES: &[(&str, &str, &str)] = &[
    ("POST", "/api/v1/registration", "§5.1"),
    ("POST", "/api/v1/token/registration/{processingId}", "§3 T1"),
    (
        "POST",
        "/api/v1/token/registration/verification/{processingId}",
        "§3 T1, legacy",
    ),
    ("POST", "/api/v1/registration/verification", "§5.1"),
    ("POST", "/api/v1/registration/password", "§5.1"),
    ("POST", "/api/v1/login", "§5.2"),
    ("POST", "/api/v1/token/login", "§3 T2"),
    ("POST", "/api/v1/login/verification", "§5.2"),
    ("POST", "/api/v1/login/refresh", "§5.2"),
    ("POST", "/api/v1/logout", "§5.2"),
    ("POST", "/api/v1/password/recovery", "§5.3"),
    ("POST", "/api/v1/token/password/recovery", "§3 T3"),
    (
        "POST",
        "/api/v1/token/password/recovery/{processingId}",
        "§3 T3, legacy",
    ),
    ("POST", "/api/v1/password/recovery/verification", "§5.3"),
    ("POST", "/api/v1/password/recovery/newPassword", "§5.3"),
    ("POST", "/api/v1/token/password/changing", "§3 T6"),
    ("POST", "/api/v1/password/changing", "§5.4"),
    ("POST", "/api/v1/userKeys/recovery", "§5.5"),
    (
        "POST",
        "/api/v1/token/userKeys/recovery/verification",
        "§3 T4",
    ),
    (
        "POST",
        "/api/v1/token/mfa/recovery/verification",
        "§3 T4, legacy",
    ),
    ("POST", "/api/v1/userKeys/recovery/verification", "§5.5"),
    ("POST", "/api/v1/token/userKeys/recovery/newKey", "§3 T5"),
    ("POST", "/api/v1/token/mfa/recovery/newKey", "§3 T5, legacy"),
    ("POST", "/api/v1/userKeys/recovery/newKey", "§5.5"),
    ("POST", "/api/v1/token/userKeys/adding/email", "§3 T7"),
    ("POST", "/api/v1/token/userKeys/adding/phoneNumber", "§3 T8"),
    ("POST", "/api/v1/token/userKeys/adding", "§3 T7, T8, legacy"),
    ("POST", "/api/v1/userKeys/adding/email", "§5.6"),
    ("POST", "/api/v1/userKeys/adding/phoneNumber", "§5.6"),
    ("POST", "/api/v1/token/userKeys/changing", "§3 T9"),
    ("POST", "/api/v1/token/userKeys/changing/newKey", "§3 T10"),
    ("POST", "/api/v1/userKeys/changing", "§5.6"),
    ("POST", "/api/v1/token/userKeys/removing", "§3 T11"),
    ("POST", "/api/v1/userKeys/removing", "§5.6"),
    ("POST", "/api/v1/token/antiPhishing/changing", "§3 T12"),
    ("POST", "/api/v1/token/antiPhishing/adding", "§3 T13"),
    (
        "POST",
        "/api/v1/token/antiPhishingCode/changing",
        "§3 T12, T13, legacy",
    ),
    ("POST", "/api/v1/account/antiPhishingCode", "§5.7"),
    ("GET", "/api/v1/account/details", "§5.8"),
    ("GET", "/api/v1/account/details/mfa", "§5.8"),
    ("POST", "/api/v1/mfa/enabling", "§5.8"),
    ("POST", "/api/v1/token/mfa/disabling", "§3 T14"),
    ("POST", "/api/v1/mfa/disabling", "§5.8"),
    ("POST", "/api/v1/account/googleAuthenticator", "§5.8"),
    (
        "POST",
        "/api/v1/account/googleAuthenticator/verification",
        "§5.8",
    ),
    ("GET", "/api/v1/.well-known/jwks.json", "§6"),
    ("GET", "/api/v1/.well-known/openid-configuration", "§6"),
];

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

type Shared = Arc<People>;

/// The routes of [`ROUTES`], answering exactly the methods named there.
///
/// `seconds`: after so many a handler that did not answer is given up.
pub fn routes(people: Arc<People>, compat: Compat, seconds: u64) -> Router {
    let mut router = Router::new()
        .merge(without_session(compat))
        .merge(with_session(compat));
    if compat.legacy_paths == Habit::Served {
        router = router.merge(legacy(compat));
    }
    // The errors' bodies are drawn outermost, for late answers too.
    let render = axum::middleware::from_fn_with_state(Arc::clone(&people), error::render);
    web::deadline::within(router.with_state(people), seconds, error::late).layer(render)
}

fn post<H: Handler<T, Shared>, T: 'static>(handler: H) -> MethodRouter<Shared> {
    only(error::method_not_allowed).post(handler).build()
}

fn get<H: Handler<T, Shared>, T: 'static>(handler: H) -> MethodRouter<Shared> {
    only(error::method_not_allowed).get(handler).build()
}

/// A token request that needs no body: with the switch it answers GET as well.
fn token<H: Handler<T, Shared>, T: 'static>(compat: Compat, handler: H) -> MethodRouter<Shared> {
    let only = only(error::method_not_allowed).post(handler.clone());
    match compat.get_token_requests {
        Habit::Served => only.get(handler).build(),
        Habit::Refused => only.build(),
    }
}

fn without_session(compat: Compat) -> Router<Shared> {
    Router::new()
        .route("/api/v1/registration", post(registration::start))
        .route(
            "/api/v1/token/registration/{processingId}",
            token(compat, registration::token),
        )
        .route(
            "/api/v1/registration/verification",
            post(registration::verify),
        )
        .route("/api/v1/registration/password", post(registration::finish))
        .route("/api/v1/login", post(login::login))
        .route("/api/v1/token/login", post(login::token))
        .route("/api/v1/login/verification", post(login::verify))
        .route("/api/v1/login/refresh", post(login::refresh))
        .route("/api/v1/password/recovery", post(password::recover))
        .route(
            "/api/v1/token/password/recovery",
            post(password::recovery_token),
        )
        .route(
            "/api/v1/password/recovery/verification",
            post(password::verify),
        )
        .route(
            "/api/v1/password/recovery/newPassword",
            post(password::renew),
        )
        .route("/api/v1/userKeys/recovery", post(address::recover))
        .route(
            "/api/v1/token/userKeys/recovery/verification",
            post(address::recovery_token),
        )
        .route(
            "/api/v1/userKeys/recovery/verification",
            post(address::verify_recovery),
        )
        .route(
            "/api/v1/token/userKeys/recovery/newKey",
            post(address::recovered_token),
        )
        .route(
            "/api/v1/userKeys/recovery/newKey",
            post(address::finish_recovery),
        )
        .route("/api/v1/.well-known/jwks.json", get(keys::jwks))
        .route(
            "/api/v1/.well-known/openid-configuration",
            get(keys::discovery),
        )
}

fn with_session(compat: Compat) -> Router<Shared> {
    Router::new()
        .route("/api/v1/logout", post(login::logout))
        .route(
            "/api/v1/token/password/changing",
            token(compat, password::change_token),
        )
        .route("/api/v1/password/changing", post(password::change))
        .route(
            "/api/v1/token/userKeys/adding/email",
            token(compat, address::adding_email_token),
        )
        .route(
            "/api/v1/token/userKeys/adding/phoneNumber",
            token(compat, address::adding_phone_token),
        )
        .route("/api/v1/userKeys/adding/email", post(address::add_email))
        .route(
            "/api/v1/userKeys/adding/phoneNumber",
            post(address::add_phone),
        )
        .route(
            "/api/v1/token/userKeys/changing",
            token(compat, address::change_token),
        )
        .route(
            "/api/v1/token/userKeys/changing/newKey",
            post(address::changed_token),
        )
        .route("/api/v1/userKeys/changing", post(address::change))
        .route(
            "/api/v1/token/userKeys/removing",
            token(compat, address::removing_token),
        )
        .route("/api/v1/userKeys/removing", post(address::remove))
        .route(
            "/api/v1/token/antiPhishing/changing",
            token(compat, account::phrase_change_token),
        )
        .route(
            "/api/v1/token/antiPhishing/adding",
            token(compat, account::phrase_add_token),
        )
        .route(
            "/api/v1/account/antiPhishingCode",
            post(account::set_phrase),
        )
        .route("/api/v1/account/details", get(account::details))
        .route("/api/v1/account/details/mfa", get(second_step::list))
        .route("/api/v1/mfa/enabling", post(second_step::enable))
        .route(
            "/api/v1/token/mfa/disabling",
            post(second_step::disabling_token),
        )
        .route("/api/v1/mfa/disabling", post(second_step::disable))
        .route(
            "/api/v1/account/googleAuthenticator",
            post(second_step::start_authenticator),
        )
        .route(
            "/api/v1/account/googleAuthenticator/verification",
            post(second_step::confirm_authenticator),
        )
}

fn legacy(compat: Compat) -> Router<Shared> {
    Router::new()
        .route(
            "/api/v1/token/registration/verification/{processingId}",
            token(compat, registration::token),
        )
        .route(
            "/api/v1/token/password/recovery/{processingId}",
            post(password::recovery_token_by_path),
        )
        .route(
            "/api/v1/token/mfa/recovery/verification",
            post(address::recovery_token),
        )
        .route(
            "/api/v1/token/mfa/recovery/newKey",
            post(address::recovered_token),
        )
        .route("/api/v1/token/userKeys/adding", post(address::adding_token))
        .route(
            "/api/v1/token/antiPhishingCode/changing",
            token(compat, account::phrase_token),
        )
}

/// Whether an unknown path is answered in this surface's shape.
pub fn owns(path: &str) -> bool {
    path.starts_with("/api/v1/")
        && path != "/api/v1/"
        && path != "/api/v1/user"
        && !path.starts_with("/api/v1/user/")
}
