//! What all surfaces do with a call that failed: they log it once, and tell the client when to try again.

use std::fmt::Debug;

use axum::response::Response;
use http::HeaderValue;
use http::header::RETRY_AFTER;

/// Logs that a call failed for a reason that is not the client's. `code` is a stable word for operators to search for,
/// `error` the whole chain of the error in one line.
pub fn log(code: &'static str, error: &str) {
    tracing::error!(code, error, "A call failed.");
}

/// Logs that a use case refused for a reason that this surface cannot have. The front answers with its internal error.
///
/// Only the name of the refusal is logged: its fields may hold what must not be in a log.
pub fn log_unexpected(refusal: &impl Debug) {
    let text = format!("{refusal:?}");
    let end = text.find(|c: char| !c.is_alphanumeric());
    tracing::error!(
        code = "web.refusal",
        refusal = &text[..end.unwrap_or(text.len())],
        "A use case refused for a reason that this surface cannot have."
    );
}

/// Tells the client to try again after `seconds`, in the `Retry-After` header.
pub fn retry_after(mut response: Response, seconds: u64) -> Response {
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}
