//! Refusals and failures in this wire's words (§3.1).

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use domain::guarded_key::GuardedKeys;
use domain::{Error, Refusal, Timestamp};
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use web::body::BodyError;
use web::failure;

use crate::wire::Message;

/// What a handler gives.
pub(crate) type Reply = Result<Response, Failure>;

/// A call that gave no success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A part of the request does not have the shape that its endpoint needs. Nothing was judged or counted.
    Malformed,
    TooLarge,
    TooSlow,
    /// A use case gave no success.
    UseCase {
        error: Error,
        /// What the client is told if the fault is the server's.
        fault: &'static str,
        now: Timestamp,
    },
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::TooLarge,
            BodyError::TooSlow => Self::TooSlow,
            BodyError::Broken => Self::Malformed,
        }
    }
}

/// For `map_err`: turns the error of a use case into a failure. `fault` is the text of the endpoint's server faults.
pub(crate) fn of(keys: &GuardedKeys, fault: &'static str) -> impl FnOnce(Error) -> Failure {
    move |error| Failure::UseCase {
        error,
        fault,
        now: keys.now(),
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Malformed => invalid_request(),
            Self::TooLarge => message(StatusCode::PAYLOAD_TOO_LARGE, "Request too large"),
            Self::TooSlow => message(StatusCode::REQUEST_TIMEOUT, "Request too slow"),
            Self::UseCase { error, fault, now } => answer(&error, fault, now),
        }
    }
}

fn answer(error: &Error, fault: &str, now: Timestamp) -> Response {
    match error {
        Error::Refused(refusal) => refused(refusal, fault, now),
        Error::Busy { seconds } => {
            let busy = message(StatusCode::SERVICE_UNAVAILABLE, "Busy");
            failure::retry_after(busy, *seconds)
        }
        Error::Unavailable(_) => {
            failure::log(error.code(), &domain::error::chain(error));
            failure::retry_after(message(StatusCode::SERVICE_UNAVAILABLE, fault), 1)
        }
        Error::Bug(_) => {
            failure::log(error.code(), &domain::error::chain(error));
            message(StatusCode::INTERNAL_SERVER_ERROR, fault)
        }
    }
}

fn refused(refusal: &Refusal, fault: &str, now: Timestamp) -> Response {
    match refusal {
        // A client must not learn which of these it was.
        Refusal::UnknownSubject
        | Refusal::BadProof { .. }
        | Refusal::Expired
        | Refusal::WrongState => message(StatusCode::NOT_FOUND, "Invalid params"),
        Refusal::Exhausted { until } | Refusal::Limited { until } => delayed(
            StatusCode::TOO_MANY_REQUESTS,
            "Rate limit until",
            *until,
            now,
        ),
        Refusal::TimeLocked { until } => {
            delayed(StatusCode::LOCKED, "Time locked until", *until, now)
        }
        Refusal::Conflict => message(StatusCode::CONFLICT, "User id already exists"),
        // A key has at most 20 users.
        Refusal::TooLarge { .. } => invalid_request(),
        Refusal::Invalid {
            field: "new_pin", ..
        } => not_modified(),
        Refusal::Replayed
        | Refusal::Blocked
        | Refusal::Forbidden { .. }
        | Refusal::Invalid { .. }
        | Refusal::Unmet(_)
        | Refusal::StepUp(_) => {
            failure::log_unexpected(refusal);
            message(StatusCode::INTERNAL_SERVER_ERROR, fault)
        }
    }
}

/// §7.4: an opened lock and no usable new PIN. No body and no content headers.
fn not_modified() -> Response {
    // The router announces the length of any body that knows it, also 0, and here that would be a false statement
    // about the representation; so this empty body does not know.
    let body = Empty::<Bytes>::new().map_frame(|frame| frame);
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(crate) fn success() -> Response {
    message(StatusCode::OK, "Success")
}

pub(crate) fn created() -> Response {
    message(StatusCode::CREATED, "Success")
}

fn invalid_request() -> Response {
    message(StatusCode::BAD_REQUEST, "Invalid request")
}

pub(crate) fn method_not_allowed(_allow: &'static str) -> Response {
    message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
}

/// The answer to a path that does not exist.
pub fn not_found() -> Response {
    message(StatusCode::NOT_FOUND, "Not found")
}

/// The answer when a handler takes too long.
pub fn late() -> Response {
    failure::retry_after(message(StatusCode::SERVICE_UNAVAILABLE, "Busy"), 1)
}

/// The answer when a handler panicked.
pub fn panicked() -> Response {
    message(StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
}

fn message(status: StatusCode, text: &str) -> Response {
    web::json::reply(status, &Message::new(text))
}

fn delayed(status: StatusCode, text: &str, until: Timestamp, now: Timestamp) -> Response {
    let body = Message {
        message: text.to_owned(),
        delay: Some(until.rfc3339()),
    };
    failure::retry_after(web::json::reply(status, &body), until.retry_after(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The total mapping, so that a change of one arm is seen in a review.
    #[tokio::test]
    async fn every_error_has_its_answer() {
        let now = testkit::refusals::now();
        let table = testkit::refusals::table(|error| answer(error, "Error reading key", now)).await;
        testkit::golden::hold(env!("CARGO_MANIFEST_DIR"), "refusals.txt", &table);
    }
}
