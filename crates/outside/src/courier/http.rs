//! What the providers over HTTP share: a client with deadlines, and what a status means for a letter.

use std::path::Path;
use std::time::Duration;

use domain::port::courier::Delivery;
use reqwest::{Client, Response, Url};

use super::Plain;
pub(super) use crate::http::reason;

/// As much of an answer as anybody looks at.
const LONGEST_ANSWER: usize = 16 * 1024;

/// A client for letters: one deadline for everything.
pub(super) fn client(timeout: Duration, ca_file: Option<&Path>) -> Result<Client, String> {
    crate::http::client(timeout, timeout, ca_file)
}

/// Checks a configured address: HTTPS, or plain HTTP where that is allowed.
pub(super) fn url(text: &str, plain: Plain) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("\"{text}\" is not a URL: {error}"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    match url.scheme() {
        "https" => Ok(url),
        "http" if plain.allows(host) => Ok(url),
        "http" => Err(format!(
            "{text} would carry codes in plain text: use https, or allow plain HTTP"
        )),
        _ => Err(format!("{text} is neither https nor http")),
    }
}

/// What an answer means for the letter. 401 is about our own credentials and 408 about time: another try,
/// after an operator acted, can still carry the letter. Other 4xx are about the letter.
pub(super) fn judge(status: u16, detail: Option<String>) -> Delivery {
    let detail = detail
        .map(|detail| format!(" ({detail})"))
        .unwrap_or_default();
    let why = format!("answered {status}{detail}");
    match status {
        200..=299 => Delivery::Accepted,
        401 | 408 | 429 => Delivery::Later(why),
        400..=499 => Delivery::Refused(why),
        _ => Delivery::Later(why),
    }
}

/// The beginning of an answer's body. Reading a short one to its end lets the connection be used again.
pub(super) async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = LONGEST_ANSWER - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == LONGEST_ANSWER {
            break;
        }
    }
    body
}
