//! Pages for people: confirm an address, decide about a slot, look at an account (sheet 9).
//!
//! Plain HTML without scripts. A GET changes nothing, because mail scanners open links; only a button's POST
//! acts. The one exception is the account page, whose token a client has just been given for one use.

pub(crate) mod account;
pub(crate) mod approve;
pub(crate) mod confirm;
mod words;

use axum::response::{IntoResponse, Response};
use domain::{Error, Refusal, Timestamp};
use http::StatusCode;
use web::failure;
use web::page::{escape, html};

use words::{ENGLISH, Words, words};

/// What a handler of a page gives.
pub(crate) type Shown = Result<Response, Failure>;

/// A page that cannot show what was asked for.
pub(crate) enum Failure {
    /// The form does not say which button was pressed.
    Unclear(&'static Words),
    UseCase(Error, &'static Words),
}

/// For `map_err`: the failure of a page in this language.
fn failed(language: &str) -> impl FnOnce(Error) -> Failure + use<> {
    let words = words(language);
    move |error| Failure::UseCase(error, words)
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Unclear(words) => html(StatusCode::BAD_REQUEST, frame(words, words.unclear, "")),
            Self::UseCase(Error::Refused(Refusal::UnknownSubject), words) => gone(words),
            Self::UseCase(Error::Refused(refusal), words) => {
                failure::log_unexpected(&refusal);
                let page = frame(words, words.busy, "");
                html(StatusCode::INTERNAL_SERVER_ERROR, page)
            }
            Self::UseCase(error, words) => {
                failure::log(error.code(), &domain::error::chain(&error));
                let page = frame(words, words.busy, "");
                html(StatusCode::SERVICE_UNAVAILABLE, page)
            }
        }
    }
}

pub(crate) fn method_not_allowed(_allow: &'static str) -> Response {
    html(
        StatusCode::METHOD_NOT_ALLOWED,
        frame(&ENGLISH, ENGLISH.gone, ""),
    )
}

/// The network or the whole server is over its limit.
pub(crate) fn busy() -> Response {
    html(
        StatusCode::TOO_MANY_REQUESTS,
        frame(&ENGLISH, ENGLISH.busy, ""),
    )
}

/// The answer to a link that opens nothing.
fn gone(words: &Words) -> Response {
    let more = format!("<p>{}</p>", words.gone_more);
    html(StatusCode::NOT_FOUND, frame(words, words.gone, &more))
}

/// Terms and what they are, each value escaped.
fn facts(pairs: &[(&str, String)]) -> String {
    let rows = pairs
        .iter()
        .map(|(term, value)| format!("<dt>{term}</dt><dd>{value}</dd>"));
    format!("<dl>{}</dl>", rows.collect::<String>())
}

/// A form with a button for each decision: its value, its label, and whether it is the main one.
fn buttons(choices: &[(&str, &str, &str)]) -> String {
    let buttons = choices.iter().map(|(value, label, class)| {
        format!("<button type=\"submit\" name=\"decision\" value=\"{value}\" class=\"{class}\">{label}</button>")
    });
    format!(
        "<form method=\"post\">{}</form>",
        buttons.collect::<String>()
    )
}

/// A moment as people read it, with the exact form for machines.
fn moment(at: Timestamp) -> String {
    let exact = at.rfc3339_seconds();
    let shown = exact.replace('T', " ").replace('Z', " UTC");
    format!(
        "<time datetime=\"{}\">{}</time>",
        escape(&exact),
        escape(&shown)
    )
}

fn frame(words: &Words, heading: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"{tag}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{heading}</title>\
         <style>{STYLE}</style></head><body><main><h1>{heading}</h1>{body}</main></body></html>",
        tag = words.tag,
        heading = escape(heading),
    )
}

const STYLE: &str = "body{margin:0;font:18px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#f4f4f1}\
main{max-width:34rem;margin:2rem auto;padding:1.5rem;background:#fff;border:1px solid #c9c9c4;border-radius:.5rem}\
h1{font-size:1.4rem;line-height:1.3;margin:0 0 1rem}h2{font-size:1.1rem;margin:1.5rem 0 .5rem}\
dt{font-weight:600}dd{margin:0 0 .75rem;overflow-wrap:anywhere}code{font:1em ui-monospace,monospace}\
form{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.5rem}\
button{font:inherit;font-weight:600;padding:.75rem 1.25rem;border:2px solid #1d4f91;border-radius:.4rem;background:#fff;color:#1d4f91;cursor:pointer}\
button.main{background:#1d4f91;color:#fff}\
button:focus-visible{outline:3px solid #1a1a1a;outline-offset:3px}\
@media (max-width:36rem){main{margin:0;border:0;border-radius:0}button{width:100%}}\
@media (prefers-color-scheme:dark){body{color:#eee;background:#141414}main{background:#1f1f1f;border-color:#444}\
button{background:#1f1f1f;color:#a8c7ff;border-color:#a8c7ff}button.main{background:#a8c7ff;color:#10243f}button:focus-visible{outline-color:#fff}}";
