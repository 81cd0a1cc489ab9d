//! The owner's page: sees a running reset, and stops it with one button. No login, no script.
//!
//! The GET changes nothing, because mail scanners open links; only the button's POST acts.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::recovery::RunningRecovery;
use domain::{Error, Keeper, Refusal};
use http::StatusCode;
use web::page::{escape, html};

use crate::SURFACE;
use crate::call::Call;

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

/// Shows the running reset behind a link.
pub(crate) async fn show(State(keeper): State<Arc<Keeper>>, call: Call) -> Response {
    let words = words(&call.caller.language);
    match keeper.running_recovery(token(&call)).await {
        Ok(running) => html(StatusCode::OK, question(&running)),
        Err(error) => failed(&error, words),
    }
}

/// Stops it.
pub(crate) async fn cancel(State(keeper): State<Arc<Keeper>>, call: Call) -> Response {
    let fallback = words(&call.caller.language);
    match keeper.cancel_recovery(SURFACE, token(&call)).await {
        Ok(stopped) => {
            let words = words(&stopped.language);
            html(
                StatusCode::OK,
                page(
                    words,
                    words.stopped,
                    &format!("<p>{}</p>", words.stopped_more),
                ),
            )
        }
        Err(error) => failed(&error, fallback),
    }
}

pub(crate) fn method_not_allowed(_allow: &'static str) -> Response {
    html(
        StatusCode::METHOD_NOT_ALLOWED,
        page(&ENGLISH, "This page cannot do that.", ""),
    )
}

fn failed(error: &Error, words: &Words) -> Response {
    let more = format!("<p>{}</p>", words.gone_more);
    if let Error::Refused(Refusal::UnknownSubject) = error {
        return html(StatusCode::NOT_FOUND, page(words, words.gone, &more));
    }
    tracing::error!(
        code = error.code(),
        error = domain::error::chain(error),
        "an owner's page failed"
    );
    html(
        StatusCode::SERVICE_UNAVAILABLE,
        page(words, "Please try again in a moment.", ""),
    )
}

fn token(call: &Call) -> String {
    call.segment(1)
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
