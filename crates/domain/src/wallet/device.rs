//! The record of a device: a P-256 key that belongs to one user world-wide.

use std::sync::Arc;

use crypto::device_signature::DeviceId;
use serde::{Deserialize, Serialize};

use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Kind, Order, Page, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::proof::federated::FederatedUser;
use crate::wallet::Wallets;
use crate::wallet::user::WalletUser;

/// The record of a device; its id is a keyed hash of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WalletDevice {
    pub(super) key: String,
    pub(super) user: Id<WalletUser>,
    pub(super) name: Option<String>,
    pub(super) added: Timestamp,
    pub(super) deactivated: Option<Timestamp>,
}

impl Record for WalletDevice {
    const KIND: Kind = "wallet_device";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

impl WalletDevice {
    pub(super) fn is_active(&self) -> bool {
        self.deactivated.is_none()
    }

    /// Switches the device off. Returns whether it was on.
    pub(super) fn deactivate(&mut self, now: Timestamp) -> bool {
        let active = self.is_active();
        if active {
            self.deactivated = Some(now);
        }
        active
    }
}

/// A device as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceState {
    pub key: String,
    pub name: Option<String>,
    pub active: bool,
    pub added: Timestamp,
}

impl From<WalletDevice> for DeviceState {
    fn from(device: WalletDevice) -> Self {
        Self {
            active: device.is_active(),
            added: device.added,
            key: device.key,
            name: device.name,
        }
    }
}

impl Wallets {
    pub(super) fn device_row(&self, device: &DeviceId) -> Id<WalletDevice> {
        self.rows.named(&[device.as_bytes()])
    }

    /// The user's devices, newest first.
    pub async fn devices(
        self: &Arc<Self>,
        bearer: &FederatedUser,
    ) -> Result<Vec<DeviceState>, Error> {
        let user = self.wallet_user(bearer);
        self.known_user(user).await?;
        self.read(move |hub, tx| hub.devices_in(tx, user)).await
    }

    pub(super) fn devices_in(
        &self,
        tx: &mut dyn Tx,
        user: Id<WalletUser>,
    ) -> TxResult<Vec<DeviceState>> {
        let page = Page {
            order: Order::Descending,
            ..Page::ALL
        };
        let devices = self.rows.children::<WalletDevice>(tx, &user.row(), page)?;
        Ok(devices
            .into_iter()
            .map(|device| device.value.into())
            .collect())
    }

    /// The device that a signing server names, if it is registered.
    pub(super) fn peek_device(
        &self,
        tx: &mut dyn Tx,
        row: Id<WalletDevice>,
    ) -> TxResult<Option<Stored<WalletDevice>>> {
        self.rows.peek(tx, row)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::core::port::store::RowId;

    pub(in crate::wallet) fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + second * 1000)
    }

    pub(in crate::wallet) fn user(number: u8) -> Id<WalletUser> {
        Id::new(RowId([number; 16]))
    }

    /// An active device of a user.
    pub(in crate::wallet) fn device(owner: u8) -> WalletDevice {
        WalletDevice {
            key: "04ab".to_owned(),
            user: user(owner),
            name: Some("phone".to_owned()),
            added: at(0),
            deactivated: None,
        }
    }

    #[test]
    fn a_device_is_switched_off_once() {
        let mut device = device(1);
        assert!(device.deactivate(at(5)));
        assert!(!device.deactivate(at(9)));
        assert_eq!(device.deactivated, Some(at(5)));
        assert!(!device.is_active());
    }

    #[test]
    fn an_owner_sees_which_devices_are_active() {
        let mut device = device(1);
        assert!(DeviceState::from(device.clone()).active);
        device.deactivate(at(5));
        let state = DeviceState::from(device);
        assert!(!state.active);
        assert_eq!(
            (state.key.as_str(), state.name.as_deref()),
            ("04ab", Some("phone"))
        );
    }

    #[test]
    fn a_device_is_stored_with_the_same_bytes_as_before_its_owner_had_a_type() {
        let stored = serde_json::to_value(device(3)).unwrap();
        assert_eq!(stored["user"], serde_json::json!(vec![3; 16]));
    }
}
