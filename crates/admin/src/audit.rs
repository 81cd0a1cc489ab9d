//! The audit trail: reading it, and proving that nothing of it was changed.

use std::sync::Arc;

use admin_wire::{ErrorBody, Verdict};
use axum::extract::State;
use axum::response::Response;
use domain::audit::Event;
use http::{StatusCode, Uri};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Admin;
use crate::auth::Operator;
use crate::error;

#[derive(Serialize, ToSchema)]
pub(crate) struct Events {
    #[schema(value_type = Vec<Object>)]
    events: Vec<Event>,
}

/// The newest events, newest first.
#[utoipa::path(get, operation_id = "listEvents", path = "/admin/v1/audit/events", tag = "audit",
    params(("subject" = Option<String>, Query, description = "Only of this alias or id"),
           ("limit" = Option<u32>, Query, description = "At most so many, 100 by default, 1000 at most")), responses(
    (status = 200, body = Events), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn events(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    uri: Uri,
) -> Response {
    let Ok(pairs) = web::query::pairs(&uri) else {
        return error::invalid("the query is malformed");
    };
    let value = |name: &str| {
        pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    let limit = match value("limit").map(|text| text.parse::<usize>()) {
        None => 100,
        Some(Ok(limit)) if (1..=1000).contains(&limit) => limit,
        Some(_) => return error::invalid("limit: a number from 1 to 1000"),
    };
    match admin
        .services
        .operators
        .audit_events(&operator, value("subject"), limit)
        .await
    {
        Ok(events) => web::json::reply(StatusCode::OK, &Events { events }),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Walks the whole chain: finds a changed, moved, removed or cut-off row.
#[utoipa::path(post, operation_id = "verifyAudit", path = "/admin/v1/audit/verify", tag = "audit", responses(
    (status = 200, body = Verdict), (status = 401, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn verify(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
) -> Response {
    match admin
        .services
        .operators
        .verify_audit(&operator, (admin.anchor)())
        .await
    {
        Ok(verdict) => {
            let verdict = Verdict {
                links: verdict.links,
                events: verdict.events,
                waiting: verdict.waiting,
                findings: verdict.findings,
            };
            web::json::reply(StatusCode::OK, &verdict)
        }
        Err(error) => error::answer(&error, admin.services.now()),
    }
}
