//! The surface as the executable mounts it, and its configuration names.

use std::sync::Arc;

use axum::Router;
use domain::Keeper;

/// The routes, with this surface's answer to unknown paths.
pub(crate) fn routes(keeper: Arc<Keeper>) -> Router {
    cis::routes(keeper).fallback(|| async { cis::not_found() })
}
