//! Refusals and failures in this wire's words (sheet 4.5). No 401 and no 403 but for tokens: clients answer those with a
//! new login, again and again.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::{Error, Refusal, Timestamp};
use http::StatusCode;
use web::body::BodyError;
use web::failure;
use web::path::PathError;

use crate::front::{Front, Options};
use crate::members::Wrong;

// Texts that public clients compare.
pub(crate) const NEW_PASSWORD: &str = "Password has expired, re-auth";
const WRONG_LOGIN: &str = "User authentication failed";
pub(crate) const NO_USER: &str = "User not found";

pub(crate) const NO_TOKEN: &str = "Authentication is required";
pub(crate) const TOKEN_EXPIRED: &str = "The auth token has expired";
const NO_METHOD: &str = "API method not found";
const AWAY: &str = "Service unavailable";
const TOO_MANY: &str = "Too many requests";
const INTERNAL: &str = "Internal error";

/// What a handler gives.
pub(crate) type Reply = Result<Response, Failure>;

/// What a call is about, for refusals that say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noun {
    User,
    Key,
    Slot,
    Share,
    /// The reference of a login.
    Challenge,
}

impl Noun {
    fn unknown(self) -> &'static str {
        match self {
            Self::User | Self::Challenge => NO_USER,
            Self::Key => "Key not found",
            Self::Slot => "Slot not found",
            Self::Share => "Share not found",
        }
    }
}

/// A call that gave no success.
pub(crate) struct Failure {
    front: Arc<Front>,
    fault: Fault,
}

/// Why a call gave no success.
#[derive(Debug)]
pub(crate) enum Fault {
    Said(StatusCode, &'static str),
    /// A member is absent, or not what it must be.
    Member(&'static str),
    /// A use case about this gave no success.
    UseCase(Noun, Error),
}

impl Fault {
    pub(crate) const NO_OBJECT: Self = Self::bad("The request body must be a JSON object");

    pub(crate) const fn bad(text: &'static str) -> Self {
        Self::Said(StatusCode::BAD_REQUEST, text)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::UseCase(Noun::User, error)
    }
}

impl From<BodyError> for Fault {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::Said(
                StatusCode::PAYLOAD_TOO_LARGE,
                "The request body is too large",
            ),
            BodyError::TooSlow => Self::bad("The request body came too slowly"),
            BodyError::Broken => Self::bad("The request body is not complete"),
        }
    }
}

impl From<PathError> for Fault {
    fn from(error: PathError) -> Self {
        match error {
            PathError::Encoding => Self::bad("Invalid path"),
            PathError::Value => Self::bad("Invalid id"),
        }
    }
}

impl From<Wrong> for Fault {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong {
                text: Some(text), ..
            } if text == crate::request::SLOT_TOO_LARGE => {
                Self::bad(crate::request::SLOT_TOO_LARGE)
            }
            Wrong {
                member: Some(member),
                ..
            } => Self::Member(member),
            Wrong { member: None, .. } => Self::NO_OBJECT,
        }
    }
}

impl Failure {
    pub(crate) fn of(front: &Arc<Front>, fault: Fault) -> Self {
        Self {
            front: Arc::clone(front),
            fault,
        }
    }
}

/// For `map_err`: turns the error of a use case about `noun` into a failure.
pub(crate) fn of(front: &Arc<Front>, noun: Noun) -> impl FnOnce(Error) -> Failure {
    move |error| Failure::of(front, Fault::UseCase(noun, error))
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let options = &self.front.options;
        match self.fault {
            Fault::Said(status, text) => options.refuse(status, text),
            Fault::Member(name) => options.refuse(
                StatusCode::BAD_REQUEST,
                &format!("Invalid or missing value: {name}"),
            ),
            Fault::UseCase(noun, error) => answer(options, noun, &error, self.front.vaults.now()),
        }
    }
}

/// The answer to a use case that gave no success.
pub(crate) fn answer(options: &Options, noun: Noun, error: &Error, now: Timestamp) -> Response {
    match error {
        Error::Refused(refusal) => refused(options, noun, refusal, now),
        // A full queue is no fault of the server: a 5xx would send the app into its offline mode.
        Error::Busy { seconds } => failure::retry_after(
            options.refuse(StatusCode::TOO_MANY_REQUESTS, TOO_MANY),
            *seconds,
        ),
        Error::Unavailable(_) => {
            failure::log(error.code(), &domain::error::chain(error));
            away(options)
        }
        Error::Bug(_) => {
            failure::log(error.code(), &domain::error::chain(error));
            options.refuse(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL)
        }
    }
}

fn refused(options: &Options, noun: Noun, refusal: &Refusal, now: Timestamp) -> Response {
    let bad = |text: &str| options.refuse(StatusCode::BAD_REQUEST, text);
    match refusal {
        Refusal::UnknownSubject => options.refuse(StatusCode::NOT_FOUND, noun.unknown()),
        Refusal::BadProof { .. } => bad(WRONG_LOGIN),
        Refusal::Expired if noun == Noun::Challenge => bad("Challenge has expired"),
        // The account was removed while this call was under way.
        Refusal::Expired => options.refuse(StatusCode::FORBIDDEN, TOKEN_EXPIRED),
        Refusal::Replayed => bad(NEW_PASSWORD),
        Refusal::Blocked => bad("The email address has not been confirmed"),
        Refusal::Exhausted { until } | Refusal::Limited { until } => {
            limited(options, until.retry_after(now))
        }
        // 5.2: the address is taken, and confirmation is switched off.
        Refusal::Conflict if noun == Noun::User => {
            options.refuse(StatusCode::CONFLICT, "User already exists")
        }
        Refusal::Conflict => bad("The key is already shared with this user"),
        Refusal::WrongState => bad("This slot cannot be changed"),
        Refusal::Forbidden { need: "sharing" } => bad("Your plan does not allow key sharing"),
        Refusal::Forbidden {
            need: "notify_on_use",
        } => bad("Your plan does not allow notifications about slots"),
        Refusal::Forbidden {
            need: "approve_use",
        } => bad("Your plan does not allow approvals of slots"),
        Refusal::Forbidden { need: "entries" } => bad("Your plan does not allow more keys"),
        Refusal::Forbidden {
            need: "slots_per_entry",
        } => bad("Your plan does not allow more slots for this key"),
        Refusal::Forbidden {
            need: "entry_bytes",
        } => bad("The key is larger than your plan allows"),
        Refusal::TooLarge { .. } => bad("The auth object is too large"),
        Refusal::Invalid { field, why } => bad(&format!("The value of {} {why}", spelling(field))),
        Refusal::TimeLocked { .. }
        | Refusal::Forbidden { .. }
        | Refusal::Unmet(_)
        | Refusal::StepUp(_) => {
            failure::log_unexpected(refusal);
            options.refuse(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL)
        }
    }
}

/// The name on the wire of a value that a login sends: SRP-6a calls the public number `A`, and the proof `M1`.
fn spelling(field: &str) -> &str {
    match field {
        "public" => "A",
        "proof" => "M1",
        field => field,
    }
}

/// The answer to a caller who is over a limit for so many seconds.
pub(crate) fn limited(options: &Options, seconds: u64) -> Response {
    failure::retry_after(
        options.refuse(StatusCode::TOO_MANY_REQUESTS, TOO_MANY),
        seconds,
    )
}

/// 5.17
pub(crate) fn waiting(options: &Options) -> Response {
    options.refuse(StatusCode::PRECONDITION_REQUIRED, "Waiting for approval")
}

pub(crate) fn no_such_method(_allow: &'static str) -> Response {
    not_found(&Options::default())
}

pub(crate) async fn unknown_path(State(front): State<Arc<Front>>) -> Response {
    not_found(&front.options)
}

/// The answer to a path that belongs to nobody. Pages from elsewhere may read it.
pub fn not_found(options: &Options) -> Response {
    let mut response = options.refuse(StatusCode::NOT_FOUND, NO_METHOD);
    crate::gate::open_to_pages(response.headers_mut(), None);
    response
}

/// The answer when a handler took too long and was given up.
pub fn late() -> Response {
    let mut response = away(&Options::default());
    crate::gate::open_to_pages(response.headers_mut(), None);
    response
}

/// The answer when a handler panicked.
pub fn panicked(options: &Options) -> Response {
    options.refuse(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL)
}

fn away(options: &Options) -> Response {
    failure::retry_after(options.refuse(StatusCode::SERVICE_UNAVAILABLE, AWAY), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers to a call about `noun`.
    async fn table(noun: Noun) -> String {
        let (now, options) = (testkit::refusals::now(), Options::default());
        testkit::refusals::table(|error| answer(&options, noun, error, now)).await
    }

    /// The total mapping, so that a change of one arm is seen in a review.
    #[tokio::test]
    async fn every_error_has_its_answer() {
        let key = table(Noun::Key).await;
        let mut text = key.clone();
        // Calls about something else differ in few answers, and only those are listed.
        for noun in [Noun::User, Noun::Slot, Noun::Share, Noun::Challenge] {
            let other = table(noun).await;
            let different = other
                .lines()
                .filter(|line| !key.lines().any(|known| known == *line));
            text.extend(different.map(|line| format!("{noun:?} | {line}\n")));
        }
        testkit::golden::hold(env!("CARGO_MANIFEST_DIR"), "refusals.txt", &text);
    }
}
