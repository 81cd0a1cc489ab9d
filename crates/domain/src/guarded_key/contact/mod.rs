//! Recovery contacts: addresses that their owner has verified, through which a key can be recovered.
//!
//! A contact is found only with its address: its row id is a keyed hash of key and address. The address itself is
//! also stored, sealed, because notices are sent to it; an operator may switch that off.
//!
//! 1. [`GuardedKeys::add_contact`] needs the PIN, and sends a code to the address.
//! 2. [`GuardedKeys::confirm_contact`] with that code verifies the contact. With the first verified contact the key
//!    gets its recovery envelope.
//! 3. [`GuardedKeys::remove_contact`] needs the PIN. With the last verified contact the recovery envelope goes.

mod add;
pub(crate) mod code;
mod confirm;
pub(crate) mod notice;
mod remove;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::key::GuardedKey;
use super::lock::RecoveryLock;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::message::Channel;
use crate::core::port::store::{Kind, Page, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::guarded_key::GuardedKeys;
use crate::proof::challenge::Code;

/// An address as its owner wrote it, compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactAddress {
    pub channel: Channel,
    pub text: String,
}

/// What a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodePurpose {
    Verify,
    Recover,
}

impl CodePurpose {
    fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify_contact",
            Self::Recover => "reset_pin",
        }
    }
}

/// The record of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) channel: Option<Channel>,
    /// `None`: the operator stores no addresses, or the contact was imported as a hash and did not appear yet.
    pub(crate) address: Option<String>,
    pub(crate) language: String,
    pub(crate) added: Timestamp,
    pub(crate) verified: Option<Timestamp>,
    /// The code that was sent last, until it is used.
    pub(crate) waiting: Option<ContactCode>,
    pub(crate) lock: Option<RecoveryLock>,
}

/// An outstanding code and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ContactCode {
    pub(crate) purpose: CodePurpose,
    pub(crate) code: Code,
    /// With [`CodePurpose::Verify`]: the key's content, which only the code can open.
    pub(crate) pending: Option<PendingContent>,
}

/// The version of the KEK `recovery`, and the content sealed under it and a code.
pub(crate) type PendingContent = (u32, Vec<u8>);

impl Record for Contact {
    const KIND: Kind = "contact";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Limited;
}

impl Contact {
    pub(crate) fn is_verified(&self) -> bool {
        self.verified.is_some()
    }

    /// Whether a code for `purpose` was sent and not used. It may have expired.
    fn awaits(&self, purpose: CodePurpose) -> bool {
        let code = self.waiting.as_ref();
        code.is_some_and(|waiting| waiting.purpose == purpose)
    }

    /// Whether a recovery was started through this contact: a lock, or a code that could start or finish one.
    pub(super) fn has_recovery(&self) -> bool {
        self.lock.is_some() || self.awaits(CodePurpose::Recover)
    }

    /// Ends a recovery through this contact. A code that verifies the contact keeps its use.
    pub(super) fn end_recovery(&mut self) {
        self.lock = None;
        if self.awaits(CodePurpose::Recover) {
            self.waiting = None;
        }
    }

    /// The lock called `id`, unless it was replaced or has expired.
    pub(super) fn live_lock(&self, id: u64, now: Timestamp) -> Option<&RecoveryLock> {
        let lock = self.lock.as_ref();
        lock.filter(|lock| lock.id == id && lock.is_live(now))
    }
}

/// A key, and its contact that waits for a code.
pub(super) type Awaiting = (Stored<GuardedKey>, Stored<Contact>);

/// The ids of a key and of one of its contacts.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyContact {
    pub(super) key: Id<GuardedKey>,
    pub(super) contact: Id<Contact>,
}

impl GuardedKeys {
    fn contact_row(&self, key: Id<GuardedKey>, address: &ContactAddress) -> Id<Contact> {
        let text = address.text.as_bytes();
        self.rows.named(&[key.as_bytes(), text])
    }

    /// Finds the row of a contact, also of one that was imported as a hash with the key's old salt. Names the row
    /// that the contact would have if there is none.
    pub(super) async fn locate_contact(
        self: &Arc<Self>,
        key: Id<GuardedKey>,
        address: &ContactAddress,
    ) -> Result<KeyContact, Error> {
        let contact = self.contact_row(key, address);
        let found = KeyContact { key, contact };
        let store = self.store.as_ref();
        if self.rows.read(store, contact).await?.is_some() {
            return Ok(found);
        }
        let key = self.rows.read(store, key).await?;
        let Some(salt) = key.and_then(|key| key.value.contact_salt) else {
            return Ok(found);
        };
        let imported = self.imported_contact_row(address, salt).await?;
        if self.rows.read(store, imported).await?.is_some() {
            self.rewrite_contact(imported, found, address.clone())
                .await?;
        }
        Ok(found)
    }

    pub(super) fn contacts(
        &self,
        tx: &mut dyn Tx,
        key: Id<GuardedKey>,
    ) -> TxResult<Vec<Stored<Contact>>> {
        self.rows.children(tx, &key.row(), Page::ALL)
    }

    /// The key and the contact that waits for a code of this purpose. A refusal counts nothing.
    pub(super) fn awaiting(
        &self,
        tx: &mut dyn Tx,
        ids: KeyContact,
        purpose: CodePurpose,
    ) -> TxResult<Result<Awaiting, Refusal>> {
        let Some(key) = self.rows.get(tx, ids.key)? else {
            return Ok(Err(Refusal::UnknownSubject));
        };
        let Some(contact) = self.rows.get(tx, ids.contact)? else {
            return Ok(Err(Refusal::UnknownSubject));
        };
        if contact.awaits(purpose) {
            Ok(Ok((key, contact)))
        } else {
            Ok(Err(Refusal::WrongState))
        }
    }
}
