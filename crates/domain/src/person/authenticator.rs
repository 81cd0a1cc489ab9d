//! An authenticator app as a second step (RFC 6238), and recovery codes for when it is lost.
//!
//! 1. [`Keeper::start_authenticator`] draws a secret. It is shown once and does nothing yet.
//! 2. [`Keeper::confirm_authenticator`] turns it on with a first code, and shows ten recovery codes once.
//!
//! A code of the app works once: its step, and every earlier one, is remembered as used. A recovery code
//! is burned when it is used. Only keyed tags of recovery codes are kept.

use std::sync::Arc;

use crypto::totp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::core::error::{Condition, Error, Refusal};
use crate::core::keeper::{Caller, Keeper};
use crate::core::port::random::bytes;
use crate::core::port::roots::Root;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::limit::lockout::{Drawn, Then};
use crate::person::session::SignedIn;
use crate::trail::audit::Event;

use super::account::Account;
use super::notice::Change;

/// An authenticator of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authenticator {
    secret: [u8; 20],
    /// `None` until the first code was right.
    pub(crate) on_since: Option<Timestamp>,
    /// The newest step that was used.
    last_step: u64,
    pepper: u32,
    recovery: Vec<[u8; 32]>,
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

/// A secret to be shown once.
#[derive(Debug)]
pub struct NewAuthenticator {
    /// In base 32.
    pub secret: SecretText,
    /// What an app reads out of a QR code.
    pub url: SecretText,
}

/// Recovery codes to be shown once.
#[derive(Debug)]
pub struct RecoveryCodes(pub Vec<SecretText>);

/// How many recovery codes there are.
const CODES: usize = 10;
/// Letters of a recovery code, five bits each: sixty bits.
const LETTERS: usize = 12;
/// Steps that an app's clock may be off, each way.
const DRIFT: u64 = 1;

impl Keeper {
    /// Step 1.
    pub async fn start_authenticator(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
    ) -> Result<NewAuthenticator, Error> {
        self.as_owner(caller, who, move |own| {
            own.is_fresh()?;
            let known = own.account.authenticator.as_ref();
            if known.is_some_and(Authenticator::is_on) {
                return Ok(Err(Refusal::Unmet(Condition::FactorOff)));
            }
            let keeper = own.keeper;
            let secret: [u8; 20] = bytes(keeper.random.as_ref());
            own.account.authenticator = Some(Authenticator {
                secret,
                on_since: None,
                last_step: 0,
                pepper: keeper.roots.current(Root::Pepper),
                recovery: Vec::new(),
            });
            own.save()?;
            let event = own.event("authenticator.start");
            keeper.record(own.tx, event)?;
            Ok(Ok(keeper.new_authenticator(&own.account, &secret)))
        })
        .await
    }

    /// Step 2.
    pub async fn confirm_authenticator(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        text: SecretText,
    ) -> Result<RecoveryCodes, Error> {
        self.as_owner(caller, who, move |own| {
            own.is_fresh()?;
            match &own.account.authenticator {
                None => return Ok(Err(Refusal::WrongState)),
                Some(known) if known.is_on() => {
                    return Ok(Err(Refusal::Unmet(Condition::FactorOff)));
                }
                Some(_) => {}
            }
            if let Err(refusal) = own.prove_with_authenticator(&text)? {
                return Ok(Err(refusal));
            }
            let keeper = own.keeper;
            let mut codes = Vec::with_capacity(CODES);
            let mut tags = Vec::with_capacity(CODES);
            for _ in 0..CODES {
                let code = totp::base32(&bytes::<8>(keeper.random.as_ref()))[..LETTERS].to_owned();
                tags.push(keeper.recovery_tag(&own.account, &code)?);
                codes.push(SecretText::new(format!(
                    "{}-{}-{}",
                    &code[..4],
                    &code[4..8],
                    &code[8..]
                )));
            }
            if let Some(authenticator) = &mut own.account.authenticator {
                authenticator.on_since = Some(own.now);
                authenticator.recovery = tags;
            }
            own.save()?;
            own.tell("mfa_on", &Change::default())?;
            let event = own.event("authenticator.on");
            keeper.record(own.tx, event)?;
            Ok(Ok(RecoveryCodes(codes)))
        })
        .await
    }

    fn new_authenticator(&self, account: &Account, secret: &[u8; 20]) -> NewAuthenticator {
        let service = escaped(&self.policy.person.passwords.service);
        let name = account
            .ways()
            .next()
            .map(|way| escaped(&way.given))
            .unwrap_or_default();
        let secret = totp::base32(secret);
        let url = format!(
            "otpauth://totp/{service}:{name}?secret={secret}&issuer={service}&algorithm=SHA1&digits=6&period=30"
        );
        NewAuthenticator {
            secret: SecretText::new(secret),
            url: SecretText::new(url),
        }
    }

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
        then: Then,
    ) -> TxResult<Result<(), Refusal>> {
        let mut lockout = self.lockout(tx, now, row)?;
        if let Some(until) = lockout.locked(now, &rules) {
            return Ok(Err(Refusal::Exhausted { until }));
        }
        let right = self.uses_authenticator(now, account, text)?;
        if right {
            if then == Then::Forget {
                lockout.clear();
            }
            self.rows.put(tx, account)?;
        } else {
            lockout.count(now, &rules);
        }
        let left = rules.first.saturating_sub(lockout.in_a_row());
        self.rows.put(tx, &mut lockout)?;
        let event = Event::new(
            caller.surface,
            now,
            "authenticator.present",
            account.person.to_string(),
        );
        self.record(
            tx,
            event
                .by(caller)
                .outcome(if right { "done" } else { "wrong" }),
        )?;
        Ok(if right {
            Ok(())
        } else {
            Err(Refusal::BadProof { left: Some(left) })
        })
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

    fn recovery_tag(&self, account: &Account, code: &str) -> Result<[u8; 32], Error> {
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

/// Percent-encoded, for the label of an `otpauth` address.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
