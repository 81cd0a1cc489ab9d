//! The common part of providers over HTTP: a client with deadlines, and the meaning of a status for a message.

use std::path::Path;
use std::time::Duration;

use domain::port::courier::Delivery;
use reqwest::{Client, Response, Url};

use super::Plain;
pub(super) use crate::http::reason;

/// Maximum number of bytes of an answer that are read.
const LONGEST_ANSWER: usize = 16 * 1024;

/// Creates a client for messages, with one deadline for a whole request.
pub(super) fn client(timeout: Duration, ca_file: Option<&Path>) -> Result<Client, String> {
    crate::http::client(timeout, timeout, ca_file)
}

/// Checks a configured address: HTTPS, or plain HTTP where that is allowed.
pub(super) fn url(text: &str, plain: Plain) -> Result<Url, String> {
    let why = "would send codes unencrypted: use https, or set allow_plain";
    crate::http::url_or(text, plain, why)
}

/// The meaning of a status for the message. 401 concerns our own credentials and 408 concerns time, so another try
/// can succeed later. Other 4xx concern the message.
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

/// Reads the beginning of an answer's body. If a short body is read to its end, the connection can be used again.
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
