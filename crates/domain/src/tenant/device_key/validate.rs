//! Whether a device signed a challenge.
//!
//! 1. The caller's challenge: one read of the key's row; nothing is written when the signature is right.
//!    The trail hears of it within a second, in a batch (`Trail::record_soon`).
//! 2. This server's challenge: taken in a transaction, whatever the outcome, with its audit row.
//! 3. A wrong signature is counted in the key's row, in a transaction; a key with too many in a minute
//!    is not checked until the minute is over, on no node. A right signature never becomes wrong by it.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::device_key::PublicKey;
use serde::{Deserialize, Serialize};

use super::{CHALLENGE_PREFIX, DeviceKey, KeyName, Status, key_event};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::tenant::Tenants;
use crate::tenant::UserId;
use crate::tenant::permission::{Execute, Grant};

/// The one thing a caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    Valid,
    Invalid,
}

/// What the trail is told beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Valid,
    Blocked,
    WrongSignature,
    /// The application takes only challenges of this server.
    ForeignChallenge,
    /// A challenge of this server that is used, over, or another key's.
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
}

/// Wrong signatures in the running minute, which begins with the first of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Misses {
    since: Option<Timestamp>,
    count: u32,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Misses {
    pub(super) const NONE: Self = Self {
        since: None,
        count: 0,
    };

    pub(super) fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// The end of the minute, when it has seen `limit` misses. A limit of 0 is off.
    fn full_until(self, now: Timestamp, limit: u32) -> Option<Timestamp> {
        let end = self.since?.plus(MINUTE);
        (limit > 0 && self.count >= limit && now < end).then_some(end)
    }

    fn one_more(self, now: Timestamp) -> Self {
        match self.since {
            Some(since) if now < since.plus(MINUTE) => Self {
                count: self.count + 1,
                ..self
            },
            _ => Self {
                since: Some(now),
                count: 1,
            },
        }
    }
}

/// A signature to check.
#[derive(Clone)]
pub(super) struct Presented {
    pub(super) challenge: String,
    pub(super) signature: String,
}

impl Tenants {
    /// Checks a signature over a challenge.
    pub async fn check_device_signature(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Execute>,
        user: UserId,
        name: KeyName,
        challenge: String,
        signature: String,
    ) -> Result<Checked, Error> {
        let now = self.now();
        let key = self
            .fetch_device_key(grant.application(), &user, &name)
            .await?;
        self.refuse_if_full(&key, now)?;
        let presented = Presented {
            challenge,
            signature,
        };
        if presented.challenge.starts_with(CHALLENGE_PREFIX) {
            return self
                .check_over_own_challenge(surface, grant, user, name, presented)
                .await;
        }
        let reason = if grant.server_challenges_only() {
            Reason::ForeignChallenge
        } else {
            judge(&key, &presented)?
        };
        let event = key_event(
            surface,
            now,
            "device_key.validate",
            &user,
            &name,
            grant.application(),
        )
        .fact("by", grant.actor())
        .outcome(reason.name());
        if reason == Reason::Valid {
            self.record_soon(event).await?;
            return Ok(Checked::Valid);
        }
        self.write(move |hub, tx| {
            let mut key = hub.hold_device_key(tx, grant.application(), &user, &name)?;
            hub.refuse_if_full(&key, now)?;
            key.misses = key.misses.one_more(now);
            hub.rows.put(tx, &mut key)?;
            hub.record(tx, event.clone())
        })
        .await?;
        Ok(Checked::Invalid)
    }

    /// Takes the challenge and judges the signature in one transaction.
    async fn check_over_own_challenge(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Execute>,
        user: UserId,
        name: KeyName,
        presented: Presented,
    ) -> Result<Checked, Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let mut key = hub.hold_device_key(tx, grant.application(), &user, &name)?;
            hub.refuse_if_full(&key, now)?;
            let reason = if hub.take_challenge(tx, key.id(), &presented.challenge, now)? {
                judge(&key, &presented)?
            } else {
                Reason::UnknownChallenge
            };
            if reason != Reason::Valid {
                key.misses = key.misses.one_more(now);
                hub.rows.put(tx, &mut key)?;
            }
            let event = key_event(
                surface,
                now,
                "device_key.validate",
                &user,
                &name,
                grant.application(),
            );
            let event = event.fact("by", grant.actor()).fact("challenge", "server");
            hub.record(tx, event.outcome(reason.name()))?;
            Ok(if reason == Reason::Valid {
                Checked::Valid
            } else {
                Checked::Invalid
            })
        })
        .await
    }

    fn refuse_if_full(&self, key: &DeviceKey, now: Timestamp) -> Result<(), Refusal> {
        match key.misses.full_until(now, self.policy.misses_per_minute) {
            Some(until) => Err(Refusal::Limited { until }),
            None => Ok(()),
        }
    }
}

/// Pure: the status and the signature, both of one row.
fn judge(key: &Stored<DeviceKey>, presented: &Presented) -> Result<Reason, Error> {
    if key.status != Status::Active {
        return Ok(Reason::Blocked);
    }
    let spki = STANDARD.decode(&key.spki).map_err(Error::bug)?;
    let public = PublicKey::from_spki(&spki).map_err(Error::bug)?;
    let message = presented.challenge.as_bytes();
    if public.verify(message, &presented.signature).is_valid() {
        return Ok(Reason::Valid);
    }
    if tracing::enabled!(tracing::Level::DEBUG)
        && let Some(length) = public.diagnose_salt(message, &presented.signature)
    {
        tracing::debug!(key.id = %key.name, "salt length {length} instead of 32");
    }
    Ok(Reason::WrongSignature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)
    }

    #[test]
    fn the_minute_begins_with_the_first_miss_and_ends_sixty_seconds_later() {
        let mut misses = Misses::NONE;
        for second in 0..3 {
            assert_eq!(misses.full_until(at(second), 3), None);
            misses = misses.one_more(at(second));
        }
        assert_eq!(misses.full_until(at(3), 3), Some(at(60)));
        assert_eq!(misses.full_until(at(59), 3), Some(at(60)));
        assert_eq!(misses.full_until(at(60), 3), None);
        assert_eq!(misses.full_until(at(3), 0), None);
        assert_eq!(
            misses.one_more(at(60)),
            Misses {
                since: Some(at(60)),
                count: 1
            }
        );
    }
}
