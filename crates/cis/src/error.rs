//! Refusals and failures in this wire's words (§2.3, §2.4).

use axum::body::Body;
use axum::response::Response;
use domain::{Error, Refusal, Timestamp};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::wire::{ErrorList, ErrorText};

/// What a 404 says was not found.
#[derive(Clone, Copy)]
pub(crate) struct Missing(pub(crate) &'static str);

pub(crate) const USER: Missing = Missing("User not found");
pub(crate) const APPLICATION: Missing = Missing("Application not found");
pub(crate) const CLIENT: Missing = Missing("Client not found");
pub(crate) const ROLE: Missing = Missing("Role not found");
pub(crate) const USER_OR_APPLICATION: Missing = Missing("User or application not found");

/// The answer to a use case that gave no success.
pub(crate) fn answer(error: &Error, missing: Missing, now: Timestamp) -> Response {
    match error {
        Error::Refused(refusal) => refused(refusal, missing, now),
        Error::Busy { seconds } => retry(
            text(StatusCode::SERVICE_UNAVAILABLE, "Busy, try again"),
            *seconds,
        ),
        Error::Unavailable(_) => {
            log(error);
            retry(
                text(StatusCode::SERVICE_UNAVAILABLE, "Temporarily unavailable"),
                1,
            )
        }
        Error::Bug(_) => {
            log(error);
            panicked()
        }
    }
}

fn refused(refusal: &Refusal, missing: Missing, now: Timestamp) -> Response {
    match refusal {
        Refusal::UnknownSubject => text(StatusCode::NOT_FOUND, missing.0),
        // The user is there, and has no key of that name.
        Refusal::WrongState => text(StatusCode::NOT_FOUND, "Device key not found"),
        Refusal::BadProof { .. } | Refusal::Expired => unauthorized(Offered::Token),
        Refusal::Forbidden { .. } | Refusal::Blocked | Refusal::Unmet(_) | Refusal::StepUp(_) => {
            text(StatusCode::FORBIDDEN, "Insufficient permissions")
        }
        Refusal::Exhausted { until }
        | Refusal::Limited { until }
        | Refusal::TimeLocked { until } => retry(
            text(StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
            until.retry_after(now),
        ),
        Refusal::Conflict | Refusal::Replayed => text(StatusCode::CONFLICT, "Already exists"),
        Refusal::TooLarge { .. } => too_large(),
        Refusal::Invalid { field, why } => invalid(vec![format!("{field} {why}")]),
    }
}

/// Whether a request came with something that was meant as a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offered {
    Nothing,
    Token,
}

/// §2.4, 3
pub(crate) fn unauthorized(offered: Offered) -> Response {
    let mut response = text(StatusCode::UNAUTHORIZED, "Invalid token");
    let challenge = match offered {
        Offered::Nothing => "Bearer realm=\"cis\"",
        Offered::Token => "Bearer realm=\"cis\", error=\"invalid_token\"",
    };
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(challenge),
    );
    response
}

/// What stands in `Authorization` when it is no usable token.
pub(crate) fn offered(headers: &HeaderMap) -> Offered {
    let value = headers
        .get(header::AUTHORIZATION)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    let bearer = value
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"bearer "));
    if bearer {
        Offered::Token
    } else {
        Offered::Nothing
    }
}

/// §2.3: a list for 400, a text for every other status.
pub(crate) fn invalid(messages: Vec<String>) -> Response {
    let status = StatusCode::BAD_REQUEST;
    json(
        status,
        &ErrorList {
            message: messages,
            error_code: status.as_u16(),
        },
    )
}

pub(crate) fn too_large() -> Response {
    text(StatusCode::PAYLOAD_TOO_LARGE, "Request entity too large")
}

pub(crate) fn too_slow() -> Response {
    text(StatusCode::REQUEST_TIMEOUT, "Request timeout")
}

pub(crate) fn unsupported_media() -> Response {
    text(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "Content-Type must be application/json",
    )
}

pub(crate) fn method_not_allowed(_allow: &'static str) -> Response {
    text(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
}

/// The answer to a path that does not exist.
pub fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "Not found")
}

/// The answer when a handler takes too long.
pub fn late() -> Response {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "Service busy");
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// The answer when a handler panicked: a bug, told in this wire's shape.
pub fn panicked() -> Response {
    text(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Something went wrong - Internal server error",
    )
}

/// §2.5
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = web::json::reply(status, body);
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// §2.5: a success without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}

fn text(status: StatusCode, message: &str) -> Response {
    json(
        status,
        &ErrorText {
            message: message.to_owned(),
            error_code: status.as_u16(),
        },
    )
}

pub(crate) fn retry(mut response: Response, seconds: u64) -> Response {
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

pub(crate) fn log(error: &Error) {
    tracing::error!(
        code = error.code(),
        error = domain::error::chain(error),
        "a call failed"
    );
}
