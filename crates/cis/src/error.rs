//! Refusals and failures in this wire's words (§2.3, §2.4).

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use domain::{Error, Refusal, Timestamp};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use web::body::BodyError;
use web::failure;

use crate::Tenants;
use crate::wire::{ErrorList, ErrorText};

/// What a handler gives.
pub(crate) type Reply = Result<Response, Failure>;

/// A call that gave no success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// §2.4, 3: no token, or one that is worth nothing.
    Unauthorized(Offered),
    /// Everything that is wrong with the request.
    Invalid(Vec<String>),
    TooLarge,
    TooSlow,
    MediaType,
    /// The path names something by an id of another form, which nothing can have.
    Unknown(Missing),
    /// A use case gave no success.
    UseCase {
        error: Error,
        missing: Missing,
        now: Timestamp,
    },
}

impl Failure {
    /// The request has one problem.
    pub(crate) fn malformed(problem: &str) -> Self {
        Self::Invalid(vec![problem.to_owned()])
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::TooLarge,
            BodyError::TooSlow => Self::TooSlow,
            BodyError::Broken => Self::malformed("body could not be read"),
        }
    }
}

/// What a 404 says was not found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missing(pub(crate) &'static str);

pub(crate) const USER: Missing = Missing("User not found");
pub(crate) const APPLICATION: Missing = Missing("Application not found");
pub(crate) const CLIENT: Missing = Missing("Client not found");
pub(crate) const ROLE: Missing = Missing("Role not found");
pub(crate) const USER_OR_APPLICATION: Missing = Missing("User or application not found");

/// For `map_err`: turns the error of a use case into a failure. `missing` is what a 404 says was not found.
pub(crate) fn of(tenants: &Tenants, missing: Missing) -> impl FnOnce(Error) -> Failure {
    move |error| Failure::UseCase {
        error,
        missing,
        now: tenants.now(),
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Unauthorized(offered) => unauthorized(offered),
            Self::Invalid(problems) => invalid(problems),
            Self::TooLarge => text(StatusCode::PAYLOAD_TOO_LARGE, "Request entity too large"),
            Self::TooSlow => text(StatusCode::REQUEST_TIMEOUT, "Request timeout"),
            Self::MediaType => text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Content-Type must be application/json",
            ),
            Self::Unknown(missing) => text(StatusCode::NOT_FOUND, missing.0),
            Self::UseCase {
                error,
                missing,
                now,
            } => answer(&error, missing, now),
        }
    }
}

fn answer(error: &Error, missing: Missing, now: Timestamp) -> Response {
    match error {
        Error::Refused(refusal) => refused(refusal, missing, now),
        Error::Busy { seconds } => failure::retry_after(
            text(StatusCode::SERVICE_UNAVAILABLE, "Busy, try again"),
            *seconds,
        ),
        Error::Unavailable(_) => {
            failure::log(error.code(), &domain::error::chain(error));
            failure::retry_after(
                text(StatusCode::SERVICE_UNAVAILABLE, "Temporarily unavailable"),
                1,
            )
        }
        Error::Bug(_) => {
            failure::log(error.code(), &domain::error::chain(error));
            panicked()
        }
    }
}

fn refused(refusal: &Refusal, missing: Missing, now: Timestamp) -> Response {
    match refusal {
        Refusal::UnknownSubject => text(StatusCode::NOT_FOUND, missing.0),
        // The user is there, and has no key of that name.
        Refusal::WrongState => text(StatusCode::NOT_FOUND, "Device key not found"),
        Refusal::BadProof { .. } => unauthorized(Offered::Token),
        Refusal::Forbidden { .. } => text(StatusCode::FORBIDDEN, "Insufficient permissions"),
        Refusal::Limited { until } => failure::retry_after(
            text(StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
            until.retry_after(now),
        ),
        Refusal::Conflict => text(StatusCode::CONFLICT, "Already exists"),
        Refusal::Invalid { field, why } => invalid(vec![format!("{field} {why}")]),
        Refusal::Exhausted { .. }
        | Refusal::TimeLocked { .. }
        | Refusal::Expired
        | Refusal::Replayed
        | Refusal::Blocked
        | Refusal::TooLarge { .. }
        | Refusal::Unmet(_)
        | Refusal::StepUp(_) => {
            failure::log_unexpected(refusal);
            panicked()
        }
    }
}

/// Whether a request came with something that was meant as a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    Nothing,
    Token,
}

/// §2.4, 3
fn unauthorized(offered: Offered) -> Response {
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
fn invalid(messages: Vec<String>) -> Response {
    let status = StatusCode::BAD_REQUEST;
    json(
        status,
        &ErrorList {
            message: messages,
            error_code: status.as_u16(),
        },
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
    failure::retry_after(text(StatusCode::SERVICE_UNAVAILABLE, "Service busy"), 1)
}

/// The answer when a handler panicked.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The total mapping, so that a change of one arm is seen in a review.
    #[tokio::test]
    async fn every_error_has_its_answer() {
        let now = testkit::refusals::now();
        let table = testkit::refusals::table(|error| answer(error, USER, now)).await;
        testkit::golden::hold(env!("CARGO_MANIFEST_DIR"), "refusals.txt", &table);
    }
}
