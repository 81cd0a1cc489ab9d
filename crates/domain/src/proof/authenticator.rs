//! Codes of an authenticator app (RFC 6238), and the recovery codes for when it is lost.
//!
//! A code of the app works once: its step, and every earlier one, is remembered as used. A recovery code
//! works once, too. Only keyed tags of recovery codes are kept.

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
use crate::limit::lockout::{Drawn, counted};
use crate::trail::audit::Event;

use super::Proofs;
use super::account::Account;

/// An authenticator of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authenticator {
    pub(crate) secret: [u8; 20],
    /// `None` until the first code was right.
    pub(crate) on_since: Option<Timestamp>,
    /// The newest step that was used.
    pub(crate) last_step: u64,
    pub(crate) pepper: u32,
    pub(crate) recovery: Vec<[u8; 32]>,
}

impl Authenticator {
    pub(crate) fn is_on(&self) -> bool {
        self.on_since.is_some()
    }

    /// Ends the codes of the app up to `now`, and all recovery codes: which of them were used is forgotten.
    pub(crate) fn end_codes(&mut self, now: Timestamp) {
        let newest = totp::step_at(now.seconds()) + DRIFT;
        self.last_step = self.last_step.max(newest);
        self.recovery.clear();
    }

    pub(crate) fn recovery_codes_left(&self) -> usize {
        self.recovery.len()
    }
}

/// Steps that an app's clock may be off, each way.
const DRIFT: u64 = 1;

impl Proofs {
    /// Judges a code of the app, or a recovery code, and counts a wrong one.
    #[expect(
        clippy::too_many_arguments,
        reason = "one private step of many operations"
    )]
    pub(crate) fn judge_authenticator(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        account: &mut Stored<Account>,
        text: &SecretText,
        (row, rules): Drawn,
        then: OnSuccess,
    ) -> TxResult<Result<(), Refusal>> {
        let judged = self.judge_at_once(tx, now, &counted((row, rules), then), |tx| {
            if !self.uses_authenticator(now, account, text)? {
                return Ok(Finding::Wrong(()));
            }
            self.rows.put(tx, account)?;
            Ok(Finding::Right(()))
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
        let event = Event::new(
            caller.surface,
            now,
            "authenticator.present",
            account.person.to_string(),
        );
        self.record(tx, event.by(caller).outcome(outcome))?;
        Ok(verdict)
    }

    fn uses_authenticator(
        &self,
        now: Timestamp,
        account: &mut Account,
        text: &SecretText,
    ) -> Result<bool, Error> {
        let recovery = plain(text.expose());
        let tag = self.recovery_tag(account, &recovery)?;
        let Some(authenticator) = &mut account.authenticator else {
            return Ok(false);
        };
        let step = totp::step_at(now.seconds());
        for candidate in step.saturating_sub(DRIFT)..=step + DRIFT {
            let digits = totp::digits(&authenticator.secret, candidate);
            let right: bool = digits.as_bytes().ct_eq(text.expose().as_bytes()).into();
            if right && candidate > authenticator.last_step {
                authenticator.last_step = candidate;
                return Ok(true);
            }
        }
        let known = authenticator.recovery.len();
        authenticator
            .recovery
            .retain(|kept| !bool::from(kept.ct_eq(&tag)));
        Ok(authenticator.recovery.len() < known)
    }

    pub(crate) fn recovery_tag(&self, account: &Account, code: &str) -> Result<[u8; 32], Error> {
        let pepper = account
            .authenticator
            .as_ref()
            .map_or(1, |known| known.pepper);
        let parts: [&[u8]; 3] = [b"recovery code", account.person.as_bytes(), code.as_bytes()];
        Ok(*self.roots.prf(Root::Pepper, pepper, &parts)?.expose())
    }
}

/// Without the dashes and spaces that people see, in upper case.
fn plain(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_uppercase())
        .collect()
}
