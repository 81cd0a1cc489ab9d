//! Refusals and failures in the admin API's words.

use admin_wire::{ErrorBody, Problem};
use axum::response::{IntoResponse, Response};
use domain::{Error, Refusal};
use http::{HeaderValue, StatusCode, header};
use web::failure;

/// What a handler gives.
pub(crate) type Reply = Result<Response, Failure>;

/// A call that gave no success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No token of an operator.
    Unauthorized,
    /// What is wrong with the request.
    Invalid(String),
    TooLarge,
    /// The path names something by an id of another form, which nothing can have.
    Unknown,
    /// A use case gave no success.
    UseCase(Error),
}

impl Failure {
    pub(crate) fn invalid(text: &str) -> Self {
        Self::Invalid(text.to_owned())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::UseCase(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Unauthorized => unauthorized(),
            Self::Invalid(text) => invalid(&text),
            Self::TooLarge => problem(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "The body is too large.",
            ),
            Self::Unknown => unknown(),
            Self::UseCase(error) => answer(&error),
        }
    }
}

fn answer(error: &Error) -> Response {
    match error {
        Error::Refused(refusal) => refused(refusal),
        Error::Busy { seconds } => failure::retry_after(
            problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "The server is busy, try again.",
            ),
            *seconds,
        ),
        Error::Unavailable(_) => {
            failure::log(error.code(), &domain::error::chain(error));
            failure::retry_after(
                problem(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "The database is away, try again.",
                ),
                1,
            )
        }
        Error::Bug(_) => {
            failure::log(error.code(), &domain::error::chain(error));
            panicked()
        }
    }
}

fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::UnknownSubject => unknown(),
        Refusal::Conflict => problem(StatusCode::CONFLICT, "conflict", "It exists already."),
        Refusal::Forbidden { need } => problem(
            StatusCode::FORBIDDEN,
            "forbidden",
            &format!("This needs the right {need}."),
        ),
        Refusal::Invalid { field, why } => invalid(&format!("{field}: {why}")),
        Refusal::BadProof { .. }
        | Refusal::Exhausted { .. }
        | Refusal::Limited { .. }
        | Refusal::TimeLocked { .. }
        | Refusal::Expired
        | Refusal::Replayed
        | Refusal::Blocked
        | Refusal::WrongState
        | Refusal::TooLarge { .. }
        | Refusal::Unmet(_)
        | Refusal::StepUp(_) => {
            failure::log_unexpected(refusal);
            panicked()
        }
    }
}

fn unknown() -> Response {
    problem(StatusCode::NOT_FOUND, "unknown", "There is no such object.")
}

fn invalid(text: &str) -> Response {
    problem(StatusCode::BAD_REQUEST, "invalid", text)
}

fn unauthorized() -> Response {
    let mut response = problem(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "Send the token from the server's data directory.",
    );
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

pub(crate) fn method_not_allowed(_allow: &'static str) -> Response {
    problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "This path has other methods.",
    )
}

/// The answer to a path that does not exist.
pub fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "not_found", "There is no such path.")
}

/// The answer when a handler panicked.
pub fn panicked() -> Response {
    problem(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "Something went wrong; the log has details.",
    )
}

fn problem(status: StatusCode, code: &str, message: &str) -> Response {
    let error = Problem {
        code: code.to_owned(),
        message: message.to_owned(),
    };
    web::json::reply(status, &ErrorBody { error })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The total mapping, so that a change of one arm is seen in a review.
    #[tokio::test]
    async fn every_error_has_its_answer() {
        let table = testkit::refusals::table(answer).await;
        testkit::golden::hold(env!("CARGO_MANIFEST_DIR"), "refusals.txt", &table);
    }
}
