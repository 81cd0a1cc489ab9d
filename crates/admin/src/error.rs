//! Refusals and failures in the admin API's words.

use admin_wire::{ErrorBody, Problem};
use axum::response::Response;
use domain::{Error, Refusal, Timestamp};
use http::{HeaderValue, StatusCode, header};

pub(crate) fn answer(error: &Error, now: Timestamp) -> Response {
    match error {
        Error::Refused(refusal) => refused(refusal, now),
        Error::Busy { seconds } => retry(
            problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "The server is busy, try again.",
            ),
            *seconds,
        ),
        Error::Unavailable(_) => {
            tracing::error!(
                code = error.code(),
                error = domain::error::chain(error),
                "an admin call failed"
            );
            retry(
                problem(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "The database is away, try again.",
                ),
                1,
            )
        }
        Error::Bug(_) => {
            tracing::error!(
                code = error.code(),
                error = domain::error::chain(error),
                "an admin call failed"
            );
            problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Something went wrong; the log has details.",
            )
        }
    }
}

fn refused(refusal: &Refusal, now: Timestamp) -> Response {
    match refusal {
        Refusal::UnknownSubject => {
            problem(StatusCode::NOT_FOUND, "unknown", "There is no such object.")
        }
        Refusal::BadProof { .. } => {
            problem(StatusCode::FORBIDDEN, "bad_proof", "The proof is wrong.")
        }
        Refusal::Exhausted { until }
        | Refusal::Limited { until }
        | Refusal::TimeLocked { until } => {
            let text = format!("Not before {}.", until.rfc3339());
            retry(
                problem(StatusCode::TOO_MANY_REQUESTS, "limited", &text),
                until.retry_after(now),
            )
        }
        Refusal::Expired => problem(StatusCode::GONE, "expired", "Its time is over."),
        Refusal::Replayed => problem(StatusCode::CONFLICT, "replayed", "It was used before."),
        Refusal::Blocked => problem(StatusCode::FORBIDDEN, "blocked", "It is blocked."),
        Refusal::Conflict => problem(StatusCode::CONFLICT, "conflict", "It exists already."),
        Refusal::WrongState => problem(StatusCode::CONFLICT, "wrong_state", "Not in this state."),
        Refusal::Forbidden { need } => problem(
            StatusCode::FORBIDDEN,
            "forbidden",
            &format!("This needs the right {need}."),
        ),
        Refusal::TooLarge { limit } => problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            &format!("The limit is {limit}."),
        ),
        Refusal::Invalid { field, why } => invalid(&format!("{field}: {why}")),
        Refusal::Unmet(condition) => problem(
            StatusCode::CONFLICT,
            "unmet",
            &format!("A condition does not hold: {condition:?}."),
        ),
        Refusal::StepUp(_) => problem(
            StatusCode::CONFLICT,
            "step_up",
            "This needs its owner in person.",
        ),
    }
}

pub(crate) fn invalid(text: &str) -> Response {
    problem(StatusCode::BAD_REQUEST, "invalid", text)
}

pub(crate) fn too_large() -> Response {
    problem(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        "The body is too large.",
    )
}

pub(crate) fn unauthorized() -> Response {
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

fn retry(mut response: Response, seconds: u64) -> Response {
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
