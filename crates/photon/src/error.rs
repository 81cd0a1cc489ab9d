//! Refusals and failures in this wire's words (§3.1).

use axum::body::{Body, Bytes};
use axum::response::Response;
use domain::{Error, Refusal, Timestamp};
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Empty};

use crate::wire::Message;

/// The text of a server fault at an endpoint.
#[derive(Clone, Copy)]
pub(crate) struct Fault(pub(crate) &'static str);

/// The answer to a use case that gave no success.
pub(crate) fn answer(error: &Error, fault: Fault, now: Timestamp) -> Response {
    match error {
        Error::Refused(refusal) => refused(refusal, now),
        Error::Busy { seconds } => {
            retry(message(StatusCode::SERVICE_UNAVAILABLE, "Busy"), *seconds)
        }
        Error::Unavailable(_) => {
            log(error);
            retry(message(StatusCode::SERVICE_UNAVAILABLE, fault.0), 1)
        }
        Error::Bug(_) => {
            log(error);
            message(StatusCode::INTERNAL_SERVER_ERROR, fault.0)
        }
    }
}

fn refused(refusal: &Refusal, now: Timestamp) -> Response {
    match refusal {
        Refusal::UnknownSubject
        | Refusal::BadProof { .. }
        | Refusal::Expired
        | Refusal::Replayed
        | Refusal::Blocked
        | Refusal::WrongState
        | Refusal::Forbidden { .. }
        | Refusal::Unmet(_)
        | Refusal::StepUp(_) => message(StatusCode::NOT_FOUND, "Invalid params"),
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
        Refusal::TooLarge { .. } | Refusal::Invalid { .. } => invalid_request(),
    }
}

/// §7.4: an opened lock and no usable new PIN. No body and no content headers.
pub(crate) fn not_modified() -> Response {
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

pub(crate) fn invalid_request() -> Response {
    message(StatusCode::BAD_REQUEST, "Invalid request")
}

pub(crate) fn too_large() -> Response {
    message(StatusCode::PAYLOAD_TOO_LARGE, "Request too large")
}

pub(crate) fn too_slow() -> Response {
    message(StatusCode::REQUEST_TIMEOUT, "Request too slow")
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
    retry(message(StatusCode::SERVICE_UNAVAILABLE, "Busy"), 1)
}

/// The answer when a handler panicked: a bug, told in this wire's shape.
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
    retry(web::json::reply(status, &body), until.retry_after(now))
}

fn retry(mut response: Response, seconds: u64) -> Response {
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn log(error: &Error) {
    tracing::error!(
        code = error.code(),
        error = domain::error::chain(error),
        "a call failed"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The total mapping, so that a change of one arm is seen in a review.
    #[tokio::test]
    async fn every_error_has_its_answer() {
        let fault = Fault("Error reading key");
        let now = testkit::refusals::now();
        let table = testkit::refusals::table(|error| answer(error, fault, now)).await;
        testkit::golden::hold(env!("CARGO_MANIFEST_DIR"), "refusals.txt", &table);
    }
}
