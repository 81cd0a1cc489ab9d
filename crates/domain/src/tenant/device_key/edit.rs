//! Changes, blocks and deletes device keys.

use std::sync::Arc;

use super::{DeviceChallenge, DeviceKeyChange, KeyName, KeyPath, KeyPrint, Status};
use crate::core::error::Error;
use crate::core::layer::Layer as _;
use crate::core::record::Record as _;
use crate::core::verdict::{Verdict, allowed};
use crate::tenant::permission::{DeleteKeys, EditKeys, Grant};
use crate::tenant::{Tenants, UserId};

impl Status {
    /// What the audit trail calls setting a key to this status.
    fn action(self) -> &'static str {
        match self {
            Self::Active => "device_key.unblock",
            Self::Blocked => "device_key.block",
        }
    }
}

impl Tenants {
    /// Changes the description of a key, blocked or not.
    pub async fn change_device_key(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<EditKeys>,
        user: UserId,
        name: KeyName,
        change: DeviceKeyChange,
    ) -> Result<(), Error> {
        let now = self.now();
        let path = KeyPath::of(&grant, user, name);
        self.conclude(move |hub, tx| {
            let mut key = allowed!(hub.hold_device_key(tx, &path)?);
            if key.change(change.clone(), now) {
                hub.rows.put(tx, &mut key)?;
                hub.record(tx, path.event(surface, now, "device_key.change", &grant))?;
            }
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Blocks or unblocks a key. Once a key is blocked, none of its signatures counts; blocking drops its challenges.
    /// The audit trail records the call even if the key has this status already.
    pub async fn set_device_key_status(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<EditKeys>,
        user: UserId,
        name: KeyName,
        status: Status,
    ) -> Result<(), Error> {
        let now = self.now();
        let path = KeyPath::of(&grant, user, name);
        self.conclude(move |hub, tx| {
            let mut key = allowed!(hub.hold_device_key(tx, &path)?);
            if status == Status::Blocked {
                tx.remove_children(DeviceChallenge::KIND, &key.id())?;
            }
            if key.set_status(status, now) {
                hub.rows.put(tx, &mut key)?;
            }
            hub.record(tx, path.event(surface, now, status.action(), &grant))?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Deletes a key. Its name and its public key may be registered again, as a new key.
    pub async fn delete_device_key(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<DeleteKeys>,
        user: UserId,
        name: KeyName,
    ) -> Result<(), Error> {
        let now = self.now();
        let path = KeyPath::of(&grant, user, name);
        self.conclude(move |hub, tx| {
            let key = allowed!(hub.hold_device_key(tx, &path)?);
            tx.remove_children(KeyPrint::KIND, &key.id())?;
            tx.remove_children(DeviceChallenge::KIND, &key.id())?;
            hub.rows.remove(tx, key.key())?;
            hub.record(tx, path.event(surface, now, "device_key.delete", &grant))?;
            Ok(Verdict::Done(()))
        })
        .await
    }
}
