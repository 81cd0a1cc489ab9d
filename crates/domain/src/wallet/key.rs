//! Keys made by a user's device and a signing server together: who owns which.
//!
//! 1. [`Wallets::allow_making`]: a registered device may begin; that is remembered for an hour.
//! 2. [`Wallets::note_key`]: the key exists. It belongs to the device's user, for ever.
//!
//! Ownership is by user, not by device: a recovered share must be usable from the next phone.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::port::store::{Order, Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::{Timestamp, hours};
use crate::proof::federated::FederatedUser;
use crate::trail::audit::Event;
use crate::wallet::Wallets;
use crate::wallet::device::WalletDevice;
use crate::wallet::{DeviceId, SigningAnswer};

/// Most keys in one list; a user has a handful.
const LISTED: usize = 1000;

/// The name of a key, as sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WalletKeyId(String);

impl WalletKeyId {
    /// `[A-Za-z0-9_.:+/=-]{1,128}`.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:+/=-".contains(&byte);
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(allowed);
        fits.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Lower case where the whole id is hex: how signing servers' ids are kept.
    pub(crate) fn normal(&self) -> Self {
        if self.0.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Self(self.0.to_ascii_lowercase())
        } else {
            self.clone()
        }
    }

    /// Lower-case hex of an id that is 32 bytes in another spelling.
    pub(crate) fn respelled(&self) -> Option<Self> {
        if self.0.len() == 64 && self.0.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(self.normal());
        }
        let bare = self.0.trim_end_matches('=');
        let bytes = STANDARD_NO_PAD
            .decode(bare)
            .or_else(|_| URL_SAFE_NO_PAD.decode(bare));
        let bytes = bytes.ok().filter(|bytes| bytes.len() == 32)?;
        Some(Self(hex::encode(bytes)))
    }
}

/// The record of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WalletKey {
    pub(crate) name: String,
    pub(crate) user: [u8; 16],
    pub(crate) created: Timestamp,
    /// Where it was made; `None` when a backup named it first.
    pub(crate) origin: Option<Origin>,
    /// The share kept for it.
    pub(crate) backup: Option<Backup>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) device: String,
    pub(crate) instance: String,
}

/// Which revision is current, since when, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Backup {
    pub(crate) revision: u32,
    pub(crate) stored: Timestamp,
    pub(crate) chars: u64,
}

impl Record for WalletKey {
    const KIND: Kind = "wallet_key";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// A device was allowed to make a key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeyCreation {
    expires: Timestamp,
}

impl Record for KeyCreation {
    const KIND: Kind = "wallet_setup";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// The kind of a setup's rows, for whoever removes a user.
pub(crate) const SETUPS: &str = KeyCreation::KIND;

/// What a signing server says about a new key.
#[derive(Debug, Clone)]
pub struct KeyNotice {
    pub device: DeviceId,
    pub key: WalletKeyId,
    /// 64 lower-case hex digits.
    pub instance: String,
}

/// A key as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletKeyState {
    pub name: String,
    pub created: Timestamp,
    pub backed_up: Option<Timestamp>,
    /// Characters of the current share.
    pub chars: u64,
}

impl Wallets {
    pub(crate) fn wallet_key_row(&self, key: &WalletKeyId) -> RowId {
        self.rows.id(WalletKey::KIND, &[key.as_str().as_bytes()])
    }

    /// The user's keys, newest first.
    pub async fn wallet_keys(
        self: &Arc<Self>,
        bearer: &FederatedUser,
    ) -> Result<Vec<WalletKeyState>, Error> {
        let user = self.wallet_user(bearer);
        self.known_user(user).await?;
        self.read(move |hub, tx| hub.wallet_keys_in(tx, user)).await
    }

    pub(crate) fn wallet_keys_in(
        &self,
        tx: &mut dyn Tx,
        user: RowId,
    ) -> TxResult<Vec<WalletKeyState>> {
        let page = Page {
            order: Order::Descending,
            after: None,
            limit: LISTED,
        };
        let keys = self.rows.children::<WalletKey>(tx, &user, page)?;
        let state = |key: Stored<WalletKey>| WalletKeyState {
            created: key.created,
            backed_up: key.backup.map(|backup| backup.stored),
            chars: key.backup.map_or(0, |backup| backup.chars),
            name: key.value.name,
        };
        Ok(keys.into_iter().map(state).collect())
    }

    /// Step 1: whether the device may make a key with a signing server.
    pub async fn allow_making(
        self: &Arc<Self>,
        caller: Caller,
        device: DeviceId,
        instance: String,
    ) -> Result<SigningAnswer, Error> {
        let now = self.now();
        let row = self.device_row(&device);
        self.write(move |hub, tx| {
            let found = hub.peek_device(tx, row)?;
            let Some(device) = found.filter(|device| device.deactivated.is_none()) else {
                return Ok(SigningAnswer::Reject);
            };
            let id = hub
                .rows
                .id(KeyCreation::KIND, &[&row.0, instance.as_bytes()]);
            let expires = now.plus(hours(1));
            match hub.rows.get::<KeyCreation>(tx, &id)? {
                Some(mut known) => {
                    known.expires = expires;
                    known.place.due = Some(expires);
                    hub.rows.put(tx, &mut known)?;
                }
                None => {
                    let place = Place::at(id)
                        .of(row)
                        .ranked(hub.sending.rank(now))
                        .due(expires);
                    let setup = KeyCreation { expires };
                    hub.rows.create(tx, hub.tenant(), place, setup)?;
                }
            }
            let event = Self::use_event(&caller, now, "key.make", &device);
            hub.record(tx, event)?;
            Ok(SigningAnswer::Allow)
        })
        .await
    }

    /// Step 2: a key exists. `Reject` unless its device may have made it and nobody else owns it.
    pub async fn note_key(
        self: &Arc<Self>,
        caller: Caller,
        notice: KeyNotice,
    ) -> Result<SigningAnswer, Error> {
        let now = self.now();
        let device = self.device_row(&notice.device);
        self.write(move |hub, tx| hub.note_key_in(tx, now, &caller, &notice, device))
            .await
    }

    fn note_key_in(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        notice: &KeyNotice,
        row: RowId,
    ) -> TxResult<SigningAnswer> {
        let found = self.peek_device(tx, row)?;
        let Some(device) = found.filter(|device| device.deactivated.is_none()) else {
            return Ok(SigningAnswer::Reject);
        };
        let key = notice.key.normal();
        let event = Self::use_event(caller, now, "key.note", &device).fact("key", key.as_str());
        if !self.was_set_up(tx, now, row)? {
            self.record(tx, event.outcome("no setup"))?;
            return Ok(SigningAnswer::Reject);
        }
        let id = self.wallet_key_row(&key);
        if let Some(known) = self.rows.get::<WalletKey>(tx, &id)? {
            if known.user == device.user {
                return Ok(SigningAnswer::Allow);
            }
            self.record(tx, event.outcome("another user's key"))?;
            return Ok(SigningAnswer::Reject);
        }
        let origin = Origin {
            device: device.key.clone(),
            instance: notice.instance.clone(),
        };
        self.own_key(tx, now, RowId(device.user), &key, Some(origin))?;
        self.record(tx, event)?;
        Ok(SigningAnswer::Allow)
    }

    /// Makes `user` the owner of a key that nobody owns.
    pub(crate) fn own_key(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        user: RowId,
        key: &WalletKeyId,
        origin: Option<Origin>,
    ) -> TxResult<Stored<WalletKey>> {
        let place = Place::at(self.wallet_key_row(key))
            .of(user)
            .ranked(self.sending.rank(now));
        let record = WalletKey {
            name: key.as_str().to_owned(),
            user: user.0,
            created: now,
            origin,
            backup: None,
        };
        self.rows.create(tx, self.tenant(), place, record)
    }

    /// Whether the device was allowed to make a key within the last hour.
    fn was_set_up(&self, tx: &mut dyn Tx, now: Timestamp, device: RowId) -> TxResult<bool> {
        let youngest = Page {
            order: Order::Descending,
            after: None,
            limit: 16,
        };
        let setups = self.rows.children::<KeyCreation>(tx, &device, youngest)?;
        Ok(setups.iter().any(|setup| now < setup.expires))
    }

    pub(crate) fn use_event(
        caller: &Caller,
        now: Timestamp,
        action: &str,
        device: &Stored<WalletDevice>,
    ) -> Event {
        Self::wallet_event(caller, now, action, RowId(device.user))
            .fact("device", device.id().alias())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_two_bytes_have_several_spellings() {
        let hex = "ab".repeat(32);
        let id = |text: &str| WalletKeyId::parse(text).unwrap();
        for spelling in [
            hex.to_uppercase(),
            hex.clone(),
            base64::engine::general_purpose::STANDARD.encode([0xab; 32]),
            URL_SAFE_NO_PAD.encode([0xab; 32]),
        ] {
            assert_eq!(id(&spelling).respelled(), Some(id(&hex)), "{spelling}");
        }
        assert_eq!(id("wallet-1").respelled(), None);
        assert_eq!(id("ABC").normal(), id("abc"));
        assert_eq!(id("ABX").normal(), id("ABX"));
        for bad in ["", "a b", "ä", &"a".repeat(129)] {
            assert_eq!(WalletKeyId::parse(bad), None, "{bad}");
        }
    }
}
