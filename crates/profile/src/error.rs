//! Refusals and failures in this wire's words (§2).

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::{Condition, Error, Refusal, Timestamp};
use http::{HeaderValue, StatusCode, header};
use web::body::BodyError;
use web::failure;

use crate::People;
use crate::wire::Problem;

/// What a handler gives.
pub(crate) type Reply = Result<Response, Failure>;

/// A call that gave no success.
#[derive(Debug)]
pub(crate) enum Failure {
    Malformed,
    TooLarge,
    TooSlow,
    MediaType,
    Unauthorized,
    Domain(Error),
    /// A refusal that this route words differently.
    As(StatusCode, &'static str),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Domain(error)
    }
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

/// What is known of an error before the time and the path are.
#[derive(Debug, Clone, Copy)]
struct Sketch {
    status: StatusCode,
    code: &'static str,
    left: Option<u32>,
    until: Option<Until>,
}

#[derive(Debug, Clone, Copy)]
enum Until {
    Moment(Timestamp),
    Seconds(u64),
}

/// Longest wait that is named: a year stands for "until somebody acts".
const LONGEST_WAIT: u64 = 31_536_000;

impl Sketch {
    fn new(status: StatusCode, code: &'static str) -> Self {
        Self {
            status,
            code,
            left: None,
            until: None,
        }
    }

    fn until(status: StatusCode, code: &'static str, until: Timestamp) -> Self {
        Self {
            until: Some(Until::Moment(until)),
            ..Self::new(status, code)
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        sketched(match &self {
            Self::Malformed => Sketch::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR"),
            Self::TooLarge => Sketch::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE"),
            Self::TooSlow => Sketch::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT"),
            Self::MediaType => {
                Sketch::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE")
            }
            Self::Unauthorized => Sketch::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            Self::As(status, code) => Sketch::new(*status, code),
            Self::Domain(error) => failed(error),
        })
    }
}

fn failed(error: &Error) -> Sketch {
    let busy = |seconds| Sketch {
        until: Some(Until::Seconds(seconds)),
        ..Sketch::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE")
    };
    match error {
        Error::Refused(refusal) => refused(refusal),
        Error::Busy { seconds } => busy(*seconds),
        Error::Unavailable(_) => {
            failure::log(error.code(), &domain::error::chain(error));
            busy(1)
        }
        Error::Bug(_) => {
            failure::log(error.code(), &domain::error::chain(error));
            internal()
        }
    }
}

fn internal() -> Sketch {
    Sketch::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR")
}

fn refused(refusal: &Refusal) -> Sketch {
    let bad = |code| Sketch::new(StatusCode::BAD_REQUEST, code);
    match refusal {
        Refusal::UnknownSubject => Sketch::new(StatusCode::NOT_FOUND, "PROCESS_NOT_FOUND"),
        Refusal::BadProof { left: Some(left) } => Sketch {
            left: Some(*left),
            ..bad("OTT_INVALID")
        },
        Refusal::BadProof { left: None } => {
            Sketch::new(StatusCode::UNAUTHORIZED, "BAD_CREDENTIALS")
        }
        Refusal::Exhausted { until } => {
            Sketch::until(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_ATTEMPTS", *until)
        }
        Refusal::Limited { until } => {
            Sketch::until(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", *until)
        }
        Refusal::Replayed => Sketch::new(StatusCode::UNAUTHORIZED, "REFRESH_TOKEN_INVALID"),
        Refusal::Blocked => Sketch::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
        Refusal::Conflict => Sketch::new(StatusCode::CONFLICT, "USER_KEY_TAKEN"),
        Refusal::WrongState => Sketch::new(StatusCode::CONFLICT, "PROCESS_STATE"),
        Refusal::Invalid {
            field: "password", ..
        } => bad("PASSWORD_POLICY"),
        Refusal::Invalid { .. } => bad("VALIDATION_ERROR"),
        Refusal::Unmet(condition) => unmet(*condition),
        Refusal::TimeLocked { .. }
        | Refusal::Expired
        | Refusal::Forbidden { .. }
        | Refusal::TooLarge { .. }
        | Refusal::StepUp(_) => {
            failure::log_unexpected(refusal);
            internal()
        }
    }
}

fn unmet(condition: Condition) -> Sketch {
    let bad = |code| Sketch::new(StatusCode::BAD_REQUEST, code);
    let conflict = |code| Sketch::new(StatusCode::CONFLICT, code);
    match condition {
        Condition::Feature => Sketch::new(StatusCode::NOT_FOUND, "FEATURE_DISABLED"),
        Condition::AddressKind => bad("USER_KEY_TYPE_DISABLED"),
        Condition::OtherWay => bad("RECOVERED_TYPE_NOT_ALLOWED"),
        Condition::FreshLogin => Sketch::new(StatusCode::FORBIDDEN, "REAUTHENTICATION_REQUIRED"),
        Condition::CooledDown { .. } => Sketch::new(StatusCode::FORBIDDEN, "PERMISSION_RESTRICTED"),
        Condition::HasAddress => conflict("USER_KEY_NOT_FOUND"),
        Condition::NoAddress => conflict("USER_KEY_EXISTS"),
        Condition::AnotherAddress => conflict("LAST_USER_KEY"),
        Condition::SpareAddress => conflict("NO_ALTERNATIVE_KEY"),
        Condition::FactorOn => conflict("MFA_DISABLED"),
        Condition::FactorOff => conflict("MFA_ENABLED"),
        Condition::HasEmail => conflict("EMAIL_REQUIRED"),
        Condition::PhraseSet => conflict("ANTI_PHISHING_CODE_NOT_SET"),
        Condition::PhraseUnset => conflict("ANTI_PHISHING_CODE_EXISTS"),
    }
}

/// Words for people; no part of the contract.
fn words(code: &str) -> &'static str {
    match code {
        "VALIDATION_ERROR" => "The request is not well formed.",
        "PASSWORD_POLICY" => "This password cannot be used.",
        "OTT_INVALID" => "The one-time token is not valid.",
        "OLD_PASSWORD_INVALID" => "The current password is not right.",
        "BAD_CREDENTIALS" => "The user key or the password is not right.",
        "UNAUTHORIZED" => "Log in first.",
        "REFRESH_TOKEN_INVALID" => "The session is over.",
        "REAUTHENTICATION_REQUIRED" => "Log in again to do this.",
        "PERMISSION_RESTRICTED" => "This is not possible for a while after a change.",
        "FEATURE_DISABLED" => "This is switched off here.",
        "PROCESS_NOT_FOUND" => "There is no such process, or it is over.",
        "PROCESS_STATE" => "The process is at another step.",
        "USER_KEY_TYPE_DISABLED" => "This kind of user key is switched off here.",
        "RECOVERED_TYPE_NOT_ALLOWED" => "The lost key cannot receive the token.",
        "USER_KEY_NOT_FOUND" => "The account has no key of this type.",
        "USER_KEY_EXISTS" => "The account has a key of this type.",
        "USER_KEY_TAKEN" => "The user key belongs to another account.",
        "LAST_USER_KEY" => "The only key cannot be removed.",
        "NO_ALTERNATIVE_KEY" => "The account has no other key.",
        "MFA_ENABLED" => "The second step is on.",
        "MFA_DISABLED" => "The second step is off or done.",
        "EMAIL_REQUIRED" => "The account has no email.",
        "ANTI_PHISHING_CODE_EXISTS" => "The anti-phishing code is set already.",
        "ANTI_PHISHING_CODE_NOT_SET" => "No anti-phishing code is set.",
        "RATE_LIMITED" => "Too many messages; wait a while.",
        "TOO_MANY_ATTEMPTS" => "Too many attempts; wait a while.",
        "NOT_FOUND" => "There is no such path.",
        "METHOD_NOT_ALLOWED" => "This path has other methods.",
        "PAYLOAD_TOO_LARGE" => "The request is too large.",
        "UNSUPPORTED_MEDIA_TYPE" => "Send application/json.",
        "REQUEST_TIMEOUT" => "The request took too long.",
        "SERVICE_UNAVAILABLE" => "The server is busy; try again.",
        _ => "Something went wrong.",
    }
}

pub(crate) fn method_not_allowed(_allow: &'static str) -> Response {
    sketched(Sketch::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
    ))
}

/// The answer when a handler took too long.
pub(crate) fn late() -> Response {
    sketched(failed(&Error::Busy { seconds: 1 }))
}

/// The answer to a path that does not exist.
pub fn not_found(path: &str, now: Timestamp) -> Response {
    drawn(Sketch::new(StatusCode::NOT_FOUND, "NOT_FOUND"), path, now)
}

fn sketched(sketch: Sketch) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = sketch.status;
    response.extensions_mut().insert(sketch);
    response
}

/// Gives errors their body, which names time and path, and every answer its headers.
pub(crate) async fn render(State(people): State<People>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let Some(sketch) = response.extensions().get::<Sketch>().copied() else {
        return response;
    };
    let mut answer = drawn(sketch, &path, people.now());
    if let Some(allow) = response.headers().get(header::ALLOW) {
        answer.headers_mut().insert(header::ALLOW, allow.clone());
    }
    answer
}

fn drawn(sketch: Sketch, path: &str, now: Timestamp) -> Response {
    let Sketch {
        status,
        code,
        left,
        until,
    } = sketch;
    let problem = Problem {
        timestamp: now.rfc3339(),
        status: status.as_u16(),
        error: status.canonical_reason().unwrap_or_default(),
        code,
        message: words(code),
        path: path.to_owned(),
        attempts_left: left,
    };
    let mut response = web::json::reply(status, &problem);
    let headers = response.headers_mut();
    let seconds = until.map(|until| match until {
        Until::Moment(moment) => moment.retry_after(now).min(LONGEST_WAIT),
        Until::Seconds(seconds) => seconds,
    });
    if let Some(seconds) = seconds {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The total mapping, so that a change of one arm is seen in a review.
    #[tokio::test]
    async fn every_error_has_its_answer() {
        let now = testkit::refusals::now();
        let answer = |error: &Error| drawn(failed(error), "/api/v1/login", now);
        let table = testkit::refusals::table(answer).await;
        testkit::golden::hold(env!("CARGO_MANIFEST_DIR"), "refusals.txt", &table);
    }
}
