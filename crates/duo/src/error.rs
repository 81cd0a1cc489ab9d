//! Refusals and failures in this wire's codes (§13).

use axum::response::{IntoResponse, Response};
use domain::wallet::step_up::StepUpRefusal;
use domain::{Error, Refusal, Timestamp};
use http::{HeaderValue, StatusCode, header};
use web::body::BodyError;
use web::failure;

use crate::Wallets;
use crate::wire::{ErrorBody, Problem};

/// One line of the table in §13.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(u32, StatusCode, &'static str);

macro_rules! codes {
    ($($name:ident: $number:literal $status:ident $text:literal,)*) => {
        $(pub(crate) const $name: Code = Code($number, StatusCode::$status, $text);)*
    };
}

codes! {
    TOKEN_INVALID: 100_101 UNAUTHORIZED "Access token is missing or not acceptable",
    TOKEN_EXPIRED: 100_102 UNAUTHORIZED "Access token has expired",
    SCOPE_MISSING: 100_103 FORBIDDEN "Access token lacks the needed scope",
    ISSUER_AWAY: 100_104 SERVICE_UNAVAILABLE "Signing keys of the identity provider cannot be loaded",
    USER_UNKNOWN: 100_201 NOT_FOUND "User is not registered",
    SIGNATURE_WRONG: 100_202 UNAUTHORIZED "Device signature is not valid",
    CHALLENGE_GONE: 100_203 UNAUTHORIZED "Challenge is missing, expired or used",
    DEVICE_TAKEN: 100_204 CONFLICT "Device key is registered to another user",
    DEVICE_MALFORMED: 100_205 BAD_REQUEST "Device key is malformed",
    NO_BACKUP: 100_301 NOT_FOUND "No backup data found for this wallet",
    KEY_UNKNOWN: 100_302 NOT_FOUND "Key is not known for this user",
    SHARE_TOO_LONG: 100_303 PAYLOAD_TOO_LARGE "Encrypted keyshare is too long",
    MALFORMED: 100_401 BAD_REQUEST "Request is malformed",
    TOO_SLOW: 100_401 REQUEST_TIMEOUT "Request took too long to arrive",
    MEDIA_TYPE: 100_402 UNSUPPORTED_MEDIA_TYPE "Content type is not supported",
    TOO_LARGE: 100_403 PAYLOAD_TOO_LARGE "Request is too large",
    NO_ENDPOINT: 100_404 NOT_FOUND "No such endpoint",
    METHOD: 100_405 METHOD_NOT_ALLOWED "Method not allowed",
    TOO_MANY: 100_406 TOO_MANY_REQUESTS "Too many requests",
    FACE_REGISTERED: 100_701 CONFLICT "Face is already registered",
    FACE_REQUIRED: 100_702 FORBIDDEN "Face verification required",
    FACE_FAILED: 100_703 FORBIDDEN "Face verification failed",
    FACE_UNKNOWN: 100_704 FORBIDDEN "No face is registered",
    FACE_PENDING: 100_705 CONFLICT "Face registration is in progress",
    VERIFIER_AWAY: 100_706 SERVICE_UNAVAILABLE "Face verifier is not reachable",
    VERIFIER_WRONG: 100_707 BAD_GATEWAY "Face verifier answered wrongly",
    NO_VERIFIER: 100_708 SERVICE_UNAVAILABLE "No face verifier is configured",
    PASSKEY_REQUIRED: 100_711 FORBIDDEN "Passkey verification required",
    PASSKEY_FAILED: 100_712 FORBIDDEN "Passkey verification failed",
    PASSKEY_REGISTERED: 100_713 CONFLICT "Passkey or face is already registered",
    PASSKEY_UNKNOWN: 100_714 FORBIDDEN "No passkey is registered",
    INTERNAL: 100_901 INTERNAL_SERVER_ERROR "Internal error",
    STORAGE_AWAY: 100_902 SERVICE_UNAVAILABLE "Storage is not available",
    BUSY: 100_902 SERVICE_UNAVAILABLE "Server is busy",
}

/// Seconds after which a verifier or an identity provider is worth another try.
const RETRY_OUTSIDE: u64 = 5;

/// What a handler gives.
pub(crate) type Reply = Result<Response, Failure>;

/// An answer that is no success.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    retry: Option<u64>,
    scan_result_blob: Option<String>,
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        let retry = match code {
            VERIFIER_AWAY | ISSUER_AWAY | NO_VERIFIER => Some(RETRY_OUTSIDE),
            STORAGE_AWAY | BUSY => Some(1),
            _ => None,
        };
        Self {
            code,
            retry,
            scan_result_blob: None,
        }
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => TOO_LARGE.into(),
            BodyError::TooSlow => TOO_SLOW.into(),
            BodyError::Broken => MALFORMED.into(),
        }
    }
}

impl Code {
    /// The same code inside a list.
    pub(crate) fn problem(self) -> Problem {
        Problem {
            code: self.0,
            message: self.2,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: self.code.problem(),
            scan_result_blob: self.scan_result_blob,
        };
        let mut response = web::json::reply(self.code.1, &body);
        if self.code.1 == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        match self.retry {
            Some(seconds) => failure::retry_after(response, seconds),
            None => response,
        }
    }
}

/// For `map_err`: turns the error of a use case into a failure.
pub(crate) fn of(wallets: &Wallets) -> impl FnOnce(Error) -> Failure {
    move |error| failed(error, wallets.now())
}

/// The same for the check of the token, which has codes of its own (§3, §4).
pub(crate) fn of_token(wallets: &Wallets) -> impl FnOnce(Error) -> Failure {
    move |error| match error {
        Error::Refused(Refusal::BadProof { .. }) => TOKEN_INVALID.into(),
        Error::Refused(Refusal::Expired) => TOKEN_EXPIRED.into(),
        Error::Refused(Refusal::Forbidden { .. }) => SCOPE_MISSING.into(),
        Error::Unavailable(_) => {
            failure::log(error.code(), &domain::error::chain(&error));
            ISSUER_AWAY.into()
        }
        other => failed(other, wallets.now()),
    }
}

fn failed(error: Error, now: Timestamp) -> Failure {
    match error {
        Error::Refused(refusal) => refused(refusal, now),
        Error::Busy { seconds } => Failure {
            retry: Some(seconds),
            ..BUSY.into()
        },
        Error::Unavailable(_) => {
            failure::log(error.code(), &domain::error::chain(&error));
            STORAGE_AWAY.into()
        }
        Error::Bug(_) => {
            failure::log(error.code(), &domain::error::chain(&error));
            INTERNAL.into()
        }
    }
}

fn refused(refusal: Refusal, now: Timestamp) -> Failure {
    match refusal {
        Refusal::UnknownSubject => USER_UNKNOWN.into(),
        Refusal::BadProof { .. } => SIGNATURE_WRONG.into(),
        Refusal::Expired => CHALLENGE_GONE.into(),
        Refusal::Conflict => DEVICE_TAKEN.into(),
        Refusal::Forbidden { need: "key" } => KEY_UNKNOWN.into(),
        Refusal::Limited { until } => Failure {
            retry: Some(until.retry_after(now)),
            ..TOO_MANY.into()
        },
        Refusal::StepUp(refusal) => step_up(refusal),
        Refusal::Exhausted { .. }
        | Refusal::TimeLocked { .. }
        | Refusal::Replayed
        | Refusal::Blocked
        | Refusal::WrongState
        | Refusal::Forbidden { .. }
        | Refusal::TooLarge { .. }
        | Refusal::Invalid { .. }
        | Refusal::Unmet(_) => {
            failure::log_unexpected(&refusal);
            INTERNAL.into()
        }
    }
}

fn step_up(refusal: StepUpRefusal) -> Failure {
    match refusal {
        StepUpRefusal::Missing => FACE_REQUIRED.into(),
        StepUpRefusal::Failed { for_client } => Failure {
            scan_result_blob: for_client,
            ..FACE_FAILED.into()
        },
        StepUpRefusal::NotEnrolled => FACE_UNKNOWN.into(),
        StepUpRefusal::Enrolled => FACE_REGISTERED.into(),
        StepUpRefusal::Enrolling => FACE_PENDING.into(),
        StepUpRefusal::Unreachable => VERIFIER_AWAY.into(),
        StepUpRefusal::Untrustworthy => VERIFIER_WRONG.into(),
        StepUpRefusal::NoVerifier => NO_VERIFIER.into(),
        StepUpRefusal::Passkey(refusal) => crate::passkey::refused(refusal).into(),
    }
}

pub(crate) fn method_not_allowed(_allow: &'static str) -> Response {
    Failure::from(METHOD).into_response()
}

/// The answer to a path that does not exist.
pub fn not_found() -> Response {
    Failure::from(NO_ENDPOINT).into_response()
}

/// The answer when a handler panicked.
pub fn panicked() -> Response {
    Failure::from(INTERNAL).into_response()
}

/// The answer when a handler took too long.
pub fn late() -> Response {
    Failure::from(BUSY).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The total mapping, so that a change of one arm is seen in a review.
    #[tokio::test]
    async fn every_error_has_its_answer() {
        let now = testkit::refusals::now();
        let answer = |error: &Error| {
            let same = match error {
                Error::Refused(refusal) => Error::Refused(refusal.clone()),
                Error::Busy { seconds } => Error::Busy { seconds: *seconds },
                Error::Unavailable(_) => Error::unavailable("the database is away"),
                Error::Bug(_) => Error::bug("an invariant does not hold"),
            };
            failed(same, now).into_response()
        };
        let table = testkit::refusals::table(answer).await;
        testkit::golden::hold(env!("CARGO_MANIFEST_DIR"), "refusals.txt", &table);
    }
}
