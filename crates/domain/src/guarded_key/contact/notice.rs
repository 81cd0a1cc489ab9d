//! Notices to the contacts of a key.
//!
//! Every verified contact whose address is stored gets them. A notice about a running recovery carries a link that
//! stops it, and counts as the alert without which a recovery lock does not open.

use std::collections::BTreeMap;

use super::Contact;
use crate::core::id::Id;
use crate::core::message::{Channel, Message, MessageKind};
use crate::core::port::store::{Tx, TxResult};
use crate::core::time::Timestamp;
use crate::guarded_key::GuardedKeys;
use crate::guarded_key::key::GuardedKey;
use crate::guarded_key::lock::RecoveryLock;
use crate::letter::alert::Alert;
use crate::letter::outbox::Posting;
use crate::proof::way::masked;

/// A notice for all contacts of a key.
pub(in crate::guarded_key) struct ContactNotice {
    pub(in crate::guarded_key) operation: &'static str,
    pub(in crate::guarded_key) facts: BTreeMap<String, String>,
    /// Not to this one.
    pub(in crate::guarded_key) except: Option<Id<Contact>>,
    /// About this running lock of this contact: messages carry a link that stops it.
    pub(in crate::guarded_key) lock: Option<(Id<Contact>, RecoveryLock)>,
}

impl ContactNotice {
    pub(in crate::guarded_key) fn of(operation: &'static str) -> Self {
        Self {
            operation,
            facts: BTreeMap::new(),
            except: None,
            lock: None,
        }
    }

    /// A notice that names a contact by its masked address, where the address is stored.
    pub(super) fn about(operation: &'static str, contact: &Contact) -> Self {
        let notice = Self::of(operation);
        match &contact.address {
            Some(address) => notice.fact("contact", masked(address)),
            None => notice,
        }
    }

    #[must_use]
    pub(in crate::guarded_key) fn fact(mut self, name: &str, value: impl Into<String>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// Where a contact gets this notice, if it does.
    fn destination<'a>(
        &self,
        id: Id<Contact>,
        contact: &'a Contact,
    ) -> Option<(Channel, &'a String)> {
        let wanted = contact.is_verified() && self.except != Some(id);
        let address = contact.channel.zip(contact.address.as_ref());
        address.filter(|_| wanted)
    }

    fn message(
        &self,
        surface: &str,
        (channel, to): (Channel, &str),
        language: &str,
        link: Option<String>,
    ) -> Message {
        Message {
            surface: surface.to_owned(),
            channel,
            to: to.to_owned(),
            kind: MessageKind::Notice,
            operation: self.operation.to_owned(),
            language: language.to_owned(),
            code: None,
            link,
            anti_phishing_code: None,
            facts: self.facts.clone(),
        }
    }

    fn alert(&self) -> Option<Alert> {
        let (contact, lock) = self.lock.as_ref()?;
        Some(Alert {
            contact: *contact.as_bytes(),
            lock: lock.id,
        })
    }
}

impl GuardedKeys {
    /// Queues a notice to every contact of a key that gets it.
    pub(in crate::guarded_key) fn notify_contacts(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        surface: &str,
        key: Id<GuardedKey>,
        notice: &ContactNotice,
    ) -> TxResult<()> {
        for contact in self.contacts(tx, key)? {
            let Some((channel, to)) = notice.destination(contact.key(), &contact) else {
                continue;
            };
            let link = match &notice.lock {
                Some((contact_of, lock)) => {
                    Some(self.owner_link(tx, (key, *contact_of), lock, &contact.language)?)
                }
                None => None,
            };
            let message = notice.message(surface, (channel, to), &contact.language, link);
            let posting = Posting {
                alert: notice.alert(),
                ..Posting::notice(message)
            };
            self.post(tx, now, posting)?;
        }
        Ok(())
    }
}
