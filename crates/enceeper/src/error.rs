//! Refusals and failures in this wire's words (sheet 4.5). No 401 and no 403 but for tokens: clients
//! answer those with a new login, without end.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::{Error, Refusal, Timestamp};
use http::{HeaderValue, StatusCode, header};

use crate::front::{Front, Options};

// Texts that public clients compare.
pub(crate) const NEW_PASSWORD: &str = "Password has expired, re-auth";
const WRONG_LOGIN: &str = "User authentication failed";
pub(crate) const NO_USER: &str = "User not found";

pub(crate) const NO_TOKEN: &str = "Authentication is required";
pub(crate) const TOKEN_EXPIRED: &str = "The auth token has expired";
const NO_METHOD: &str = "API method not found";
const AWAY: &str = "Service unavailable";
const TOO_MANY: &str = "Too many requests";

/// What a call is about, for the answer that there is no such thing.
#[derive(Clone, Copy)]
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

/// Why a handler has no success to tell.
pub(crate) enum Fault {
    Said(StatusCode, &'static str),
    /// A member is absent, or not what it must be.
    Missing(&'static str),
    Domain(Error),
}

impl Fault {
    pub(crate) const fn bad(text: &'static str) -> Self {
        Self::Said(StatusCode::BAD_REQUEST, text)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Domain(error)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Domain(Error::Refused(refusal))
    }
}

impl Front {
    /// The answer to a call about `noun`.
    pub(crate) fn answer(&self, noun: Noun, outcome: Result<Response, Fault>) -> Response {
        match outcome {
            Ok(response) => response,
            Err(Fault::Said(status, text)) => self.refuse(status, text),
            Err(Fault::Missing(name)) => self.refuse(
                StatusCode::BAD_REQUEST,
                &format!("Invalid or missing value: {name}"),
            ),
            Err(Fault::Domain(Error::Refused(refusal))) => self.refused(noun, &refusal),
            Err(Fault::Domain(error)) => failed(self, &error),
        }
    }

    fn refused(&self, noun: Noun, refusal: &Refusal) -> Response {
        let bad = |text: &str| self.refuse(StatusCode::BAD_REQUEST, text);
        match refusal {
            Refusal::UnknownSubject => self.refuse(StatusCode::NOT_FOUND, noun.unknown()),
            Refusal::BadProof { .. } => bad(WRONG_LOGIN),
            Refusal::Expired if matches!(noun, Noun::Challenge) => bad("Challenge has expired"),
            // The account was removed while this call was under way.
            Refusal::Expired => self.refuse(StatusCode::FORBIDDEN, TOKEN_EXPIRED),
            Refusal::Replayed => bad(NEW_PASSWORD),
            Refusal::Blocked => bad("The email address has not been confirmed"),
            Refusal::Exhausted { until } | Refusal::Limited { until } => {
                limited(self, Some(*until))
            }
            // Nothing here is under a time lock, or depends on a condition of that kind.
            Refusal::TimeLocked { until } => limited(self, Some(*until)),
            Refusal::Unmet(_) | Refusal::StepUp(_) => bad("This is not possible now"),
            Refusal::Conflict => bad("The key is already shared with this user"),
            Refusal::WrongState => bad("This slot cannot be changed"),
            Refusal::Forbidden { need } => bad(plan_says_no(need)),
            Refusal::TooLarge { .. } => bad("The auth object is too large"),
            Refusal::Invalid { field, why } => {
                bad(&format!("The value of {} {why}", spelling(field)))
            }
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

fn plan_says_no(need: &str) -> &'static str {
    match need {
        "sharing" => "Your plan does not allow key sharing",
        "notify_on_use" => "Your plan does not allow notifications about slots",
        "approve_use" => "Your plan does not allow approvals of slots",
        "entries" => "Your plan does not allow more keys",
        "slots_per_entry" => "Your plan does not allow more slots for this key",
        "entry_bytes" => "The key is larger than your plan allows",
        _ => "Your plan does not allow this",
    }
}

/// The answer when nothing was judged.
pub(crate) fn failed(front: &Front, error: &Error) -> Response {
    match error {
        // A full queue is no fault: a 5xx would send the app into its offline mode.
        Error::Busy { seconds } => retry(
            front.refuse(StatusCode::TOO_MANY_REQUESTS, TOO_MANY),
            *seconds,
        ),
        Error::Refused(refusal) => front.refused(Noun::Key, refusal),
        Error::Unavailable(_) => {
            log(error);
            retry(front.refuse(StatusCode::SERVICE_UNAVAILABLE, AWAY), 1)
        }
        Error::Bug(_) => {
            log(error);
            front.refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
        }
    }
}

pub(crate) fn limited(front: &Front, until: Option<Timestamp>) -> Response {
    let seconds = until.map_or(1, |until| until.retry_after(front.vaults.now()));
    retry(
        front.refuse(StatusCode::TOO_MANY_REQUESTS, TOO_MANY),
        seconds,
    )
}

/// 5.2: the address is taken, and confirmation is switched off.
pub(crate) fn user_exists(front: &Front) -> Response {
    front.refuse(StatusCode::CONFLICT, "User already exists")
}

/// 5.17
pub(crate) fn waiting(front: &Front) -> Response {
    front.refuse(StatusCode::PRECONDITION_REQUIRED, "Waiting for approval")
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
    let options = Options::default();
    let mut response = retry(options.refuse(StatusCode::SERVICE_UNAVAILABLE, AWAY), 1);
    crate::gate::open_to_pages(response.headers_mut(), None);
    response
}

/// The answer when a handler panicked: a bug, told in this wire's shape.
pub fn panicked(options: &Options) -> Response {
    options.refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
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
