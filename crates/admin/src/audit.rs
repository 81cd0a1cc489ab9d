//! The audit trail: reading it, and proving that nothing of it was changed.

use admin_wire::{ErrorBody, Verdict};
use axum::extract::State;
use domain::trail::audit;
use http::StatusCode;
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use crate::Shared;
use crate::auth::Operator;
use crate::call::{Queried, Query};
use crate::error::Reply;
use crate::wire::{Event, Events};

/// Which events.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Selection {
    /// Only of this alias or id
    subject: Option<String>,
    /// At most so many, 100 by default, 1000 at most
    #[serde(default = "most", deserialize_with = "limit")]
    #[param(value_type = Option<u32>)]
    limit: usize,
}

impl Query for Selection {
    const RULE: &'static str = "limit: a number from 1 to 1000";
}

const fn most() -> usize {
    100
}

fn limit<'de, D: Deserializer<'de>>(text: D) -> Result<usize, D::Error> {
    web::json::text(text, |text| {
        let limit = text.parse().ok()?;
        (1..=1000).contains(&limit).then_some(limit)
    })
}

/// The newest events, newest first.
#[utoipa::path(get, operation_id = "listEvents", path = "/admin/v1/audit/events", tag = "audit",
    params(Selection), responses(
    (status = 200, body = Events), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn events(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Queried(Selection { subject, limit }): Queried<Selection>,
) -> Reply {
    let operators = &admin.services.operators;
    let events = operators.audit_events(&operator, subject, limit).await?;
    let events = events.into_iter().map(event).collect();
    Ok(web::json::reply(StatusCode::OK, &Events { events }))
}

/// Checks the whole chain: finds a changed, moved, removed or cut-off row.
#[utoipa::path(post, operation_id = "verifyAudit", path = "/admin/v1/audit/verify", tag = "audit", responses(
    (status = 200, body = Verdict), (status = 401, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn verify(State(admin): State<Shared>, Operator(operator): Operator) -> Reply {
    let operators = &admin.services.operators;
    let verdict = operators.verify_audit(&operator, (admin.anchor)()).await?;
    let verdict = Verdict {
        links: verdict.links,
        events: verdict.events,
        waiting: verdict.waiting,
        findings: verdict.findings,
    };
    Ok(web::json::reply(StatusCode::OK, &verdict))
}

fn event(event: audit::Event) -> Event {
    Event {
        at: event.at.millis(),
        surface: event.surface,
        action: event.action,
        subject: event.subject,
        outcome: event.outcome,
        facts: event.facts,
    }
}
