//! Deciding whether an outside reader gets a slot.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::vault::{ApprovalDecision, ApprovalQuestion};
use http::StatusCode;
use web::page::{escape, html};

use super::words::words;
use super::{buttons, decision, facts, failed, frame, moment, unclear};
use crate::call::Call;
use crate::front::Front;

/// Shows what is asked.
pub(crate) async fn show(State(front): State<Arc<Front>>, call: Call) -> Response {
    match front.vaults.pending_approval(call.segment(3)).await {
        Ok(question) => html(StatusCode::OK, asked(&question)),
        Err(error) => failed(&error, words(&call.caller.language)),
    }
}

/// Decides, for good.
pub(crate) async fn decide(State(front): State<Arc<Front>>, call: Call) -> Response {
    let (token, caller) = (call.segment(3), call.caller.clone());
    let fallback = words(&caller.language);
    let decision = match decision(call).await.as_deref() {
        Some("approve") => ApprovalDecision::Approve,
        Some("deny") => ApprovalDecision::Deny,
        _ => return unclear(fallback),
    };
    match front.vaults.decide_approval(caller, token, decision).await {
        Ok(question) => html(StatusCode::OK, decided(&question, decision)),
        Err(error) => failed(&error, fallback),
    }
}

fn asked(question: &ApprovalQuestion) -> String {
    let words = words(&question.language);
    let facts = facts(&[
        (words.approve.key, question.entry.to_string()),
        (words.approve.slot, question.slot.to_string()),
        (words.at, moment(question.asked)),
        (words.network, escape(&question.network)),
        (words.approve.until, moment(question.expires)),
    ]);
    let choices = [
        ("approve", words.approve.allow, ""),
        ("deny", words.approve.refuse, "main"),
    ];
    let body = format!(
        "{facts}<p>{}</p>{}",
        words.approve.advice,
        buttons(&choices)
    );
    frame(words, words.approve.heading, &body)
}

fn decided(question: &ApprovalQuestion, decision: ApprovalDecision) -> String {
    let words = words(&question.language);
    let (heading, more) = match decision {
        ApprovalDecision::Approve => (words.approve.approved, words.approve.approved_more),
        ApprovalDecision::Deny => (words.approve.denied, words.approve.denied_more),
    };
    frame(words, heading, &format!("<p>{more}</p>"))
}
