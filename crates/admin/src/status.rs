//! How the server is.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Admin;
use crate::auth::Operator;
use crate::error::{self, ErrorBody};

#[derive(Serialize, ToSchema)]
pub(crate) struct Status {
    version: &'static str,
    /// The server's clock.
    now: String,
    /// Whether a write would succeed now.
    ready: bool,
    guarded_keys: u64,
    /// Messages that no provider took yet.
    waiting_letters: u64,
}

/// Version, counts, what waits.
#[utoipa::path(get, path = "/admin/v1/status", tag = "server", responses(
    (status = 200, body = Status), (status = 401, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn show(State(admin): State<Arc<Admin>>, _operator: Operator) -> Response {
    let keeper = &admin.keeper;
    let counted = async {
        Ok::<_, domain::Error>((keeper.count_keys().await?, keeper.waiting_letters().await?))
    };
    match counted.await {
        Ok((guarded_keys, waiting_letters)) => {
            let ready = keeper.ready().await.is_ok();
            let now = keeper.now().rfc3339();
            let status = Status {
                version: admin.version,
                now,
                ready,
                guarded_keys,
                waiting_letters,
            };
            web::json::reply(StatusCode::OK, &status)
        }
        Err(error) => error::answer(&error, keeper.now()),
    }
}
