//! Challenges that this server makes for a key, each good for one check.
//!
//! The row's id is a keyed hash of key and challenge, so a challenge of another key, application or
//! tenant does not exist for this one. Of the challenge itself nothing is kept.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{KeyName, key_event};
use crate::core::error::Error;
use crate::core::layer::Layer as _;
use crate::core::port::random::bytes;
use crate::core::port::store::Kind;
use crate::core::port::store::{Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::tenant::Tenants;
use crate::tenant::UserId;
use crate::tenant::permission::{Execute, Grant};

/// What every challenge of this server begins with.
pub const CHALLENGE_PREFIX: &str = "dkc1.";
/// Most outstanding challenges of a key; the oldest gives way.
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

/// A challenge on its way to the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedChallenge {
    pub text: String,
    pub expires: Timestamp,
    pub seconds: u64,
}

impl Tenants {
    /// Makes a challenge for a key. For a blocked one, too: the answer does not tell.
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
        let text = format!("{CHALLENGE_PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
        let issued = IssuedChallenge {
            text,
            expires: now.plus(life),
            seconds: life.as_secs(),
        };
        self.write(move |hub, tx| {
            let key = hub.hold_device_key(tx, grant.application(), &user, &name)?;
            let outstanding = tx.children(DeviceChallenge::KIND, &key.id(), Page::ALL)?;
            for oldest in outstanding
                .iter()
                .take((outstanding.len() + 1).saturating_sub(OUTSTANDING))
            {
                tx.remove(DeviceChallenge::KIND, &oldest.id)?;
            }
            let row = hub.challenge_row(key.id(), &issued.text);
            let place = Place::at(row)
                .of(key.id())
                .ranked(now.millis())
                .due(issued.expires);
            hub.rows.create(
                tx,
                key.scope(),
                place,
                DeviceChallenge {
                    expires: issued.expires,
                },
            )?;
            let event = key_event(
                surface,
                now,
                "device_key.challenge",
                &user,
                &name,
                grant.application(),
            );
            hub.record(tx, event.fact("by", grant.actor()))?;
            Ok(issued.clone())
        })
        .await
    }

    /// Uses a challenge up; whether it was outstanding for this key.
    pub(super) fn take_challenge(
        &self,
        tx: &mut dyn Tx,
        key: RowId,
        text: &str,
        now: Timestamp,
    ) -> TxResult<bool> {
        let row = self.challenge_row(key, text);
        let taken = self.rows.take::<DeviceChallenge>(tx, &row)?;
        Ok(taken.is_some_and(|challenge| now < challenge.expires))
    }

    fn challenge_row(&self, key: RowId, text: &str) -> RowId {
        self.rows
            .id(DeviceChallenge::KIND, &[&key.0, text.as_bytes()])
    }
}
