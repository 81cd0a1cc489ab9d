//! Judging the code of a one-time token.

use crate::core::caller::Caller;
use crate::core::error::Refusal;
use crate::core::id::Id;
use crate::core::port::store::{Tx, TxResult};
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::limit::counted::{AtOnce, Finding, OnSuccess};
use crate::limit::lockout::{SubjectLockout, counted};
use crate::proof::Proofs;
use crate::proof::challenge::CodeMatch;
use crate::proof::way::Way;
use crate::trail::audit::Event;

use super::{Aim, Operation, Token, binding};

/// A code presented for a slot.
pub(crate) struct TokenProof<'a> {
    pub(crate) operation: Operation,
    pub(crate) slot: Id<Token>,
    /// Where the token must have gone; `None`: wherever it went.
    pub(crate) way: Option<&'a Way>,
    pub(crate) text: &'a SecretText,
    /// The lockout of account and class.
    pub(crate) lockout: Option<SubjectLockout>,
    pub(crate) then: OnSuccess,
}

/// How many more wrong codes the token takes. With none left it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TriesLeft(u32);

impl TriesLeft {
    /// The outcome that the audit trail names.
    fn outcome(self) -> &'static str {
        match self.0 {
            0 => "burned",
            _ => "wrong",
        }
    }
}

impl Token {
    /// Whether any code can be compared with this token: it has not ended, and fewer than `tries` codes were wrong.
    pub(crate) fn is_live(&self, now: Timestamp, tries: u32) -> bool {
        now < self.code.expires && self.wrong < tries
    }

    /// Whether a code may be compared with this token at all: the token is for this operation and address, it is
    /// alive, and fewer than `tries` codes were wrong.
    fn may_be_tried(&self, now: Timestamp, proof: &TokenProof<'_>, tries: u32) -> bool {
        self.operation == proof.operation
            && self.is_live(now, tries)
            && proof.way.is_none_or(|way| way.same(&self.way))
    }

    /// Settles a try. Only the right code of a real token is right; anything else costs one of `tries`.
    fn settle(&mut self, found: CodeMatch, tries: u32) -> Result<(), TriesLeft> {
        if found == CodeMatch::Right && self.aim == Aim::Real {
            return Ok(());
        }
        self.wrong += 1;
        Err(TriesLeft(tries.saturating_sub(self.wrong)))
    }
}

impl Proofs {
    /// Judges a code and counts a wrong one. A right code takes the token out of its slot.
    ///
    /// Even with a refusal the transaction must be committed: the try is counted in it.
    pub(crate) fn prove(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        proof: &TokenProof<'_>,
    ) -> TxResult<Result<Token, Refusal>> {
        let judge = |tx: &mut dyn Tx| {
            Ok(match self.judge_token(tx, now, proof)? {
                Ok(token) => Finding::Right(token),
                Err(left) => Finding::Wrong(left),
            })
        };
        let judged = match proof.lockout {
            Some(lockout) => self.judge_at_once(tx, now, &counted(lockout, proof.then), judge)?,
            None => judge(tx)?.uncounted(),
        };
        let judged = match judged {
            AtOnce::Right(token) => Ok(token),
            AtOnce::Wrong { why, .. } | AtOnce::Unjudged(why) => Err(why),
            AtOnce::Exhausted { until } | AtOnce::InFlight { until } => {
                return Ok(Err(Refusal::Exhausted { until }));
            }
        };
        let outcome = match &judged {
            Ok(_) => "done",
            Err(left) => left.outcome(),
        };
        let event = Event::new(caller.surface, now, "token.present", proof.slot.alias())
            .by(caller)
            .fact("operation", proof.operation.name())
            .outcome(outcome);
        self.record(tx, event)?;
        Ok(judged.map_err(|TriesLeft(left)| Refusal::BadProof { left: Some(left) }))
    }

    fn judge_token(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        proof: &TokenProof<'_>,
    ) -> TxResult<Result<Token, TriesLeft>> {
        let tries = self.policy.tokens.tries;
        let token = self.rows.get(tx, proof.slot)?;
        let Some(mut token) = token.filter(|token| token.may_be_tried(now, proof, tries)) else {
            return Ok(Err(TriesLeft(0)));
        };
        let binding = binding(&token.id, token.operation, &proof.slot, &token.way);
        let found = self.present_code(now, &token.code, &binding, proof.text)?;
        Ok(match token.settle(found, tries) {
            Ok(()) => {
                self.rows.remove(tx, proof.slot)?;
                Ok(token.value)
            }
            Err(left) => {
                self.rows.put(tx, &mut token)?;
                Err(left)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::port::store::RowId;
    use crate::proof::challenge::tests::code_until;

    const TRIES: u32 = 5;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// A token to `anna@example.com` that is valid until 1000.
    fn token(aim: Aim) -> Token {
        Token {
            id: [1; 16],
            operation: Operation::RemoveAddress,
            way: Way::email("anna@example.com"),
            code: code_until(at(1_000)),
            aim,
            wrong: 0,
        }
    }

    fn proof<'a>(
        operation: Operation,
        way: Option<&'a Way>,
        text: &'a SecretText,
    ) -> TokenProof<'a> {
        TokenProof {
            operation,
            slot: Id::new(RowId([2; 16])),
            way,
            text,
            lockout: None,
            then: OnSuccess::Keep,
        }
    }

    #[test]
    fn a_token_is_tried_for_its_operation_and_address_only() {
        let text = SecretText::new("123456".to_owned());
        let (anna, other) = (Way::email("ANNA@example.com"), Way::email("b@example.com"));
        let tried = |operation, way| {
            token(Aim::Real).may_be_tried(at(0), &proof(operation, way, &text), TRIES)
        };
        assert!(tried(Operation::RemoveAddress, Some(&anna)));
        assert!(tried(Operation::RemoveAddress, None));
        assert!(!tried(Operation::RemoveAddress, Some(&other)));
        assert!(!tried(Operation::ChangeAddress, Some(&anna)));
    }

    #[test]
    fn a_token_is_tried_before_its_end_and_while_tries_are_left() {
        let text = SecretText::new("123456".to_owned());
        let proof = proof(Operation::RemoveAddress, None, &text);
        let mut token = token(Aim::Real);
        assert!(token.may_be_tried(at(999), &proof, TRIES));
        assert!(!token.may_be_tried(at(1_000), &proof, TRIES));
        token.wrong = TRIES - 1;
        assert!(token.may_be_tried(at(0), &proof, TRIES));
        token.wrong = TRIES;
        assert!(!token.may_be_tried(at(0), &proof, TRIES));
    }

    #[test]
    fn only_the_right_code_of_a_real_token_is_right() {
        for (aim, found, right) in [
            (Aim::Real, CodeMatch::Right, true),
            (Aim::Real, CodeMatch::Wrong, false),
            (Aim::Real, CodeMatch::Late, false),
            (Aim::Decoy, CodeMatch::Right, false),
            (Aim::Decoy, CodeMatch::Wrong, false),
        ] {
            let mut token = token(aim);
            let settled = token.settle(found, TRIES);
            assert_eq!(settled.is_ok(), right, "{aim:?} {found:?}");
            assert_eq!(token.wrong, u32::from(!right), "{aim:?} {found:?}");
        }
    }

    #[test]
    fn every_wrong_code_costs_a_try_and_the_last_one_ends_the_token() {
        let mut token = token(Aim::Real);
        let mut left = Vec::new();
        for _ in 0..TRIES {
            let Err(TriesLeft(more)) = token.settle(CodeMatch::Wrong, TRIES) else {
                panic!("a wrong code is not right");
            };
            left.push(more);
        }
        assert_eq!(left, [4, 3, 2, 1, 0]);
        assert_eq!(TriesLeft(0).outcome(), "burned");
        assert_eq!(TriesLeft(1).outcome(), "wrong");
    }
}
