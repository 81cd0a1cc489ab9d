//! The Duo auth service API, version 2: device trust, step-up in person, keyshare backup and recovery for
//! two-party wallets, and the hooks that a signing server calls.
//!
//! One request, one use case: a handler receives the user of the token and typed values, calls the use case, and
//! renders what it gave.

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
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use web::surface::{Surface, routes};

pub use error::{late, not_found, panicked};
pub use openapi::openapi;

/// The name of this surface in messages and the audit trail.
pub(crate) const SURFACE: &str = "duo";

/// Where the hooks lie, without a secret.
const HOOKS: &str = "/hooks/duo";

/// The state of every handler.
pub(crate) type Wallets = Arc<domain::wallet::Wallets>;

/// What an operator may offer beside the documented calls.
#[derive(Clone, Copy)]
struct Offers {
    session_tokens: bool,
    passkeys: bool,
}

/// Each public route with its section of the sheet. What is not offered has no route.
fn surface(offers: Offers) -> Surface<Wallets> {
    let mut surface = Surface::new(openapi::About::openapi(), error::method_not_allowed)
        .route(routes!(user::register)) // §7.1
        .route(routes!(device::challenge)) // §7.2
        .route(routes!(device::register)) // §7.3
        .route(routes!(face::register)) // §7.4
        .route(routes!(face::show)) // §7.5
        .route(routes!(device::list)) // §7.6
        .route(routes!(key::list)) // §7.7
        .route(routes!(keyshare::backup)) // §7.8
        .route(routes!(keyshare::recover)) // §7.9
        .route(routes!(transaction::list)); // §7.10
    if offers.session_tokens {
        surface = surface.route(routes!(face::session_token)); // §9.5
    }
    if offers.passkeys {
        surface = surface
            .route(routes!(passkey::offer)) // README, passkeys
            .route(routes!(passkey::register)) // README, passkeys
            .route(routes!(passkey::show)) // README, passkeys
            .route(routes!(passkey::for_device)) // README, passkeys
            .route(routes!(passkey::for_keys)); // README, passkeys
    }
    surface
}

/// The hooks below `base`, each with its section of the sheet.
fn hook_surface(base: &str) -> Surface<Wallets> {
    Surface::new(OpenApi::default(), error::method_not_allowed)
        .moved(HOOKS, base)
        .route(routes!(hook::allow_making)) // §12.1
        .route(routes!(hook::note_key)) // §12.2
        .route(routes!(hook::allow_use)) // §12.3
}

/// The public routes of this surface, answering exactly the methods that their handlers name.
pub fn routes(wallets: Arc<domain::wallet::Wallets>) -> Router {
    let offers = Offers {
        session_tokens: wallets.offers_session_tokens(),
        passkeys: wallets.passkeys().is_some(),
    };
    surface(offers).into_parts().0.with_state(wallets)
}

/// The hooks, for a listener that only the signing server reaches. With a secret it is part of the path.
pub fn hooks(wallets: Arc<domain::wallet::Wallets>, secret: Option<&str>) -> Router {
    let base = match secret {
        Some(secret) => format!("{HOOKS}/{secret}"),
        None => HOOKS.to_owned(),
    };
    let (router, _) = hook_surface(&base).into_parts();
    router
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
