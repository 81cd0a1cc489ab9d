//! The account as its person sees it in a browser: plan and use, nothing to change.

use axum::extract::State;
use domain::vault::Overview;
use http::StatusCode;
use web::page::{escape, html};

use super::words::{Words, words};
use super::{Shown, facts, failed, frame};
use crate::call::{Calling, Path};
use crate::front::FrontState;
use crate::request::PagePath;

/// Takes the token and shows the account.
#[utoipa::path(get, operation_id = "showAccount", path = "/api/v1/user/login/{token}", params(PagePath), responses(
    (status = 200, content_type = "text/html"), (status = 404, content_type = "text/html")))]
pub(crate) async fn show(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Path(PagePath { token }): Path<PagePath>,
) -> Shown {
    let failed = failed(&caller.language);
    let taken = front.vaults.take_web_pass(caller, token).await;
    Ok(html(StatusCode::OK, shown(&taken.map_err(failed)?)))
}

fn shown(overview: &Overview) -> String {
    let words = words(&overview.language);
    let account = &words.account;
    let (plan, yes_no) = (&overview.plan, |allowed| {
        if allowed { account.yes } else { account.no }.to_owned()
    });
    let usage = facts(&[
        (account.address, escape(&overview.name)),
        (
            account.keys,
            format!("{} {} {}", overview.entries, account.of, plan.entries),
        ),
        (account.slots, overview.slots.to_string()),
        (account.sessions, overview.sessions.to_string()),
        (
            account.fingerprint,
            format!(
                "<code>{}</code><br>{}",
                overview.fingerprint, account.fingerprint_more
            ),
        ),
    ]);
    let limits = facts(&[
        (account.plan, escape(&plan.name)),
        (account.slots_per_key, plan.slots_per_entry.to_string()),
        (
            account.key_size,
            format!("{} {}", plan.entry_bytes, account.bytes),
        ),
        (account.requests, requests(plan.calls_per_hour, words)),
        (account.sharing, yes_no(plan.sharing)),
        (account.notices, yes_no(plan.notify_on_use)),
        (account.approvals, yes_no(plan.approve_use)),
    ]);
    let note = if plan.deprecated {
        format!("<p>{}</p>", account.deprecated)
    } else {
        String::new()
    };
    let body = format!(
        "<h2>{}</h2>{usage}<h2>{}</h2>{limits}{note}",
        account.usage, account.plan
    );
    frame(words, account.heading, &body)
}

fn requests(limit: u32, words: &Words) -> String {
    if limit == 0 {
        words.account.unlimited.to_owned()
    } else {
        limit.to_string()
    }
}
