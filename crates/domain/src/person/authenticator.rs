//! An authenticator app as a second step (RFC 6238), and recovery codes for when it is lost.
//!
//! 1. [`People::start_authenticator`] draws a secret. It is shown once and does nothing yet.
//! 2. [`People::confirm_authenticator`] turns it on with a first code, and shows ten recovery codes once.
//!
//! A code of the app works once: its step, and every earlier one, is remembered as used. A recovery code
//! is burned when it is used. Only keyed tags of recovery codes are kept.

use std::sync::Arc;

use crypto::totp;

use crate::core::caller::Caller;
use crate::core::error::{Condition, Error, Refusal};
use crate::core::port::random::bytes;
use crate::core::port::roots::Root;
use crate::core::secret::SecretText;
use crate::person::People;
use crate::proof::authenticator::Authenticator;
use crate::proof::session::SignedIn;

use crate::proof::account::Account;
use crate::proof::notice::Change;

/// How many recovery codes there are.
const CODES: usize = 10;
/// Letters of a recovery code, five bits each: sixty bits.
const LETTERS: usize = 12;

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

impl People {
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
            let hub = own.hub;
            let secret: [u8; 20] = bytes(hub.random.as_ref());
            own.account.authenticator = Some(Authenticator {
                secret,
                on_since: None,
                last_step: 0,
                pepper: hub.roots.current(Root::Pepper),
                recovery: Vec::new(),
            });
            own.save()?;
            let event = own.event("authenticator.start");
            hub.record(own.tx, event)?;
            Ok(Ok(hub.new_authenticator(&own.account, &secret)))
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
            let hub = own.hub;
            let mut codes = Vec::with_capacity(CODES);
            let mut tags = Vec::with_capacity(CODES);
            for _ in 0..CODES {
                let code = totp::base32(&bytes::<8>(hub.random.as_ref()))[..LETTERS].to_owned();
                tags.push(hub.recovery_tag(&own.account, &code)?);
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
            hub.record(own.tx, event)?;
            Ok(Ok(RecoveryCodes(codes)))
        })
        .await
    }

    fn new_authenticator(&self, account: &Account, secret: &[u8; 20]) -> NewAuthenticator {
        let service = escaped(&self.policy.passwords.service);
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
