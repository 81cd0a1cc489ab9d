//! How the server is.

use std::sync::Arc;

use admin_wire::ErrorBody;
use axum::extract::State;
use axum::response::Response;
use domain::resealing::{Progress, RootState};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Admin;
use crate::auth::Operator;
use crate::error;

#[derive(Serialize, ToSchema)]
pub(crate) struct Status {
    version: &'static str,
    /// The server's clock.
    now: String,
    /// Whether a write would succeed now.
    ready: bool,
    guarded_keys: u64,
    /// People's accounts of the profile surface.
    accounts: u64,
    /// Messages that no provider took yet.
    waiting_letters: u64,
    roots: Vec<RootKey>,
}

/// A root key that seals what lies in the database.
#[derive(Serialize, ToSchema)]
pub(crate) struct RootKey {
    root: &'static str,
    /// The version that this server seals with.
    version: u32,
    /// What was sealed with an older version: `none` (there is none), `walking` (is being sealed anew), `again`
    /// (all was; the database is looked through once more at `next_walk`), `done` (nothing of it is left).
    older: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_walk: Option<String>,
    /// Sealed anew so far.
    rows: u64,
    /// Rows that could not be opened: they were changed outside the server.
    unreadable: u64,
}

impl From<RootState> for RootKey {
    fn from(state: RootState) -> Self {
        let (older, next_walk, rows, unreadable) = match state.progress {
            Progress::First => ("none", None, 0, 0),
            Progress::Walking { sealed } => ("walking", None, sealed, 0),
            Progress::Again { at, sealed } => ("again", Some(at.rfc3339()), sealed, 0),
            Progress::Done { sealed, unreadable } => ("done", None, sealed, unreadable),
        };
        Self {
            root: state.root.name(),
            version: state.version,
            older,
            next_walk,
            rows,
            unreadable,
        }
    }
}

/// Version, counts, what waits.
#[utoipa::path(get, operation_id = "showStatus", path = "/admin/v1/status", tag = "server", responses(
    (status = 200, body = Status), (status = 401, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn show(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
) -> Response {
    let services = &admin.services;
    let counted = async {
        Ok::<_, domain::Error>((
            services.guarded_keys.count_keys(&operator).await?,
            services.people.count_accounts(&operator).await?,
            services.upkeep.waiting_messages().await?,
            services.upkeep.root_states().await?,
        ))
    };
    match counted.await {
        Ok((guarded_keys, accounts, waiting_letters, roots)) => {
            let ready = services.ready().await.is_ok();
            let now = services.now().rfc3339();
            let status = Status {
                version: admin.version,
                now,
                ready,
                guarded_keys,
                accounts,
                waiting_letters,
                roots: roots.into_iter().map(RootKey::from).collect(),
            };
            web::json::reply(StatusCode::OK, &status)
        }
        Err(error) => error::answer(&error, services.now()),
    }
}
