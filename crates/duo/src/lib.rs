//! The Duo auth service API, version 2: device trust, step-up in person, keyshare backup and recovery for
//! two-party wallets, and the hooks that a signing server calls.
//!
//! One request, one use case: a handler checks the token, parses, calls the wallets, and renders.

mod call;
mod device;
mod error;
mod face;
mod hook;
mod key;
mod keyshare;
mod openapi;
mod passkey;
mod transaction;
mod user;
mod value;
mod wire;

use std::sync::Arc;

use axum::Router;
use domain::Wallets;
use web::methods::only;

pub use error::{late, not_found, panicked};
pub use openapi::openapi;

/// Method, pattern, section of the sheet. The hooks are on a listener of their own.
pub const ROUTES: &[(&str, &str, &str)] = &[
    ("POST", "/auth/users/register", "§7.1"),
    (
        "GET",
        "/auth/devices/challenge/{deviceVerifyingKey}",
        "§7.2",
    ),
    ("POST", "/auth/devices/register", "§7.3"),
    ("POST", "/auth/face/register", "§7.4"),
    (
        "GET",
        "/auth/face/session-token",
        "§9.5, where it is offered",
    ),
    (
        "POST",
        "/auth/passkey/register/challenge",
        "README, where passkeys are offered",
    ),
    (
        "POST",
        "/auth/passkey/register",
        "README, where passkeys are offered",
    ),
    ("GET", "/v2/passkey", "README, where passkeys are offered"),
    (
        "POST",
        "/auth/devices/register/challenge",
        "README, where passkeys are offered",
    ),
    (
        "POST",
        "/v2/keyshare/recover/challenge",
        "README, where passkeys are offered",
    ),
    ("GET", "/v2/face", "§7.5"),
    ("GET", "/v2/devices", "§7.6"),
    ("GET", "/v2/keys", "§7.7"),
    ("POST", "/v2/keyshare/backup", "§7.8"),
    ("POST", "/v2/keyshare/recover", "§7.9"),
    ("GET", "/transactions", "§7.10"),
    ("POST", "/hooks/duo/dkg-setup", "§12.1, hooks' listener"),
    ("POST", "/hooks/duo/key-id", "§12.2, hooks' listener"),
    ("POST", "/hooks/duo/dsg-setup", "§12.3, hooks' listener"),
];

/// The name of this surface in messages and the audit trail.
pub(crate) const SURFACE: &str = "duo";

/// The public routes of [`ROUTES`], answering exactly the methods named there.
pub fn routes(wallets: Arc<Wallets>) -> Router {
    let on_405 = error::method_not_allowed;
    let offers_tokens = wallets.offers_session_tokens();
    let offers_passkeys = wallets.passkeys().is_some();
    let router = Router::new()
        .route(
            "/auth/users/register",
            only(on_405).post(user::register).build(),
        )
        .route(
            "/auth/devices/challenge/{deviceVerifyingKey}",
            only(on_405).get(device::challenge).build(),
        )
        .route(
            "/auth/devices/register",
            only(on_405).post(device::register).build(),
        )
        .route(
            "/auth/face/register",
            only(on_405).post(face::register).build(),
        )
        .route("/v2/face", only(on_405).get(face::show).build())
        .route("/v2/devices", only(on_405).get(device::list).build())
        .route("/v2/keys", only(on_405).get(key::list).build())
        .route(
            "/v2/keyshare/backup",
            only(on_405).post(keyshare::backup).build(),
        )
        .route(
            "/v2/keyshare/recover",
            only(on_405).post(keyshare::recover).build(),
        )
        .route("/transactions", only(on_405).get(transaction::list).build());
    let router = if offers_tokens {
        let route = only(on_405).get(face::session_token).build();
        router.route("/auth/face/session-token", route)
    } else {
        router
    };
    let router = if offers_passkeys {
        router.merge(passkey_routes())
    } else {
        router
    };
    router.with_state(wallets)
}

fn passkey_routes() -> Router<Arc<Wallets>> {
    let on_405 = error::method_not_allowed;
    Router::new()
        .route(
            "/auth/passkey/register/challenge",
            only(on_405).post(passkey::offer).build(),
        )
        .route(
            "/auth/passkey/register",
            only(on_405).post(passkey::register).build(),
        )
        .route("/v2/passkey", only(on_405).get(passkey::show).build())
        .route(
            "/auth/devices/register/challenge",
            only(on_405).post(passkey::for_device).build(),
        )
        .route(
            "/v2/keyshare/recover/challenge",
            only(on_405).post(passkey::for_keys).build(),
        )
}

/// The hooks, for a listener that only the signing server reaches. With a secret it is part of the path.
pub fn hooks(wallets: Arc<Wallets>, secret: Option<&str>) -> Router {
    let on_405 = error::method_not_allowed;
    let at = |name: &str| match secret {
        Some(secret) => format!("/hooks/duo/{secret}/{name}"),
        None => format!("/hooks/duo/{name}"),
    };
    Router::new()
        .route(
            &at("dkg-setup"),
            only(on_405).post(hook::allow_making).build(),
        )
        .route(&at("key-id"), only(on_405).post(hook::note_key).build())
        .route(&at("dsg-setup"), only(on_405).post(hook::allow_use).build())
        .fallback(|| async { not_found() })
        .with_state(wallets)
}

/// Whether an unknown path is answered in this surface's shape.
pub fn owns(path: &str) -> bool {
    let under = |root: &str| {
        path.strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    [
        "/auth",
        "/v2/keys",
        "/v2/devices",
        "/v2/keyshare",
        "/v2/face",
        "/v2/passkey",
        "/transactions",
        "/hooks",
    ]
    .into_iter()
    .any(under)
}
