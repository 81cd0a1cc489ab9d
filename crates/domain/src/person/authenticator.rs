//! An authenticator app as a second step (RFC 6238), and recovery codes for when it is lost.
//!
//! 1. [`People::start_authenticator`] draws a secret. It is shown once and does nothing yet.
//! 2. [`People::confirm_authenticator`] turns it on with a first code, and shows ten recovery codes once.
//!
//! How codes are judged is in [`crate::proof::authenticator`].

use std::sync::Arc;

use crypto::totp;

use crate::core::caller::Caller;
use crate::core::error::{Condition, Error, Refusal};
use crate::core::port::random::bytes;
use crate::core::port::roots::Root;
use crate::core::port::store::TxResult;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::person::People;
use crate::proof::account::Account;
use crate::proof::authenticator::Authenticator;
use crate::proof::notice::Change;
use crate::proof::session::SignedIn;

use super::own::Own;

/// How many recovery codes there are.
const CODES: usize = 10;
/// Characters of a recovery code, five bits each: sixty bits.
const LENGTH: usize = 12;

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

impl Account {
    /// Refuses a new authenticator while one is on.
    fn may_start_authenticator(&self) -> Result<(), Refusal> {
        if self.has_authenticator() {
            return Err(Refusal::Unmet(Condition::FactorOff));
        }
        Ok(())
    }

    /// Refuses a first code unless an authenticator was started and is not on yet.
    fn may_confirm_authenticator(&self) -> Result<(), Refusal> {
        match &self.authenticator {
            None => Err(Refusal::WrongState),
            Some(known) if known.is_on() => Err(Refusal::Unmet(Condition::FactorOff)),
            Some(_) => Ok(()),
        }
    }

    /// Switches the authenticator on. `tags`: of its recovery codes.
    fn confirm_authenticator(&mut self, now: Timestamp, tags: Vec<[u8; 32]>) {
        if let Some(authenticator) = &mut self.authenticator {
            authenticator.on_since = Some(now);
            authenticator.recovery = tags;
        }
        self.has_changed();
    }

    /// The secret as it is shown, for an app of a service of this name.
    fn shown_authenticator(&self, service: &str, secret: &[u8; 20]) -> NewAuthenticator {
        let service = escaped(service);
        let name = self
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

impl People {
    /// Step 1.
    pub async fn start_authenticator(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
    ) -> Result<NewAuthenticator, Error> {
        self.as_owner(caller, who, move |own| {
            allowed!(own.is_fresh());
            allowed!(own.account.may_start_authenticator());
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
            let service = &hub.policy.passwords.service;
            Ok(Verdict::Done(
                own.account.shown_authenticator(service, &secret),
            ))
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
            allowed!(own.is_fresh());
            allowed!(own.account.may_confirm_authenticator());
            allowed!(own.prove_with_authenticator(&text)?);
            let (codes, tags) = own.draw_recovery_codes()?;
            let now = own.now;
            own.account.confirm_authenticator(now, tags);
            own.save()?;
            own.tell(&Change::new("mfa_on"))?;
            let event = own.event("authenticator.on");
            own.hub.record(own.tx, event)?;
            Ok(Verdict::Done(codes))
        })
        .await
    }
}

impl Own<'_> {
    /// Draws recovery codes. Returns them as they are shown, and their tags.
    fn draw_recovery_codes(&self) -> TxResult<(RecoveryCodes, Vec<[u8; 32]>)> {
        let mut codes = Vec::with_capacity(CODES);
        let mut tags = Vec::with_capacity(CODES);
        for _ in 0..CODES {
            let code = recovery_code(bytes(self.hub.random.as_ref()));
            tags.push(self.hub.recovery_tag(&self.account, &code)?);
            codes.push(with_dashes(&code));
        }
        Ok((RecoveryCodes(codes), tags))
    }
}

/// A recovery code of twelve characters.
fn recovery_code(drawn: [u8; 8]) -> String {
    totp::base32(&drawn)[..LENGTH].to_owned()
}

/// A recovery code as it is shown: in groups of four.
fn with_dashes(code: &str) -> SecretText {
    SecretText::new(format!("{}-{}-{}", &code[..4], &code[4..8], &code[8..]))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::account::tests::{anna, at, authenticator};

    #[test]
    fn an_authenticator_is_started_unless_one_is_on() {
        let mut account = anna();
        assert_eq!(account.may_start_authenticator(), Ok(()));
        account.authenticator = Some(authenticator(None));
        assert_eq!(
            account.may_start_authenticator(),
            Ok(()),
            "again, with another secret"
        );
        account.authenticator = Some(authenticator(Some(at(0))));
        assert_eq!(
            account.may_start_authenticator(),
            Err(Refusal::Unmet(Condition::FactorOff))
        );
    }

    #[test]
    fn an_authenticator_is_confirmed_once_after_it_was_started() {
        let mut account = anna();
        assert_eq!(
            account.may_confirm_authenticator(),
            Err(Refusal::WrongState)
        );
        account.authenticator = Some(authenticator(None));
        assert_eq!(account.may_confirm_authenticator(), Ok(()));
        account.confirm_authenticator(at(7), vec![[1; 32]]);
        assert_eq!(
            account.may_confirm_authenticator(),
            Err(Refusal::Unmet(Condition::FactorOff))
        );
        let known = account.authenticator.unwrap();
        assert_eq!(
            (known.on_since, known.recovery_codes_left()),
            (Some(at(7)), 1)
        );
    }

    #[test]
    fn an_app_reads_secret_service_and_address_out_of_the_url() {
        let shown = anna().shown_authenticator("Key ward", &[0; 20]);
        let secret = "A".repeat(32);
        assert_eq!(shown.secret.expose(), secret);
        assert_eq!(
            shown.url.expose(),
            format!(
                "otpauth://totp/Key%20ward:anna%40example.com?secret={secret}&issuer=Key%20ward&algorithm=SHA1&digits=6&period=30"
            )
        );
    }

    #[test]
    fn recovery_codes_are_shown_in_groups_of_four() {
        let code = recovery_code([0xff; 8]);
        assert_eq!(code, "777777777777");
        assert_eq!(with_dashes("ABCDEFGHJKLM").expose(), "ABCD-EFGH-JKLM");
    }

    #[test]
    fn everything_but_plain_letters_is_escaped() {
        assert_eq!(escaped("aZ0-._~"), "aZ0-._~");
        assert_eq!(escaped("a+b ä/"), "a%2Bb%20%C3%A4%2F");
    }
}
