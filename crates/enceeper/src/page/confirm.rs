//! Confirming an address.

use axum::extract::State;
use domain::vault::{Applied, Confirmed};
use http::StatusCode;
use web::page::{escape, html};

use super::words::words;
use super::{Failure, Shown, buttons, facts, failed, frame, moment};
use crate::call::{Calling, Path, Pressed};
use crate::front::FrontState;
use crate::request::PagePath;

/// Shows who applied, when and from where.
#[utoipa::path(get, operation_id = "showApplication", path = "/api/v1/user/confirm/{token}", params(PagePath), responses(
    (status = 200, content_type = "text/html"), (status = 404, content_type = "text/html")))]
pub(crate) async fn show(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Path(PagePath { token }): Path<PagePath>,
) -> Shown {
    let applied = front.vaults.pending_application(token).await;
    let applied = applied.map_err(failed(&caller.language))?;
    Ok(html(StatusCode::OK, question(&applied)))
}

/// Makes the account.
#[utoipa::path(post, operation_id = "confirmApplication", path = "/api/v1/user/confirm/{token}", params(PagePath), responses(
    (status = 200, content_type = "text/html"), (status = 400, content_type = "text/html"), (status = 404, content_type = "text/html"), (status = 409, content_type = "text/html")))]
pub(crate) async fn decide(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Path(PagePath { token }): Path<PagePath>,
    Pressed(button): Pressed,
) -> Shown {
    if button.as_deref() != Some("confirm") {
        return Err(Failure::Unclear(words(&caller.language)));
    }
    let failed = failed(&caller.language);
    let confirmed = front.vaults.confirm_application(caller, token).await;
    Ok(match confirmed.map_err(failed)? {
        Confirmed::Joined(applied) => {
            let words = words(&applied.language);
            let more = format!("<p>{}</p>", words.confirm.done_more);
            html(StatusCode::OK, frame(words, words.confirm.done, &more))
        }
        Confirmed::Contested(applied) => {
            let words = words(&applied.language);
            let more = format!("<p>{}</p>", words.confirm.contested_more);
            let page = frame(words, words.confirm.contested, &more);
            html(StatusCode::CONFLICT, page)
        }
    })
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
