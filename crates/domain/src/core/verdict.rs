//! What a transaction decided.

use super::error::{Error, Refusal};

/// What a transaction decided. Both are saved: a refusal may have counted a wrong guess. So a transaction checks
/// everything that it may refuse before it writes what a refusal must not leave behind.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict<T> {
    Done(T),
    Refused(Refusal),
}

impl<T> Verdict<T> {
    /// The answer to the caller, once the transaction is durable.
    pub(crate) fn answer(self) -> Result<T, Error> {
        match self {
            Self::Done(value) => Ok(value),
            Self::Refused(refusal) => Err(Error::Refused(refusal)),
        }
    }
}

impl<T> From<Refusal> for Verdict<T> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<T> From<Result<T, Refusal>> for Verdict<T> {
    fn from(decided: Result<T, Refusal>) -> Self {
        match decided {
            Ok(value) => Self::Done(value),
            Err(refusal) => Self::Refused(refusal),
        }
    }
}

/// What a transaction, or a part of it, answers when a rule says no.
pub(crate) trait Refused {
    fn refused(refusal: Refusal) -> Self;
}

impl<T> Refused for Verdict<T> {
    fn refused(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<T> Refused for Result<T, Refusal> {
    fn refused(refusal: Refusal) -> Self {
        Err(refusal)
    }
}

/// Takes the value out of a decision. If it is a refusal, the function that this stands in answers with it, and what
/// was written before is saved.
macro_rules! allowed {
    ($decision:expr) => {
        match $decision {
            Ok(value) => value,
            Err(refusal) => return Ok($crate::core::verdict::Refused::refused(refusal)),
        }
    };
}
pub(crate) use allowed;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_answered_as_one() {
        let verdict: Verdict<()> = Refusal::Blocked.into();
        assert!(matches!(
            verdict.answer(),
            Err(Error::Refused(Refusal::Blocked))
        ));
    }

    #[test]
    fn what_was_done_is_handed_on() {
        assert!(matches!(Verdict::Done(3).answer(), Ok(3)));
    }

    #[test]
    fn a_decision_goes_on_or_answers_with_its_refusal() {
        fn next(decision: Result<u8, Refusal>) -> Result<Verdict<u8>, Error> {
            let value = allowed!(decision);
            Ok(Verdict::Done(value + 1))
        }
        assert_eq!(next(Ok(1)).unwrap(), Verdict::Done(2));
        let refused = next(Err(Refusal::WrongState)).unwrap();
        assert_eq!(refused, Verdict::Refused(Refusal::WrongState));
    }

    #[test]
    fn a_pure_decision_becomes_a_verdict() {
        assert_eq!(Verdict::from(Ok::<_, Refusal>(1)), Verdict::Done(1));
        assert_eq!(
            Verdict::<u8>::from(Err(Refusal::Expired)),
            Verdict::Refused(Refusal::Expired)
        );
    }
}
