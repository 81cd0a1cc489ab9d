//! Deciding whether an outside reader gets a slot.

use axum::extract::State;
use domain::vault::{ApprovalDecision, ApprovalQuestion};
use http::StatusCode;
use web::page::{escape, html};

use super::words::words;
use super::{Failure, Shown, buttons, facts, failed, frame, moment};
use crate::call::{Calling, Path, Pressed};
use crate::front::FrontState;
use crate::request::PagePath;

/// Shows what is asked.
#[utoipa::path(get, operation_id = "showApproval", path = "/api/v1/user/slots/approve/{token}", params(PagePath), responses(
    (status = 200, content_type = "text/html"), (status = 404, content_type = "text/html")))]
pub(crate) async fn show(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Path(PagePath { token }): Path<PagePath>,
) -> Shown {
    let question = front.vaults.pending_approval(token).await;
    let question = question.map_err(failed(&caller.language))?;
    Ok(html(StatusCode::OK, asked(&question)))
}

/// Decides, for good.
#[utoipa::path(post, operation_id = "decideApproval", path = "/api/v1/user/slots/approve/{token}", params(PagePath), responses(
    (status = 200, content_type = "text/html"), (status = 400, content_type = "text/html"), (status = 404, content_type = "text/html")))]
pub(crate) async fn decide(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Path(PagePath { token }): Path<PagePath>,
    Pressed(button): Pressed,
) -> Shown {
    let decision = match button.as_deref() {
        Some("approve") => ApprovalDecision::Approve,
        Some("deny") => ApprovalDecision::Deny,
        _ => return Err(Failure::Unclear(words(&caller.language))),
    };
    let failed = failed(&caller.language);
    let question = front.vaults.decide_approval(caller, token, decision).await;
    Ok(html(
        StatusCode::OK,
        decided(&question.map_err(failed)?, decision),
    ))
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
