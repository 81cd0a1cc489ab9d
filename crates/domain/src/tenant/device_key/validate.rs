//! Checks whether a device signed a challenge.
//!
//! 1. A challenge of the caller: the check reads the key's row, and writes nothing if the signature is right. The
//!    audit trail hears of it within a second, in a batch (`Trail::record_soon`).
//! 2. A challenge of this server: one transaction uses it up, whatever the outcome, and records the check.
//! 3. A transaction counts a wrong signature in the key's row. No node checks a key with too many in a minute until the
//!    minute is over. The limit never makes a right signature count as wrong.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::device_key::PublicKey;

use super::{CHALLENGE_PREFIX, DeviceKey, KeyName, KeyPath, Status};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::tenant::permission::{Execute, Grant};
use crate::tenant::{Tenants, UserId};
use crate::trail::audit::Event;

/// The outcome of a check. The caller learns nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    Valid,
    Invalid,
}

/// Why a signature counts or not, for the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Valid,
    Blocked,
    WrongSignature,
    /// The application accepts only challenges of this server.
    ForeignChallenge,
    /// The challenge was made by this server, but is used, expired, or another key's.
    UnknownChallenge,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Blocked => "blocked",
            Self::WrongSignature => "wrong_signature",
            Self::ForeignChallenge => "foreign_challenge",
            Self::UnknownChallenge => "unknown_challenge",
        }
    }

    fn checked(self) -> Checked {
        match self {
            Self::Valid => Checked::Valid,
            _ => Checked::Invalid,
        }
    }
}

/// A challenge, and its signature as the caller presents it: in base64.
#[derive(Debug, Clone)]
pub struct SignedChallenge {
    pub challenge: String,
    pub signature: String,
}

impl SignedChallenge {
    fn is_over_own_challenge(&self) -> bool {
        self.challenge.starts_with(CHALLENGE_PREFIX)
    }
}

impl Tenants {
    /// Checks the signature of a challenge. `Limited` after too many wrong signatures of the key in a minute,
    /// `WrongState` if the person has no such key, `UnknownSubject` if the person is no member.
    pub async fn check_device_signature(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Execute>,
        user: UserId,
        name: KeyName,
        signed: SignedChallenge,
    ) -> Result<Checked, Error> {
        let now = self.now();
        let path = KeyPath::of(&grant, user, name);
        let key = self.fetch_device_key(&path).await?;
        self.check_misses(&key, now)?;
        let event = path.event(surface, now, "device_key.validate", &grant);
        if signed.is_over_own_challenge() {
            return self.check_over_own_challenge(event, path, signed).await;
        }
        let reason = if grant.server_challenges_only() {
            Reason::ForeignChallenge
        } else {
            judge(&key, &signed)?
        };
        let event = event.outcome(reason.name());
        if reason == Reason::Valid {
            self.record_soon(event).await?;
        } else {
            self.count_miss(now, path, event).await?;
        }
        Ok(reason.checked())
    }

    /// Uses the challenge up and checks the signature in one transaction.
    async fn check_over_own_challenge(
        self: &Arc<Self>,
        event: Event,
        path: KeyPath,
        signed: SignedChallenge,
    ) -> Result<Checked, Error> {
        let now = self.now();
        let event = Event { at: now, ..event }.fact("challenge", "server");
        self.conclude(move |hub, tx| {
            let mut key = allowed!(hub.hold_device_key(tx, &path)?);
            allowed!(hub.check_misses(&key, now));
            let reason = if hub.take_challenge(tx, key.key(), &signed.challenge, now)? {
                judge(&key, &signed)?
            } else {
                Reason::UnknownChallenge
            };
            if reason != Reason::Valid {
                hub.save_miss(tx, &mut key, now)?;
            }
            hub.record(tx, event.clone().outcome(reason.name()))?;
            Ok(Verdict::Done(reason.checked()))
        })
        .await
    }

    async fn count_miss(
        self: &Arc<Self>,
        now: Timestamp,
        path: KeyPath,
        event: Event,
    ) -> Result<(), Error> {
        self.conclude(move |hub, tx| {
            let mut key = allowed!(hub.hold_device_key(tx, &path)?);
            allowed!(hub.check_misses(&key, now));
            hub.save_miss(tx, &mut key, now)?;
            hub.record(tx, event.clone())?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    fn save_miss(
        &self,
        tx: &mut dyn Tx,
        key: &mut Stored<DeviceKey>,
        now: Timestamp,
    ) -> TxResult<()> {
        key.misses = key.misses.one_more(now);
        self.rows.put(tx, key)
    }

    fn check_misses(&self, key: &DeviceKey, now: Timestamp) -> Result<(), Refusal> {
        key.misses.check(now, self.policy.misses_per_minute)
    }
}

/// Judges a signature by the status and the public key of one row. A record that holds no public key is a bug.
fn judge(key: &DeviceKey, signed: &SignedChallenge) -> Result<Reason, Error> {
    if key.status != Status::Active {
        return Ok(Reason::Blocked);
    }
    let spki = STANDARD.decode(&key.spki).map_err(Error::bug)?;
    let public = PublicKey::from_spki(&spki).map_err(Error::bug)?;
    let message = signed.challenge.as_bytes();
    if public.verify(message, &signed.signature).is_valid() {
        return Ok(Reason::Valid);
    }
    if tracing::enabled!(tracing::Level::DEBUG)
        && let Some(length) = public.diagnose_salt(message, &signed.signature)
    {
        tracing::debug!(key.id = %key.name, "the salt of the signature has {length} bytes instead of 32");
    }
    Ok(Reason::WrongSignature)
}

#[cfg(test)]
mod tests {
    use super::super::tests::key;
    use super::*;

    /// For the base point as the public key the private key is 1, and with a nonce of 1 the signature of a digest `z`
    /// is `r = x(G)`, `s = z + r` modulo the order of the curve.
    const SIGNED: (&str, &str) = (
        "a challenge",
        "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZS3K2M4gxyaoUjfdJo2eR5YIdyYQBtbmwsLZj09mWygg==",
    );

    fn signed(challenge: &str, signature: &str) -> SignedChallenge {
        SignedChallenge {
            challenge: challenge.to_owned(),
            signature: signature.to_owned(),
        }
    }

    #[test]
    fn the_signature_of_an_active_key_counts() {
        let reason = judge(&key(), &signed(SIGNED.0, SIGNED.1)).unwrap();
        assert_eq!(reason, Reason::Valid);
    }

    #[test]
    fn a_signature_of_another_challenge_does_not_count() {
        for (challenge, signature) in [("another", SIGNED.1), (SIGNED.0, ""), (SIGNED.0, "AAAA")] {
            let reason = judge(&key(), &signed(challenge, signature)).unwrap();
            assert_eq!(reason, Reason::WrongSignature, "{challenge} {signature}");
        }
    }

    #[test]
    fn a_blocked_key_is_blocked_whatever_is_signed() {
        let mut blocked = key();
        blocked.set_status(Status::Blocked, Timestamp::from_millis(1));
        for signature in [SIGNED.1, ""] {
            let reason = judge(&blocked, &signed(SIGNED.0, signature)).unwrap();
            assert_eq!(reason, Reason::Blocked);
        }
    }

    #[test]
    fn a_record_without_a_public_key_is_a_bug() {
        for spki in ["", "not base64", "AAAA"] {
            let broken = DeviceKey {
                spki: spki.to_owned(),
                ..key()
            };
            let judged = judge(&broken, &signed(SIGNED.0, SIGNED.1));
            assert!(matches!(judged, Err(Error::Bug(_))), "{spki:?}");
        }
    }

    #[test]
    fn callers_learn_only_whether_a_signature_counts() {
        assert_eq!(Reason::Valid.checked(), Checked::Valid);
        let others = [
            Reason::Blocked,
            Reason::WrongSignature,
            Reason::ForeignChallenge,
            Reason::UnknownChallenge,
        ];
        for reason in others {
            assert_eq!(reason.checked(), Checked::Invalid, "{}", reason.name());
        }
    }

    #[test]
    fn a_challenge_of_this_server_is_known_by_how_it_begins() {
        for (challenge, own) in [
            ("dkc1.abc", true),
            ("dkc1.", true),
            ("dkc2.abc", false),
            ("", false),
        ] {
            assert_eq!(
                signed(challenge, "").is_over_own_challenge(),
                own,
                "{challenge}"
            );
        }
    }
}
