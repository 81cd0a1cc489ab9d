//! Codes of an authenticator app (RFC 6238), and the recovery codes for when the app is lost.
//!
//! A code of the app works once: its time step, and every earlier one, is remembered as used. A recovery code works
//! once, too. Of recovery codes only keyed tags are stored.

use crypto::totp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::port::roots::Root;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::limit::counted::{AtOnce, Finding, OnSuccess};
use crate::limit::lockout::{Right, SubjectLockout, counted};
use crate::trail::audit::Event;

use super::Proofs;
use super::account::Account;

/// An authenticator of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authenticator {
    pub(crate) secret: [u8; 20],
    /// `None` until the first code was right.
    pub(crate) on_since: Option<Timestamp>,
    /// The newest time step that was used.
    pub(crate) last_step: u64,
    pub(crate) pepper: u32,
    /// Tags of the recovery codes that are left.
    pub(crate) recovery: Vec<[u8; 32]>,
}

/// A code presented for the authenticator of an account.
pub(crate) struct AuthenticatorProof<'a> {
    pub(crate) text: &'a SecretText,
    /// The lockout of account and class.
    pub(crate) lockout: SubjectLockout,
    pub(crate) then: OnSuccess,
}

/// Time steps that an app's clock may be off, each way.
const DRIFT: u64 = 1;

impl Authenticator {
    pub(crate) fn is_on(&self) -> bool {
        self.on_since.is_some()
    }

    /// Ends the codes of the app up to `now`, and all recovery codes, because nobody knows which of them were used.
    pub(crate) fn end_codes(&mut self, now: Timestamp) {
        let newest = totp::step_at(now.seconds()) + DRIFT;
        self.last_step = self.last_step.max(newest);
        self.recovery.clear();
    }

    pub(crate) fn recovery_codes_left(&self) -> usize {
        self.recovery.len()
    }

    /// Uses up a code of the app, or the recovery code with this `tag`. Compares in constant time.
    fn take(&mut self, now: Timestamp, text: &SecretText, tag: &[u8; 32]) -> Right {
        let step = totp::step_at(now.seconds());
        for candidate in step.saturating_sub(DRIFT)..=step + DRIFT {
            let digits = totp::digits(&self.secret, candidate);
            let right: bool = digits.as_bytes().ct_eq(text.expose().as_bytes()).into();
            if right && candidate > self.last_step {
                self.last_step = candidate;
                return Right::Yes;
            }
        }
        let known = self.recovery.len();
        self.recovery.retain(|kept| !bool::from(kept.ct_eq(tag)));
        if self.recovery.len() < known {
            Right::Yes
        } else {
            Right::No
        }
    }
}

impl Proofs {
    /// Judges a code of the app, or a recovery code, and counts a wrong one.
    ///
    /// Even with a refusal the transaction must be committed: the try is counted in it.
    pub(crate) fn judge_authenticator(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        account: &mut Stored<Account>,
        proof: &AuthenticatorProof<'_>,
    ) -> TxResult<Result<(), Refusal>> {
        let (_, rules) = proof.lockout;
        let judged = self.judge_at_once(tx, now, &counted(proof.lockout, proof.then), |tx| {
            Ok(match self.take_code(now, account, proof.text)? {
                Right::Yes => {
                    self.rows.put(tx, account)?;
                    Finding::Right(())
                }
                Right::No => Finding::Wrong(()),
            })
        })?;
        let (outcome, verdict) = match judged {
            AtOnce::Right(()) => ("done", Ok(())),
            AtOnce::Wrong { failures, .. } => {
                let left = Some(rules.first.saturating_sub(failures));
                ("wrong", Err(Refusal::BadProof { left }))
            }
            AtOnce::Unjudged(()) => return Ok(Err(Refusal::BadProof { left: None })),
            AtOnce::Exhausted { until } | AtOnce::InFlight { until } => {
                return Ok(Err(Refusal::Exhausted { until }));
            }
        };
        let person = account.person.to_string();
        let event = Event::new(caller.surface, now, "authenticator.present", person).by(caller);
        self.record(tx, event.outcome(outcome))?;
        Ok(verdict)
    }

    /// Uses up a code of the account. Without an authenticator every code is wrong.
    fn take_code(
        &self,
        now: Timestamp,
        account: &mut Account,
        text: &SecretText,
    ) -> Result<Right, Error> {
        let tag = self.recovery_tag(account, &without_dashes(text.expose()))?;
        Ok(match &mut account.authenticator {
            Some(authenticator) => authenticator.take(now, text, &tag),
            None => Right::No,
        })
    }

    /// The keyed tag of a recovery code of the account. `code`: upper case, without dashes.
    pub(crate) fn recovery_tag(&self, account: &Account, code: &str) -> Result<[u8; 32], Error> {
        let pepper = account
            .authenticator
            .as_ref()
            .map_or(1, |known| known.pepper);
        let parts: [&[u8]; 3] = [b"recovery code", account.person.as_bytes(), code.as_bytes()];
        Ok(*self.roots.prf(Root::Pepper, pepper, &parts)?.expose())
    }
}

/// A recovery code without the dashes and spaces that people see, in upper case.
fn without_dashes(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_uppercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::account::tests::{at, authenticator};

    const NO_TAG: [u8; 32] = [0; 32];

    fn code(step: u64) -> SecretText {
        SecretText::new(totp::digits(&[3; 20], step))
    }

    fn taken(known: &mut Authenticator, seconds: i64, step: u64) -> Right {
        known.take(at(seconds), &code(step), &NO_TAG)
    }

    #[test]
    fn an_app_may_be_one_step_off_each_way() {
        for (step, right) in [
            (98, Right::No),
            (99, Right::Yes),
            (100, Right::Yes),
            (101, Right::Yes),
            (102, Right::No),
        ] {
            let mut known = authenticator(Some(at(0)));
            assert_eq!(taken(&mut known, 3_000, step), right, "{step}");
        }
    }

    #[test]
    fn a_code_works_once_and_so_does_every_earlier_one() {
        let mut known = authenticator(Some(at(0)));
        assert_eq!(taken(&mut known, 3_000, 100), Right::Yes);
        assert_eq!(taken(&mut known, 3_000, 100), Right::No);
        assert_eq!(taken(&mut known, 3_000, 99), Right::No);
        assert_eq!(taken(&mut known, 3_000, 101), Right::Yes);
    }

    #[test]
    fn a_recovery_code_works_once() {
        let mut known = authenticator(Some(at(0)));
        known.recovery = vec![[1; 32], [2; 32]];
        let text = SecretText::new("ABCD-EFGH-JKLM".to_owned());
        assert_eq!(known.take(at(0), &text, &[2; 32]), Right::Yes);
        assert_eq!(known.recovery, [[1; 32]]);
        assert_eq!(known.take(at(0), &text, &[2; 32]), Right::No);
        assert_eq!(known.recovery_codes_left(), 1);
    }

    #[test]
    fn after_a_rollback_no_code_up_to_now_works() {
        let mut known = authenticator(Some(at(0)));
        known.recovery = vec![[1; 32]];
        known.end_codes(at(3_000));
        assert_eq!(known.recovery_codes_left(), 0);
        for step in 99..=101 {
            assert_eq!(taken(&mut known, 3_000, step), Right::No);
        }
        assert_eq!(taken(&mut known, 3_030, 102), Right::Yes);
        known.end_codes(at(0));
        assert_eq!(known.last_step, 102, "an earlier moment gives none back");
    }

    #[test]
    fn dashes_spaces_and_case_of_a_recovery_code_do_not_matter() {
        assert_eq!(without_dashes(" abcd-EFGH 2345 "), "ABCDEFGH2345");
    }
}
