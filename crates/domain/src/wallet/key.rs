//! Keys made by a user's device and a signing server together: who owns which.
//!
//! A key belongs to a user for ever, and not to a device: a recovered share must be usable from the next phone.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Kind, Order, Page, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::proof::federated::FederatedUser;
use crate::wallet::Wallets;
use crate::wallet::key_id::WalletKeyId;
use crate::wallet::user::WalletUser;

/// Most keys in one list; a user has a handful.
const LISTED: usize = 1000;

/// The record of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WalletKey {
    pub(super) name: String,
    pub(super) user: Id<WalletUser>,
    pub(super) created: Timestamp,
    /// Where it was made; `None` if a backup named it first.
    pub(super) origin: Option<Origin>,
    /// The share that is stored for it.
    pub(super) backup: Option<Backup>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(super) device: String,
    pub(super) instance: String,
}

/// Which revision is current, since when, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Backup {
    pub(super) revision: u32,
    pub(super) stored: Timestamp,
    pub(super) chars: u64,
}

impl Record for WalletKey {
    const KIND: Kind = "wallet_key";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
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

impl From<WalletKey> for WalletKeyState {
    fn from(key: WalletKey) -> Self {
        Self {
            created: key.created,
            backed_up: key.backup.map(|backup| backup.stored),
            chars: key.backup.map_or(0, |backup| backup.chars),
            name: key.name,
        }
    }
}

impl Wallets {
    pub(super) fn wallet_key_row(&self, key: &WalletKeyId) -> Id<WalletKey> {
        self.rows.named(&[key.as_str().as_bytes()])
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

    pub(super) fn wallet_keys_in(
        &self,
        tx: &mut dyn Tx,
        user: Id<WalletUser>,
    ) -> TxResult<Vec<WalletKeyState>> {
        let page = Page {
            order: Order::Descending,
            after: None,
            limit: LISTED,
        };
        let keys = self.rows.children::<WalletKey>(tx, &user.row(), page)?;
        Ok(keys.into_iter().map(|key| key.value.into()).collect())
    }

    /// Makes `user` the owner of a key that nobody owns.
    pub(super) fn own_key(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        user: Id<WalletUser>,
        key: &WalletKeyId,
        origin: Option<Origin>,
    ) -> TxResult<Stored<WalletKey>> {
        let place = Place::at(self.wallet_key_row(key))
            .of(user)
            .ranked(self.sending.rank(now));
        let record = WalletKey {
            name: key.as_str().to_owned(),
            user,
            created: now,
            origin,
            backup: None,
        };
        self.rows.create(tx, self.tenant(), place, record)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::wallet::device::tests::{at, user};

    /// A key of a user without a share.
    pub(in crate::wallet) fn key(owner: u8) -> WalletKey {
        WalletKey {
            name: "key-1".to_owned(),
            user: user(owner),
            created: at(0),
            origin: None,
            backup: None,
        }
    }

    #[test]
    fn an_owner_sees_whether_a_share_is_stored_and_how_long_it_is() {
        let state = WalletKeyState::from(key(1));
        assert_eq!((state.backed_up, state.chars), (None, 0));
        let mut key = key(1);
        key.backup = Some(Backup {
            revision: 3,
            stored: at(5),
            chars: 12,
        });
        let state = WalletKeyState::from(key);
        assert_eq!((state.backed_up, state.chars), (Some(at(5)), 12));
        assert_eq!((state.name.as_str(), state.created), ("key-1", at(0)));
    }

    #[test]
    fn a_key_is_stored_with_the_same_bytes_as_before_its_owner_had_a_type() {
        let stored = serde_json::to_value(key(3)).unwrap();
        assert_eq!(stored["user"], serde_json::json!(vec![3; 16]));
    }
}
