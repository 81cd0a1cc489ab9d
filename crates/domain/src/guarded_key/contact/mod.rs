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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::core::time::days;
    use crate::guarded_key::lock::{Alerts, LockState, proved};

    pub(in crate::guarded_key) fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + second * 1000)
    }

    /// A verified e-mail contact without a code or a lock.
    pub(in crate::guarded_key) fn contact() -> Contact {
        Contact {
            channel: Some(Channel::Email),
            address: Some("a@example.com".to_owned()),
            language: "en".to_owned(),
            added: at(0),
            verified: Some(at(0)),
            waiting: None,
            lock: None,
        }
    }

    pub(in crate::guarded_key) fn waiting(purpose: CodePurpose, expires: Timestamp) -> ContactCode {
        let code = serde_json::json!({"tag": vec![0; 32], "pepper": 1, "issued": at(0), "expires": expires});
        ContactCode {
            purpose,
            code: serde_json::from_value(code).unwrap(),
            pending: None,
        }
    }

    /// The lock called 7: opens after thirty days, can be used for thirty more.
    pub(in crate::guarded_key) fn running_lock(armed: Timestamp) -> RecoveryLock {
        match proved(None, armed, (days(30), days(30)), Alerts::Needed, 7) {
            LockState::Armed(lock) => lock,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_contact_waits_only_for_a_code_of_the_purpose_it_was_sent_for() {
        let mut contact = contact();
        assert!(!contact.awaits(CodePurpose::Verify));
        assert!(!contact.awaits(CodePurpose::Recover));
        contact.waiting = Some(waiting(CodePurpose::Recover, at(10)));
        assert!(!contact.awaits(CodePurpose::Verify));
        assert!(contact.awaits(CodePurpose::Recover));
    }

    #[test]
    fn ending_a_recovery_removes_its_lock_and_its_code() {
        let mut contact = contact();
        contact.lock = Some(running_lock(at(0)));
        contact.waiting = Some(waiting(CodePurpose::Recover, at(10)));
        contact.end_recovery();
        assert_eq!((contact.lock, contact.waiting), (None, None));
    }

    #[test]
    fn ending_a_recovery_leaves_a_code_that_verifies_the_contact() {
        let mut contact = contact();
        contact.waiting = Some(waiting(CodePurpose::Verify, at(10)));
        contact.end_recovery();
        assert!(contact.awaits(CodePurpose::Verify));
    }

    #[test]
    fn a_lock_is_found_by_its_number_until_it_expires() {
        let mut contact = contact();
        assert_eq!(contact.live_lock(7, at(0)), None);
        contact.lock = Some(running_lock(at(0)));
        assert!(contact.live_lock(7, at(0)).is_some());
        assert_eq!(contact.live_lock(8, at(0)), None, "a later lock");
        assert_eq!(contact.live_lock(7, at(0).plus(days(60))), None, "expired");
    }
}
