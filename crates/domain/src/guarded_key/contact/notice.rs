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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::port::store::RowId;
    use crate::guarded_key::contact::tests::{at, contact, running_lock};

    fn id(byte: u8) -> Id<Contact> {
        Id::new(RowId([byte; 16]))
    }

    fn destination(contact: &Contact) -> Option<(Channel, &String)> {
        ContactNotice::of("pin_changed").destination(id(1), contact)
    }

    #[test]
    fn a_verified_contact_with_a_stored_address_gets_a_notice() {
        let address = "a@example.com".to_owned();
        assert_eq!(destination(&contact()), Some((Channel::Email, &address)));
    }

    #[test]
    fn an_unverified_contact_gets_none() {
        let mut contact = contact();
        contact.verified = None;
        assert_eq!(destination(&contact), None);
    }

    #[test]
    fn a_contact_without_an_address_or_a_channel_gets_none() {
        let mut hashed = contact();
        hashed.address = None;
        assert_eq!(destination(&hashed), None);
        let mut unknown = contact();
        unknown.channel = None;
        assert_eq!(destination(&unknown), None);
    }

    #[test]
    fn only_the_contact_that_is_left_out_gets_none() {
        let mut notice = ContactNotice::of("contact_added");
        notice.except = Some(id(1));
        assert!(notice.destination(id(1), &contact()).is_none());
        assert!(notice.destination(id(2), &contact()).is_some());
    }

    #[test]
    fn a_contact_is_named_by_its_masked_address_and_not_at_all_without_one() {
        let notice = ContactNotice::about("contact_added", &contact());
        let named = &notice.facts["contact"];
        assert!(named.contains('*') && *named != "a@example.com", "{named}");
        let mut hashed = contact();
        hashed.address = None;
        let notice = ContactNotice::about("contact_added", &hashed);
        assert!(notice.facts.is_empty());
    }

    #[test]
    fn a_notice_says_what_happened_in_the_language_of_its_reader() {
        let notice = ContactNotice::of("pin_reset").fact("until", "later");
        let link = Some("https://example.com/recovery/1".to_owned());
        let message = notice.message("test", (Channel::Sms, "+491"), "de", link.clone());
        assert_eq!(
            (message.channel, message.to.as_str()),
            (Channel::Sms, "+491")
        );
        assert_eq!(message.kind, MessageKind::Notice);
        assert_eq!(message.operation, "pin_reset");
        assert_eq!((message.language.as_str(), message.link), ("de", link));
        assert_eq!(message.facts["until"], "later");
        assert_eq!(message.code, None);
    }

    #[test]
    fn only_a_notice_about_a_running_lock_is_an_alert() {
        let mut notice = ContactNotice::of("recovery_started");
        assert_eq!(notice.alert(), None);
        notice.lock = Some((id(3), running_lock(at(0))));
        let alert = Alert {
            contact: [3; 16],
            lock: 7,
        };
        assert_eq!(notice.alert(), Some(alert));
    }
}
