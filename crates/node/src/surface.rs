//! The public listener: all surfaces, and which of them answers for an unknown path.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use config::Config;
use domain::Services;
use http::StatusCode;
use web::deadline::within;

use crate::{description, options};

/// Everything on the public listener. A handler that has not answered after `seconds` is dropped, and its surface
/// answers in its own format.
pub(crate) fn public(services: &Services, config: &Config, seconds: u64) -> Router {
    let clock = services.clone();
    let vaults = options::vaults(config);
    let compat = options::compat(config);
    let mut router = Router::new()
        .merge(within(
            photon::routes(Arc::clone(&services.guarded_keys)),
            seconds,
            photon::late,
        ))
        .merge(profile::routes(
            Arc::clone(&services.people),
            compat,
            seconds,
        ))
        .merge(within(
            cis::routes(Arc::clone(&services.tenants)),
            seconds,
            cis::late,
        ))
        .merge(within(
            duo::routes(Arc::clone(&services.wallets)),
            seconds,
            duo::late,
        ));
    if config.enceeper.enabled {
        let vault_routes = enceeper::routes(Arc::clone(&services.vaults), vaults.clone());
        router = router.merge(within(vault_routes, seconds, enceeper::late));
    }
    description::with_public(router)
        .fallback(move |request: Request| async move { unknown(&clock, &request, &vaults) })
}

/// The answer when a handler of any surface has panicked.
pub(crate) fn panicked() -> Response {
    photon::panicked()
}

/// The answer for an unknown path, in the format of the surface to which the path belongs.
fn unknown(services: &Services, request: &Request, vaults: &enceeper::Options) -> Response {
    let path = request.uri().path();
    if profile::owns(path) {
        profile::not_found(path, services.now())
    } else if photon::owns(path) {
        photon::not_found()
    } else if cis::owns(path) {
        cis::not_found()
    } else if enceeper::owns(&vaults.base_path, path) {
        enceeper::not_found(vaults)
    } else if duo::owns(path) {
        duo::not_found()
    } else {
        not_found()
    }
}

/// The answer for a path that belongs to no surface.
pub(crate) fn not_found() -> Response {
    web::json::reply(
        StatusCode::NOT_FOUND,
        &serde_json::json!({"message": "Not found"}),
    )
}
