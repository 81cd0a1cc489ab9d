//! Confirming an address.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::vault::{Applied, Confirmed};
use http::StatusCode;
use web::page::{escape, html};

use super::words::words;
use super::{buttons, decision, facts, failed, frame, moment, unclear};
use crate::call::Call;
use crate::front::Front;

/// Shows who applied, when and from where.
pub(crate) async fn show(State(front): State<Arc<Front>>, call: Call) -> Response {
    match front.vaults.pending_application(call.segment(2)).await {
        Ok(applied) => html(StatusCode::OK, question(&applied)),
        Err(error) => failed(&error, words(&call.caller.language)),
    }
}

/// Makes the account.
pub(crate) async fn decide(State(front): State<Arc<Front>>, call: Call) -> Response {
    let (token, caller) = (call.segment(2), call.caller.clone());
    let fallback = words(&caller.language);
    if decision(call).await.as_deref() != Some("confirm") {
        return unclear(fallback);
    }
    match front.vaults.confirm_application(caller, token).await {
        Ok(Confirmed::Joined(applied)) => {
            let words = words(&applied.language);
            let more = format!("<p>{}</p>", words.confirm.done_more);
            html(StatusCode::OK, frame(words, words.confirm.done, &more))
        }
        Ok(Confirmed::Contested(applied)) => {
            let words = words(&applied.language);
            let more = format!("<p>{}</p>", words.confirm.contested_more);
            html(
                StatusCode::CONFLICT,
                frame(words, words.confirm.contested, &more),
            )
        }
        Err(error) => failed(&error, fallback),
    }
}

fn question(applied: &Applied) -> String {
    let words = words(&applied.language);
    let facts = facts(&[
        (words.confirm.address, escape(&applied.name)),
        (words.at, moment(applied.at)),
        (words.network, escape(&applied.network)),
    ]);
    let buttons = buttons(&[("confirm", words.confirm.button, "main")]);
    frame(
        words,
        words.confirm.heading,
        &format!("{facts}<p>{}</p>{buttons}", words.confirm.advice),
    )
}
