//! `/healthz` and `/readyz`, on each listener for people and load balancers.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use compose::Closed;
use domain::{Error, Services};
use http::{StatusCode, header};

/// Adds both routes.
pub(crate) fn with_health(router: Router, services: &Services) -> Router {
    let services = services.clone();
    router
        .route("/healthz", get(alive))
        .route("/readyz", get(move || ready(services)))
}

/// 200 while the process answers.
async fn alive() -> Response {
    ([(header::CACHE_CONTROL, "no-store")], "ok\n").into_response()
}

/// 200 if the database accepts a write now; else 503 with the reason.
async fn ready(services: Services) -> Response {
    let Err(error) = services.ready().await else {
        return alive().await;
    };
    tracing::warn!(
        code = "not_ready",
        error = domain::error::chain(&error),
        "not ready"
    );
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::RETRY_AFTER, "1"),
    ];
    let closed = match &error {
        Error::Unavailable(source) => source.downcast_ref::<Closed>(),
        _ => None,
    };
    let why = closed.map_or("the database cannot be written", |closed| &closed.0);
    (StatusCode::SERVICE_UNAVAILABLE, headers, format!("{why}\n")).into_response()
}
