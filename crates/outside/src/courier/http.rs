//! What the providers over HTTP share: a client with deadlines, and what a status means for a letter.

use std::path::Path;
use std::time::Duration;

use domain::error::chain;
use domain::port::courier::Delivery;
use reqwest::{Certificate, Client, Response, Url, redirect};

use super::Plain;

/// As much of an answer as anybody looks at.
const LONGEST_ANSWER: usize = 16 * 1024;

/// A client that follows no redirect: a letter goes to the configured place or nowhere.
pub(super) fn client(timeout: Duration, ca_file: Option<&Path>) -> Result<Client, String> {
    let mut builder = Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout)
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = ca_file {
        let failed = |why: String| format!("the CA file {} {why}", path.display());
        let pem =
            std::fs::read(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .ok()
            .filter(|list| !list.is_empty())
            .ok_or_else(|| failed("holds no PEM certificate".to_owned()))?;
        builder = builder.tls_certs_only(certificates);
    }
    builder
        .build()
        .map_err(|error| format!("no HTTP client: {}", reason(error)))
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

/// Transport failures in words, without the address asked for: it may have a secret in it.
pub(super) fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    chain(&error.without_url())
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
