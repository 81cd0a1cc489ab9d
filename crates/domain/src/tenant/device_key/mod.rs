//! Device keys: public keys that a back end registers for a person, and checks signatures with.
//!
//! ```text
//! (none) --register--> Active --block--> Blocked --unblock--> Active
//! Active, Blocked --delete--> (none)          a signature counts only in Active
//! ```
//!
//! A key belongs to a membership (person and application), which its row's id names: a key of another
//! tenant or application cannot even be asked for. Everything a check needs lies in the key's one row,
//! so the status and the public key of an answer are always of the same moment.

pub(crate) mod challenge;
mod validate;

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
pub use crypto::device_key::{KeyError, PublicKey};
use serde::{Deserialize, Serialize};

pub(crate) use challenge::DeviceChallenge;
pub use challenge::{CHALLENGE_PREFIX, IssuedChallenge};
pub use validate::Checked;
use validate::Misses;

use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::port::store::{Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::tenant::Tenants;
use crate::tenant::permission::{DeleteKeys, EditKeys, Grant, ListKeys, ReadKeys, RegisterKeys};
use crate::tenant::{ApplicationId, Membership, UserId};
use crate::trail::audit::Event;

/// Names a key within one person and application, as the device chose it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyName(String);

impl KeyName {
    /// 1 to 128 characters of `A-Z a-z 0-9 . _ ~ : @ + = -`, and not dots only, which URL libraries swallow.
    pub fn parse(text: String) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~:@+=-".contains(&byte);
        let sound = (1..=128).contains(&text.len())
            && text.bytes().all(plain)
            && text.bytes().any(|byte| byte != b'.');
        sound.then_some(Self(text))
    }

    /// The name that no key has: what a text of another form asks for.
    pub fn nobodys() -> Self {
        Self(String::new())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether signatures of the key count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Active,
    Blocked,
}

/// Where the application sends push messages to this device. This server sends none.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushTarget {
    pub device_token: String,
    pub service: String,
    pub bundle: Option<String>,
}

impl fmt::Debug for PushTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is personal data.
        write!(f, "PushTarget({}, …)", self.service)
    }
}

/// The record of a device key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DeviceKey {
    name: KeyName,
    status: Status,
    /// The normal form of the public key, in base64.
    spki: String,
    label: Option<String>,
    /// A JSON object of the application's, kept as text.
    custom: Option<String>,
    push: Option<PushTarget>,
    created: Timestamp,
    updated: Timestamp,
    /// Signatures lately found wrong; in this row so that a check needs no other.
    #[serde(default, skip_serializing_if = "Misses::is_none")]
    misses: Misses,
}

impl Record for DeviceKey {
    const KIND: Kind = "device_key";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// Holds a public key within its membership, so that no second entry evades a block.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeyPrint {}

impl Record for KeyPrint {
    const KIND: Kind = "device_key_print";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// A key to register.
#[derive(Debug, Clone)]
pub struct DeviceKeyForm {
    pub name: KeyName,
    pub public: PublicKey,
    pub label: Option<String>,
    pub custom: Option<String>,
    pub push: Option<PushTarget>,
}

/// What to change: absent stays, `Some(None)` is removed.
#[derive(Debug, Clone, Default)]
pub struct DeviceKeyChange {
    pub label: Option<Option<String>>,
    pub custom: Option<Option<String>>,
    pub push: Option<Option<PushTarget>>,
}

impl DeviceKeyChange {
    fn is_empty(&self) -> bool {
        self.label.is_none() && self.custom.is_none() && self.push.is_none()
    }
}

/// A key as a back end sees it: never the public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceKeyView {
    pub name: KeyName,
    pub status: Status,
    pub label: Option<String>,
    pub custom: Option<String>,
    pub push: Option<PushTarget>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl From<DeviceKey> for DeviceKeyView {
    fn from(key: DeviceKey) -> Self {
        let DeviceKey {
            name,
            status,
            label,
            custom,
            push,
            created,
            updated,
            ..
        } = key;
        Self {
            name,
            status,
            label,
            custom,
            push,
            created,
            updated,
        }
    }
}

/// The person is known and has no such key; an unknown person is an unknown subject.
const NO_SUCH_KEY: Refusal = Refusal::WrongState;

impl Tenants {
    /// Registers a key, Active. `Conflict` if its name or the public key is taken, or the person has as
    /// many keys as the policy allows.
    pub async fn register_device_key(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<RegisterKeys>,
        user: UserId,
        form: DeviceKeyForm,
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let tie = hub.membership_row(grant.application(), &user);
            // Held, so that the count of keys is exact.
            let membership = hub.hold_membership(tx, &tie)?;
            let row = hub.device_key_row(tie, &form.name);
            let print = hub
                .rows
                .id(KeyPrint::KIND, &[&tie.0, &form.public.fingerprint()]);
            let taken = hub.rows.peek::<DeviceKey>(tx, &row)?.is_some()
                || hub.rows.peek::<KeyPrint>(tx, &print)?.is_some();
            let limit = hub.policy.keys_per_member;
            if taken || limit > 0 && tx.count_children(DeviceKey::KIND, &tie)? >= limit {
                return Err(Refusal::Conflict.into());
            }
            let key = DeviceKey {
                name: form.name.clone(),
                status: Status::Active,
                spki: STANDARD.encode(form.public.spki()),
                label: form.label.clone(),
                custom: form.custom.clone(),
                push: form.push.clone(),
                created: now,
                updated: now,
                misses: Misses::NONE,
            };
            let scope = membership.scope();
            hub.rows
                .create(tx, scope, Place::at(row).of(tie).ranked(now.millis()), key)?;
            hub.rows
                .create(tx, scope, Place::at(print).of(row), KeyPrint {})?;
            let event = key_event(
                surface,
                now,
                "device_key.register",
                &user,
                &form.name,
                grant.application(),
            );
            hub.record(tx, event.fact("by", grant.actor()))
        })
        .await
    }

    /// All keys of a person, oldest first.
    pub async fn list_device_keys(
        self: &Arc<Self>,
        grant: Grant<ListKeys>,
        user: UserId,
    ) -> Result<Vec<DeviceKeyView>, Error> {
        self.read(move |hub, tx| {
            let tie = hub.membership_row(grant.application(), &user);
            if hub.rows.peek::<Membership>(tx, &tie)?.is_none() {
                return Err(Refusal::UnknownSubject.into());
            }
            let keys = hub.rows.children::<DeviceKey>(tx, &tie, Page::ALL)?;
            let mut views: Vec<DeviceKeyView> =
                keys.into_iter().map(|key| key.value.into()).collect();
            views.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
            Ok(views)
        })
        .await
    }

    pub async fn read_device_key(
        self: &Arc<Self>,
        grant: Grant<ReadKeys>,
        user: UserId,
        name: KeyName,
    ) -> Result<DeviceKeyView, Error> {
        let key = self
            .fetch_device_key(grant.application(), &user, &name)
            .await?;
        Ok(key.value.into())
    }

    /// Changes what is told of a key. Works on a blocked one, too.
    pub async fn change_device_key(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<EditKeys>,
        user: UserId,
        name: KeyName,
        change: DeviceKeyChange,
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let mut key = hub.hold_device_key(tx, grant.application(), &user, &name)?;
            if change.is_empty() {
                return Ok(());
            }
            let change = change.clone();
            key.label = change.label.unwrap_or(key.value.label.take());
            key.custom = change.custom.unwrap_or(key.value.custom.take());
            key.push = change.push.unwrap_or(key.value.push.take());
            key.updated = now;
            hub.rows.put(tx, &mut key)?;
            let event = key_event(
                surface,
                now,
                "device_key.change",
                &user,
                &name,
                grant.application(),
            );
            hub.record(tx, event.fact("by", grant.actor()))
        })
        .await
    }

    /// From the moment this returns no signature of the key counts. Drops its challenges.
    pub async fn block_device_key(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<EditKeys>,
        user: UserId,
        name: KeyName,
    ) -> Result<(), Error> {
        self.set_status(surface, grant, user, name, Status::Blocked)
            .await
    }

    pub async fn unblock_device_key(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<EditKeys>,
        user: UserId,
        name: KeyName,
    ) -> Result<(), Error> {
        self.set_status(surface, grant, user, name, Status::Active)
            .await
    }

    async fn set_status(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<EditKeys>,
        user: UserId,
        name: KeyName,
        status: Status,
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let mut key = hub.hold_device_key(tx, grant.application(), &user, &name)?;
            let action = match status {
                Status::Active => "device_key.unblock",
                Status::Blocked => {
                    tx.remove_children(DeviceChallenge::KIND, &key.id())?;
                    "device_key.block"
                }
            };
            if key.status != status {
                key.status = status;
                key.updated = now;
                hub.rows.put(tx, &mut key)?;
            }
            let event = key_event(surface, now, action, &user, &name, grant.application());
            hub.record(tx, event.fact("by", grant.actor()))
        })
        .await
    }

    /// Deletes a key; its name and its public key may be registered again, as a new one.
    pub async fn delete_device_key(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<DeleteKeys>,
        user: UserId,
        name: KeyName,
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let key = hub.hold_device_key(tx, grant.application(), &user, &name)?;
            tx.remove_children(KeyPrint::KIND, &key.id())?;
            tx.remove_children(DeviceChallenge::KIND, &key.id())?;
            hub.rows.remove::<DeviceKey>(tx, &key.id())?;
            let event = key_event(
                surface,
                now,
                "device_key.delete",
                &user,
                &name,
                grant.application(),
            );
            hub.record(tx, event.fact("by", grant.actor()))
        })
        .await
    }

    /// One committed key, in one read. Only when it is absent a second read tells who is unknown.
    async fn fetch_device_key(
        self: &Arc<Self>,
        application: ApplicationId,
        user: &UserId,
        name: &KeyName,
    ) -> Result<Stored<DeviceKey>, Error> {
        let tie = self.membership_row(application, user);
        let row = self.device_key_row(tie, name);
        if let Some(key) = self
            .rows
            .read::<DeviceKey>(self.store.as_ref(), row)
            .await?
        {
            return Ok(key);
        }
        match self
            .rows
            .read::<Membership>(self.store.as_ref(), tie)
            .await?
        {
            Some(_) => Err(NO_SUCH_KEY.into()),
            None => Err(Refusal::UnknownSubject.into()),
        }
    }

    /// The same inside a transaction, held until its end.
    fn hold_device_key(
        &self,
        tx: &mut dyn Tx,
        application: ApplicationId,
        user: &UserId,
        name: &KeyName,
    ) -> TxResult<Stored<DeviceKey>> {
        let tie = self.membership_row(application, user);
        if let Some(key) = self
            .rows
            .get::<DeviceKey>(tx, &self.device_key_row(tie, name))?
        {
            return Ok(key);
        }
        match self.rows.peek::<Membership>(tx, &tie)? {
            Some(_) => Err(NO_SUCH_KEY.into()),
            None => Err(Refusal::UnknownSubject.into()),
        }
    }

    fn hold_membership(&self, tx: &mut dyn Tx, tie: &RowId) -> TxResult<Stored<Membership>> {
        let found = self.rows.get::<Membership>(tx, tie)?;
        found.ok_or_else(|| Refusal::UnknownSubject.into())
    }

    fn device_key_row(&self, tie: RowId, name: &KeyName) -> RowId {
        self.rows.id(DeviceKey::KIND, &[&tie.0, name.0.as_bytes()])
    }
}

fn key_event(
    surface: &'static str,
    now: Timestamp,
    action: &str,
    user: &UserId,
    name: &KeyName,
    application: ApplicationId,
) -> Event {
    Event::new(surface, now, action, name.to_string())
        .fact("user", user.to_string())
        .fact("application", application.to_string())
}
