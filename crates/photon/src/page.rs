//! The owner's page: sees a running reset, and stops it with one button. No login, no script.
//!
//! The GET changes nothing, because mail scanners open links; only the button's POST acts.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::guarded_key::recovery::RunningRecovery;
use domain::{Error, Refusal};
use http::StatusCode;
use web::failure;
use web::page::{escape, html};

use crate::call::{Calling, Path};
use crate::wire::PagePath;
use crate::{Keys, SURFACE};

/// The words of the page in one language.
struct Words {
    tag: &'static str,
    title: &'static str,
    running: &'static str,
    started: &'static str,
    effect: &'static str,
    advice: &'static str,
    button: &'static str,
    stopped: &'static str,
    stopped_more: &'static str,
    gone: &'static str,
    gone_more: &'static str,
}

const ENGLISH: Words = Words {
    tag: "en",
    title: "PIN reset of your backup",
    running: "Somebody asked to replace the PIN of your backup.",
    started: "Asked for on",
    effect: "Takes effect on or after",
    advice: "If this was you, you need not do anything here. If it was not you, stop it now.",
    button: "Stop the reset",
    stopped: "The reset is stopped.",
    stopped_more: "Your PIN is unchanged. A new reset needs a new code, and you would hear of it again.",
    gone: "There is nothing to stop.",
    gone_more: "This reset is over or was stopped already, or the link is not complete.",
};

const GERMAN: Words = Words {
    tag: "de",
    title: "Zurücksetzen der PIN Ihrer Sicherung",
    running: "Jemand möchte die PIN Ihrer Sicherung ersetzen.",
    started: "Verlangt am",
    effect: "Wirksam frühestens am",
    advice: "Waren Sie es selbst, müssen Sie hier nichts tun. Waren Sie es nicht, halten Sie es jetzt auf.",
    button: "Zurücksetzen aufhalten",
    stopped: "Das Zurücksetzen ist aufgehalten.",
    stopped_more: "Ihre PIN ist unverändert. Ein neuer Versuch braucht einen neuen Code, und Sie erfahren wieder davon.",
    gone: "Es gibt nichts aufzuhalten.",
    gone_more: "Dieser Vorgang ist vorbei oder wurde schon aufgehalten, oder der Link ist unvollständig.",
};

/// A page that cannot show what was asked for.
pub(crate) struct Failure {
    error: Error,
    words: &'static Words,
}

/// Shows the running reset behind a link.
#[utoipa::path(get, operation_id = "showRecovery", path = "/recovery/{token}", params(PagePath), responses(
    (status = 200, content_type = "text/html"), (status = 404, content_type = "text/html")))]
pub(crate) async fn show(
    State(keys): State<Keys>,
    Calling(caller): Calling,
    Path(PagePath { token }): Path<PagePath>,
) -> Result<Response, Failure> {
    let running = keys.running_recovery(token).await;
    let running = running.map_err(failed(words(&caller.language)))?;
    Ok(html(StatusCode::OK, question(&running)))
}

/// Stops it.
#[utoipa::path(post, operation_id = "cancelRecovery", path = "/recovery/{token}", params(PagePath), responses(
    (status = 200, content_type = "text/html"), (status = 404, content_type = "text/html")))]
pub(crate) async fn cancel(
    State(keys): State<Keys>,
    Calling(caller): Calling,
    Path(PagePath { token }): Path<PagePath>,
) -> Result<Response, Failure> {
    let stopped = keys.cancel_recovery(SURFACE, token).await;
    let stopped = stopped.map_err(failed(words(&caller.language)))?;
    let words = words(&stopped.language);
    let more = format!("<p>{}</p>", words.stopped_more);
    Ok(html(StatusCode::OK, page(words, words.stopped, &more)))
}

pub(crate) fn method_not_allowed(_allow: &'static str) -> Response {
    html(
        StatusCode::METHOD_NOT_ALLOWED,
        page(&ENGLISH, "This page cannot do that.", ""),
    )
}

fn failed(words: &'static Words) -> impl FnOnce(Error) -> Failure {
    move |error| Failure { error, words }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self { error, words } = self;
        let status = match &error {
            Error::Refused(Refusal::UnknownSubject) => {
                let more = format!("<p>{}</p>", words.gone_more);
                return html(StatusCode::NOT_FOUND, page(words, words.gone, &more));
            }
            Error::Refused(refusal) => {
                failure::log_unexpected(refusal);
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Error::Busy { .. } | Error::Unavailable(_) | Error::Bug(_) => {
                failure::log(error.code(), &domain::error::chain(&error));
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        html(status, page(words, "Please try again in a moment.", ""))
    }
}

fn words(language: &str) -> &'static Words {
    if language == GERMAN.tag {
        &GERMAN
    } else {
        &ENGLISH
    }
}

fn question(running: &RunningRecovery) -> String {
    let words = words(&running.language);
    let body = format!(
        "<dl><dt>{}</dt><dd>{}</dd><dt>{}</dt><dd>{}</dd></dl><p>{}</p>\
         <form method=\"post\"><button type=\"submit\" name=\"decision\" value=\"stop\">{}</button></form>",
        words.started,
        readable(&running.armed.rfc3339_seconds()),
        words.effect,
        readable(&running.opens.rfc3339_seconds()),
        words.advice,
        words.button,
    );
    page(words, words.running, &body)
}

/// `2020-12-16T13:56:45Z` as people read it, with the exact form for machines.
fn readable(at: &str) -> String {
    let shown = escape(&at.replace('T', " ").replace('Z', " UTC"));
    format!("<time datetime=\"{}\">{shown}</time>", escape(at))
}

fn page(words: &Words, heading: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"{tag}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title><style>{STYLE}</style>\
         </head><body><main><h1>{heading}</h1>{body}</main></body></html>",
        tag = words.tag,
        title = words.title,
        heading = escape(heading),
    )
}

const STYLE: &str = "body{margin:0;font:18px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#f4f4f1}\
main{max-width:34rem;margin:2rem auto;padding:1.5rem;background:#fff;border:1px solid #c9c9c4;border-radius:.5rem}\
h1{font-size:1.4rem;line-height:1.3;margin:0 0 1rem}dt{font-weight:600}dd{margin:0 0 .75rem}\
button{font:inherit;font-weight:600;padding:.75rem 1.25rem;border:0;border-radius:.4rem;background:#a11;color:#fff;cursor:pointer}\
button:focus-visible{outline:3px solid #1a1a1a;outline-offset:3px}\
@media (max-width:36rem){main{margin:0;border:0;border-radius:0}button{width:100%}}";
