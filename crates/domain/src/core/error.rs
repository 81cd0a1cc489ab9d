//! The one error of the whole domain. Fronts turn a [`Refusal`] into their wire's answer.

use std::fmt;

use crate::core::time::Timestamp;

/// The source of a failure, for the log only.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a use case gave no success.
#[derive(Debug)]
pub enum Error {
    /// A rule said no. The state that justifies it is durable.
    Refused(Refusal),
    /// More work is queued than this server takes on; nothing was counted, try again in `seconds`.
    Busy { seconds: u64 },
    /// The store or a provider is away; nothing was judged.
    Unavailable(Source),
    /// Something that must not happen did.
    Bug(Source),
}

/// What a rule refuses. Closed on purpose: a new refusal makes every front decide its wire's answer.
/// Carries facts, no prose for users and no status codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No such account, key, contact or object, as far as the caller may know.
    UnknownSubject,
    /// A wrong PIN, password, code or signature. `left`: tries left, where the caller may know.
    BadProof { left: Option<u32> },
    /// The guess budget is used up until then; nothing was checked.
    Exhausted { until: Timestamp },
    /// A send or request budget is used up until then; nothing was changed or sent.
    Limited { until: Timestamp },
    /// A time lock is running until then.
    TimeLocked { until: Timestamp },
    /// The challenge, code or token was once right and is over.
    Expired,
    /// The challenge, code or token was used before.
    Replayed,
    /// The credential or object is switched off.
    Blocked,
    /// The name, address or key is taken, or the state is already the one asked for.
    Conflict,
    /// The right object in the wrong state for this step.
    WrongState,
    /// The caller is known but lacks the right named.
    Forbidden { need: &'static str },
    /// More bytes or items than the limit allows.
    TooLarge { limit: usize },
    /// A field does not follow its rule.
    Invalid {
        field: &'static str,
        why: &'static str,
    },
    /// A condition of a person's account does not hold.
    Unmet(Condition),
    /// The step needs its owner in person, and that was not shown.
    StepUp(StepUpRefusal),
}

/// Why a step-up did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepUpRefusal {
    /// It is needed, and nothing complete was shown.
    Missing,
    /// The verifier said no. For whatever reason: no oracle.
    Failed { for_client: Option<String> },
    /// Nobody was enrolled, so nobody can be recognised.
    NotEnrolled,
    /// Somebody is enrolled already.
    Enrolled,
    /// Another enrolment of this user is in progress.
    Enrolling,
    /// The verifier did not answer.
    Unreachable,
    /// The verifier answered in a way that cannot be trusted.
    Untrustworthy,
    /// There is no verifier.
    NoVerifier,
    /// The same for owners who have a passkey, or are to have one.
    Passkey(PasskeyRefusal),
}

impl From<StepUpRefusal> for Refusal {
    fn from(refusal: StepUpRefusal) -> Self {
        Self::StepUp(refusal)
    }
}

/// Why a passkey did not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasskeyRefusal {
    /// It is needed, and none was shown.
    Missing,
    /// It was not right. For whatever reason: no oracle.
    Failed,
    /// There is one already.
    Enrolled,
    /// There is none.
    NotEnrolled,
}

/// What must hold before somebody may do something to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The operator switched the feature on.
    Feature,
    /// The operator takes addresses of this kind.
    AddressKind,
    /// The password was given a short while ago.
    FreshLogin,
    /// No cool-down is running after a change.
    CooledDown { until: Timestamp },
    /// The account has an address of this kind.
    HasAddress,
    /// The account has no address of this kind yet.
    NoAddress,
    /// The account has another address beside this one.
    AnotherAddress,
    /// The account keeps another address when this one is lost.
    SpareAddress,
    /// The proof comes over another way than the one that is to be replaced.
    OtherWay,
    /// The second step is on.
    FactorOn,
    /// The second step is off.
    FactorOff,
    /// The account has an e-mail address.
    HasEmail,
    /// The account's anti-phishing code is set.
    PhraseSet,
    /// The account's anti-phishing code is not set.
    PhraseUnset,
}

impl Error {
    pub fn bug(source: impl Into<Source>) -> Self {
        Self::Bug(source.into())
    }

    pub fn unavailable(source: impl Into<Source>) -> Self {
        Self::Unavailable(source.into())
    }

    /// A short stable code for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Busy { .. } => "busy",
            Self::Unavailable(_) => "unavailable",
            Self::Bug(_) => "bug",
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "refused: {refusal:?}"),
            Self::Busy { seconds } => write!(f, "busy, try again in {seconds} s"),
            Self::Unavailable(_) => f.write_str("the store or a provider is away"),
            Self::Bug(_) => f.write_str("an invariant does not hold"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable(source) | Self::Bug(source) => Some(source.as_ref()),
            Self::Refused(_) | Self::Busy { .. } => None,
        }
    }
}

/// The whole chain of an error in one line, for the log.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> [Error; 4] {
        [
            Refusal::Blocked.into(),
            Error::Busy { seconds: 2 },
            Error::unavailable("the disk is full"),
            Error::bug("a row is missing"),
        ]
    }

    #[test]
    fn each_error_has_a_code_of_its_own() {
        let codes = all().map(|error| error.code());
        assert_eq!(codes, ["refused", "busy", "unavailable", "bug"]);
    }

    #[test]
    fn only_failures_have_a_source_and_their_text_alone_does_not_tell_it() {
        use std::error::Error as _;
        for error in all() {
            let source = error.source().map(ToString::to_string);
            match &error {
                Error::Refused(_) | Error::Busy { .. } => assert_eq!(source, None),
                Error::Unavailable(_) | Error::Bug(_) => {
                    let source = source.expect("a failure has a source");
                    assert!(!error.to_string().contains(&source), "{error}");
                }
            }
        }
    }

    #[test]
    fn the_log_shows_the_whole_chain_in_one_line() {
        assert_eq!(chain(&Error::Busy { seconds: 2 }), "busy, try again in 2 s");
        let inner = Error::bug("a row is missing");
        let outer = Error::unavailable(inner);
        assert_eq!(
            chain(&outer),
            "the store or a provider is away: an invariant does not hold: a row is missing"
        );
    }
}
