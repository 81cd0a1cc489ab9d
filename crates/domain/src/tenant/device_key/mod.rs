//! Device keys: public keys that a back end registers for a person, and checks signatures with.
//!
//! ```text
//! (none) --register--> Active --block--> Blocked --unblock--> Active
//! Active, Blocked --delete--> (none)          a signature counts only in Active
//! ```
//!
//! A key belongs to a membership (person and application), which is a part of its row's id, so nobody can even ask
//! for a key of another tenant or application. Everything that a check needs is in the key's one row, so the status
//! and the public key of an answer are always of the same moment.

pub(crate) mod challenge;
mod edit;
mod form;
mod misses;
mod read;
mod register;
mod validate;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
pub use crypto::device_key::{KeyError, PublicKey};
use serde::{Deserialize, Serialize};

pub(crate) use challenge::DeviceChallenge;
pub use challenge::{CHALLENGE_PREFIX, IssuedChallenge};
pub use form::{DeviceKeyChange, DeviceKeyForm, DeviceKeyView};
use misses::Misses;
pub use validate::{Checked, SignedChallenge};

use crate::core::error::Refusal;
use crate::core::id::Id;
use crate::core::port::store::{Kind, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::tenant::permission::{Grant, Need};
use crate::tenant::{ApplicationId, Membership, Tenants, UserId};
use crate::trail::audit::Event;

/// The name of a key of one person in one application, as the device chose it.
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

    /// A name that no key has, for callers who ask with a text of another form.
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

/// Whether signatures of a key count.
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
    /// The wrong signatures of the last minute. They are in this row so that a check needs no other.
    #[serde(default, skip_serializing_if = "Misses::is_none")]
    misses: Misses,
}

impl Record for DeviceKey {
    const KIND: Kind = "device_key";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// Reserves a public key within its membership, so that no second entry evades a block.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeyPrint {}

impl Record for KeyPrint {
    const KIND: Kind = "device_key_print";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

impl DeviceKey {
    /// An active key.
    fn new(form: DeviceKeyForm, now: Timestamp) -> Self {
        Self {
            name: form.name,
            status: Status::Active,
            spki: STANDARD.encode(form.public.spki()),
            label: form.label,
            custom: form.custom,
            push: form.push,
            created: now,
            updated: now,
            misses: Misses::NONE,
        }
    }

    /// Returns whether anything is to be saved.
    fn change(&mut self, change: DeviceKeyChange, now: Timestamp) -> bool {
        if change.is_empty() {
            return false;
        }
        if let Some(label) = change.label {
            self.label = label;
        }
        if let Some(custom) = change.custom {
            self.custom = custom;
        }
        if let Some(push) = change.push {
            self.push = push;
        }
        self.updated = now;
        true
    }

    /// Returns whether anything is to be saved: a key that has the status already keeps its time of change.
    fn set_status(&mut self, status: Status, now: Timestamp) -> bool {
        let other = self.status != status;
        if other {
            self.status = status;
            self.updated = now;
        }
        other
    }
}

/// A key as a caller asks for it: by person and name, in the caller's application.
#[derive(Debug, Clone)]
struct KeyPath {
    application: ApplicationId,
    user: UserId,
    name: KeyName,
}

impl KeyPath {
    fn of<N: Need>(grant: &Grant<N>, user: UserId, name: KeyName) -> Self {
        Self {
            application: grant.application(),
            user,
            name,
        }
    }

    /// What the caller did with the key, for the audit trail.
    fn event<N: Need>(
        &self,
        surface: &'static str,
        now: Timestamp,
        action: &str,
        grant: &Grant<N>,
    ) -> Event {
        grant
            .event(surface, now, action, &self.name)
            .fact("user", self.user.to_string())
            .fact("application", self.application.to_string())
    }
}

/// The refusal if a key is not there: the person may be unknown, or may have no such key.
fn absent(membership: Option<&Stored<Membership>>) -> Refusal {
    match membership {
        Some(_) => Refusal::WrongState,
        None => Refusal::UnknownSubject,
    }
}

impl Tenants {
    /// Loads a key and holds it until the transaction ends. `WrongState` if the person has no such key,
    /// `UnknownSubject` if there is no such person.
    fn hold_device_key(
        &self,
        tx: &mut dyn Tx,
        path: &KeyPath,
    ) -> TxResult<Result<Stored<DeviceKey>, Refusal>> {
        let tie = self.membership_id(path.application, &path.user);
        if let Some(key) = self.rows.get(tx, self.device_key_id(tie, &path.name))? {
            return Ok(Ok(key));
        }
        let membership = self.rows.peek(tx, tie)?;
        Ok(Err(absent(membership.as_ref())))
    }

    fn device_key_id(&self, tie: Id<Membership>, name: &KeyName) -> Id<DeviceKey> {
        self.rows.named(&[tie.as_bytes(), name.0.as_bytes()])
    }
}

#[cfg(test)]
pub(crate) mod tests;
