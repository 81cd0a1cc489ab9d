//! Challenges that this server makes for a key, each good for one check.
//!
//! The row's id is a keyed hash of key and challenge, so a challenge of another key, application or tenant does not
//! exist for this one. The server does not keep the challenge itself.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{DeviceKey, KeyName, KeyPath};
use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::random::bytes;
use crate::core::port::store::{Kind, Page, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::tenant::permission::{Execute, Grant};
use crate::tenant::{Tenants, UserId};

/// What every challenge of this server begins with.
pub const CHALLENGE_PREFIX: &str = "dkc1.";
/// How many challenges of a key may be outstanding. One more replaces the oldest.
const OUTSTANDING: usize = 10;

/// The record of an outstanding challenge.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DeviceChallenge {
    expires: Timestamp,
}

impl Record for DeviceChallenge {
    const KIND: Kind = "device_challenge";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

impl DeviceChallenge {
    fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires
    }
}

/// How many of the outstanding challenges, oldest first, must go before one more is added.
fn surplus(outstanding: usize) -> usize {
    (outstanding + 1).saturating_sub(OUTSTANDING)
}

/// A challenge on its way to the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedChallenge {
    pub text: String,
    pub expires: Timestamp,
    pub seconds: u64,
}

impl Tenants {
    /// Makes a challenge for a key. The answer does not tell whether the key is blocked. `WrongState` if the person has
    /// no such key, `UnknownSubject` if the person is no member.
    pub async fn issue_device_challenge(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Execute>,
        user: UserId,
        name: KeyName,
    ) -> Result<IssuedChallenge, Error> {
        let now = self.now();
        let life = self.policy.challenge_life;
        let random = bytes::<32>(self.random.as_ref());
        let issued = IssuedChallenge {
            text: format!("{CHALLENGE_PREFIX}{}", URL_SAFE_NO_PAD.encode(random)),
            expires: now.plus(life),
            seconds: life.as_secs(),
        };
        let path = KeyPath::of(&grant, user, name);
        self.conclude(move |hub, tx| {
            let key = allowed!(hub.hold_device_key(tx, &path)?);
            hub.add_challenge(tx, &key, &issued, now)?;
            hub.record(tx, path.event(surface, now, "device_key.challenge", &grant))?;
            Ok(Verdict::Done(issued.clone()))
        })
        .await
    }

    fn add_challenge(
        &self,
        tx: &mut dyn Tx,
        key: &Stored<DeviceKey>,
        issued: &IssuedChallenge,
        now: Timestamp,
    ) -> TxResult<()> {
        let outstanding = tx.children(DeviceChallenge::KIND, &key.id(), Page::ALL)?;
        for oldest in outstanding.iter().take(surplus(outstanding.len())) {
            tx.remove(DeviceChallenge::KIND, &oldest.id)?;
        }
        let expires = issued.expires;
        let place = Place::at(self.challenge_id(key.key(), &issued.text))
            .of(key.key())
            .ranked(now.millis())
            .due(expires);
        self.rows
            .create(tx, key.scope(), place, DeviceChallenge { expires })?;
        Ok(())
    }

    /// Uses a challenge up. Returns whether it was outstanding for this key.
    pub(super) fn take_challenge(
        &self,
        tx: &mut dyn Tx,
        key: Id<DeviceKey>,
        text: &str,
        now: Timestamp,
    ) -> TxResult<bool> {
        let taken = self.rows.take(tx, self.challenge_id(key, text))?;
        Ok(taken.is_some_and(|challenge| challenge.is_live(now)))
    }

    fn challenge_id(&self, key: Id<DeviceKey>, text: &str) -> Id<DeviceChallenge> {
        self.rows.named(&[key.as_bytes(), text.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_lives_until_it_expires() {
        let challenge = DeviceChallenge {
            expires: Timestamp::from_millis(1_000),
        };
        assert!(challenge.is_live(Timestamp::from_millis(999)));
        assert!(!challenge.is_live(Timestamp::from_millis(1_000)));
    }

    #[test]
    fn one_more_than_ten_challenges_replaces_the_oldest() {
        assert_eq!([0, 9, 10, 12].map(surplus), [0, 0, 1, 3]);
    }
}
