//! How the server is.

use admin_wire::ErrorBody;
use axum::extract::State;
use domain::trail::resealing::{Progress, RootState};
use http::StatusCode;

use crate::Shared;
use crate::auth::Operator;
use crate::error::Reply;
use crate::wire::{RootKey, Status};

/// Version, counts, what waits.
#[utoipa::path(get, operation_id = "showStatus", path = "/admin/v1/status", tag = "server", responses(
    (status = 200, body = Status), (status = 401, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn show(State(admin): State<Shared>, Operator(operator): Operator) -> Reply {
    let services = &admin.services;
    let guarded_keys = services.guarded_keys.count_keys(&operator).await?;
    let accounts = services.people.count_accounts(&operator).await?;
    let waiting_letters = services.upkeep.waiting_messages().await?;
    let roots = services.upkeep.root_states().await?;
    let ready = services.ready().await.is_ok();
    let status = Status {
        version: admin.version.to_owned(),
        now: services.now().rfc3339(),
        ready,
        guarded_keys,
        accounts,
        waiting_letters,
        roots: roots.iter().map(root_key).collect(),
    };
    Ok(web::json::reply(StatusCode::OK, &status))
}

fn root_key(state: &RootState) -> RootKey {
    let (older, next_walk, rows, unreadable) = match state.progress {
        Progress::First => ("none", None, 0, 0),
        Progress::Walking { sealed } => ("walking", None, sealed, 0),
        Progress::Again { at, sealed } => ("again", Some(at.rfc3339()), sealed, 0),
        Progress::Done { sealed, unreadable } => ("done", None, sealed, unreadable),
    };
    RootKey {
        root: state.root.name().to_owned(),
        version: state.version,
        older: older.to_owned(),
        next_walk,
        rows,
        unreadable,
    }
}
