//! A signing server creates a key with a user's device.
//!
//! 1. [`Wallets::allow_making`]: a registered device may begin; that is remembered for an hour.
//! 2. [`Wallets::note_key`]: the key exists. It belongs to the device's user.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Kind, Order, Page, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::{Timestamp, hours};
use crate::trail::audit::Event;
use crate::wallet::Wallets;
use crate::wallet::device::WalletDevice;
use crate::wallet::key::{Origin, WalletKey};
use crate::wallet::key_id::WalletKeyId;
use crate::wallet::user::WalletUser;
use crate::wallet::{DeviceId, SigningAnswer};

/// A device was allowed to create a key with one instance of a signing server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeyCreation {
    expires: Timestamp,
}

impl Record for KeyCreation {
    const KIND: Kind = "wallet_setup";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// What a signing server says about a new key.
#[derive(Debug, Clone)]
pub struct KeyNotice {
    pub device: DeviceId,
    pub key: WalletKeyId,
    /// 64 lower-case hex digits.
    pub instance: String,
}

/// What becomes of a key that a signing server says exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Noted {
    /// Its device was not allowed to create one lately.
    NotAllowed,
    /// The user owns it already.
    Known,
    AnotherUsers,
    New,
}

impl Noted {
    /// `owner`: whose the key is; not looked at while the device was not allowed to create one.
    fn of(allowed: bool, owner: Option<Id<WalletUser>>, user: Id<WalletUser>) -> Self {
        match owner {
            _ if !allowed => Self::NotAllowed,
            None => Self::New,
            Some(owner) if owner == user => Self::Known,
            Some(_) => Self::AnotherUsers,
        }
    }

    fn answer(self) -> SigningAnswer {
        match self {
            Self::Known | Self::New => SigningAnswer::Allow,
            Self::NotAllowed | Self::AnotherUsers => SigningAnswer::Reject,
        }
    }

    /// The word for the audit trail; `None`: nothing changed.
    fn outcome(self) -> Option<&'static str> {
        match self {
            Self::NotAllowed => Some("no setup"),
            Self::AnotherUsers => Some("another user's key"),
            Self::New => Some("done"),
            Self::Known => None,
        }
    }
}

/// Whether one of these permissions is still good.
fn any_valid<'a>(mut creations: impl Iterator<Item = &'a KeyCreation>, now: Timestamp) -> bool {
    creations.any(|creation| now < creation.expires)
}

impl Wallets {
    /// Step 1: whether the device may create a key with a signing server.
    pub async fn allow_making(
        self: &Arc<Self>,
        caller: Caller,
        device: DeviceId,
        instance: String,
    ) -> Result<SigningAnswer, Error> {
        let now = self.now();
        let row = self.device_row(&device);
        self.write(move |hub, tx| {
            let Some(device) = hub.active_device(tx, row)? else {
                return Ok(SigningAnswer::Reject);
            };
            hub.permit_creation(tx, now, row, &instance)?;
            let event = Self::use_event(&caller, now, "key.make", &device);
            hub.record(tx, event)?;
            Ok(SigningAnswer::Allow)
        })
        .await
    }

    fn active_device(
        &self,
        tx: &mut dyn Tx,
        row: Id<WalletDevice>,
    ) -> TxResult<Option<Stored<WalletDevice>>> {
        let found = self.peek_device(tx, row)?;
        Ok(found.filter(|device| device.is_active()))
    }

    fn permit_creation(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        device: Id<WalletDevice>,
        instance: &str,
    ) -> TxResult<()> {
        let id = self
            .rows
            .named::<KeyCreation>(&[device.as_bytes(), instance.as_bytes()]);
        let expires = now.plus(hours(1));
        match self.rows.get(tx, id)? {
            Some(mut known) => {
                known.expires = expires;
                known.place.due = Some(expires);
                self.rows.put(tx, &mut known)
            }
            None => {
                let place = Place::at(id)
                    .of(device)
                    .ranked(self.sending.rank(now))
                    .due(expires);
                self.rows
                    .create(tx, self.tenant(), place, KeyCreation { expires })?;
                Ok(())
            }
        }
    }

    /// Step 2: a key exists. `Reject` unless its device was allowed to create it and nobody else owns it.
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
        row: Id<WalletDevice>,
    ) -> TxResult<SigningAnswer> {
        let Some(device) = self.active_device(tx, row)? else {
            return Ok(SigningAnswer::Reject);
        };
        let key = notice.key.normal();
        let allowed = self.may_create(tx, now, row)?;
        let owner = if allowed {
            self.key_owner(tx, &key)?
        } else {
            None
        };
        let noted = Noted::of(allowed, owner, device.user);
        if noted == Noted::New {
            let origin = Origin {
                device: device.key.clone(),
                instance: notice.instance.clone(),
            };
            self.own_key(tx, now, device.user, &key, Some(origin))?;
        }
        if let Some(outcome) = noted.outcome() {
            let event = Self::use_event(caller, now, "key.note", &device);
            self.record(tx, event.fact("key", key.as_str()).outcome(outcome))?;
        }
        Ok(noted.answer())
    }

    fn key_owner(&self, tx: &mut dyn Tx, key: &WalletKeyId) -> TxResult<Option<Id<WalletUser>>> {
        let known: Option<Stored<WalletKey>> = self.rows.get(tx, self.wallet_key_row(key))?;
        Ok(known.map(|known| known.user))
    }

    /// Whether the device was allowed to create a key within the last hour.
    fn may_create(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        device: Id<WalletDevice>,
    ) -> TxResult<bool> {
        let youngest = Page {
            order: Order::Descending,
            after: None,
            limit: 16,
        };
        let creations = self
            .rows
            .children::<KeyCreation>(tx, &device.row(), youngest)?;
        Ok(any_valid(creations.iter().map(|found| &found.value), now))
    }

    /// The event of something that a signing server asked about a device.
    pub(super) fn use_event(
        caller: &Caller,
        now: Timestamp,
        action: &str,
        device: &Stored<WalletDevice>,
    ) -> Event {
        Self::wallet_event(caller, now, action, device.user).fact("device", device.id().alias())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::device::tests::{at, user};

    #[test]
    fn a_new_key_belongs_to_the_user_of_the_device_that_was_allowed_to_create_it() {
        let noted = Noted::of(true, None, user(1));
        assert_eq!(noted, Noted::New);
        assert_eq!(noted.answer(), SigningAnswer::Allow);
        assert_eq!(noted.outcome(), Some("done"));
    }

    #[test]
    fn a_key_that_the_user_owns_already_is_allowed_and_leaves_no_event() {
        let noted = Noted::of(true, Some(user(1)), user(1));
        assert_eq!(noted, Noted::Known);
        assert_eq!(noted.answer(), SigningAnswer::Allow);
        assert_eq!(noted.outcome(), None);
    }

    #[test]
    fn another_users_key_cannot_be_taken_over() {
        let noted = Noted::of(true, Some(user(2)), user(1));
        assert_eq!(noted, Noted::AnotherUsers);
        assert_eq!(noted.answer(), SigningAnswer::Reject);
        assert_eq!(noted.outcome(), Some("another user's key"));
    }

    #[test]
    fn without_permission_no_key_is_noted_whoever_owns_it() {
        for owner in [None, Some(user(1)), Some(user(2))] {
            let noted = Noted::of(false, owner, user(1));
            assert_eq!(noted, Noted::NotAllowed);
            assert_eq!(noted.answer(), SigningAnswer::Reject);
            assert_eq!(noted.outcome(), Some("no setup"));
        }
    }

    #[test]
    fn a_permission_is_good_until_it_expires() {
        let creations = [
            KeyCreation { expires: at(10) },
            KeyCreation { expires: at(20) },
        ];
        assert!(any_valid(creations.iter(), at(19)));
        assert!(!any_valid(creations.iter(), at(20)));
        assert!(!any_valid([].into_iter(), at(0)));
    }
}
