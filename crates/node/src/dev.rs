//! Development mode: routes of the admin listener for the mailbox and the movable clock. They exist only with `--dev`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use admin_wire::{ClockState, Mailbox};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use domain::Services;
use domain::secret::SecretText;
use http::{HeaderMap, StatusCode, Uri};
use outside::MovableClock;
use serde_json::{Value, json};
use web::auth::Bearer;
use web::json::Duplicates;

/// What the routes work with.
pub(crate) struct Tools {
    pub(crate) services: Services,
    pub(crate) clock: Arc<MovableClock>,
    pub(crate) mailbox: PathBuf,
    pub(crate) token: SecretText,
}

pub(crate) fn routes(tools: Arc<Tools>) -> Router {
    Router::new()
        .route("/dev/v1/mailbox", get(mailbox))
        .route("/dev/v1/clock/advance", post(advance))
        .with_state(tools)
}

/// The messages of the mailbox, oldest first; `?to=` picks one address.
async fn mailbox(State(tools): State<Arc<Tools>>, headers: HeaderMap, uri: Uri) -> Response {
    if !tools.knows(&headers) {
        return refused(
            StatusCode::UNAUTHORIZED,
            "send the token from the data directory",
        );
    }
    let Ok(pairs) = web::query::pairs(&uri) else {
        return refused(StatusCode::BAD_REQUEST, "the query is malformed");
    };
    let to = pairs
        .iter()
        .find(|(name, _)| name == "to")
        .map(|(_, value)| value.as_str());
    let text = tokio::fs::read_to_string(&tools.mailbox)
        .await
        .unwrap_or_default();
    let messages: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| to.is_none_or(|to| message.get("to").and_then(Value::as_str) == Some(to)))
        .collect();
    web::json::reply(StatusCode::OK, &Mailbox { messages })
}

/// Moves the clock, and returns when everything that became due has happened.
async fn advance(State(tools): State<Arc<Tools>>, headers: HeaderMap, body: Body) -> Response {
    if !tools.knows(&headers) {
        return refused(
            StatusCode::UNAUTHORIZED,
            "send the token from the data directory",
        );
    }
    let Ok(bytes) = web::body::read(body, &headers, 4096, 10).await else {
        return refused(StatusCode::BAD_REQUEST, "the body is malformed");
    };
    let fields = web::json::object(&bytes, Duplicates::RefuseAll).ok();
    let Some(seconds) = fields.and_then(|fields| fields.get("seconds").and_then(Value::as_u64))
    else {
        return refused(StatusCode::BAD_REQUEST, "seconds: a whole number");
    };
    if seconds > 100 * 365 * 86_400 {
        return refused(StatusCode::BAD_REQUEST, "seconds: at most a hundred years");
    }
    if let Err(error) = tools.clock.advance(Duration::from_secs(seconds)) {
        return refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            &format!("the clock's file: {error}"),
        );
    }
    match tools.services.upkeep.run_jobs().await {
        Ok(()) => web::json::reply(
            StatusCode::OK,
            &ClockState {
                now: tools.services.now().rfc3339(),
            },
        ),
        Err(error) => refused(
            StatusCode::SERVICE_UNAVAILABLE,
            &domain::error::chain(&error),
        ),
    }
}

impl Tools {
    fn knows(&self, headers: &HeaderMap) -> bool {
        matches!(web::auth::bearer(headers), Bearer::Token(token) if SecretText::new(token.to_owned()) == self.token)
    }
}

fn refused(status: StatusCode, message: &str) -> Response {
    web::json::reply(
        status,
        &json!({ "error": { "code": status.as_u16(), "message": message } }),
    )
}
