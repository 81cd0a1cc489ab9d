//! Who is told of what: every address of an account hears of every change to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Proofs;
use crate::core::Core;
use crate::core::caller::Caller;
use crate::core::layer::Layer as _;
use crate::core::message::{Channel, Message, MessageKind};
use crate::core::port::store::{Kind, Page, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::{Timestamp, hours};
use crate::letter::outbox::Posting;
use crate::limit::rate::{Rate, RateLog};

use super::account::Account;
use super::policy::Offer;
use super::way::{Way, WayKind};

/// Takes the place of a message that is not sent, so that the work is the same.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Decoy {}

impl Record for Decoy {
    const KIND: Kind = "decoy";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// A change of an account that its owner is told of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    /// The name of the message's template.
    pub(crate) operation: &'a str,
    /// Named in the message, masked.
    pub(crate) address: Option<&'a Way>,
    /// Told as well: an address that the account no longer has.
    pub(crate) also: Option<&'a Way>,
}

impl<'a> Change<'a> {
    pub(crate) fn new(operation: &'a str) -> Self {
        Self {
            operation,
            address: None,
            also: None,
        }
    }

    /// The same, with an address that the message names.
    pub(crate) fn about(self, way: impl Into<Option<&'a Way>>) -> Self {
        Self {
            address: way.into(),
            ..self
        }
    }

    /// The same, with an address that is told although the account no longer has it.
    pub(crate) fn also_to(self, way: &'a Way) -> Self {
        Self {
            also: Some(way),
            ..self
        }
    }

    /// Who is told: every address of the account, then the one it no longer has.
    fn recipients(&self, account: &'a Account) -> impl Iterator<Item = &'a Way> {
        account.ways().chain(self.also)
    }

    /// What the message says of the change.
    fn facts(&self, now: Timestamp) -> BTreeMap<String, String> {
        let mut facts = BTreeMap::from([("at".to_owned(), now.rfc3339())]);
        if let Some(way) = self.address {
            facts.insert("contact".to_owned(), way.masked());
        }
        facts
    }
}

impl Proofs {
    /// Tells every address of the account what was changed.
    pub(crate) fn tell(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        account: &Account,
        change: &Change<'_>,
    ) -> TxResult<()> {
        for way in change.recipients(account) {
            let mut message = self.notice(caller.surface, account, way, change.operation);
            message.facts = change.facts(now);
            self.post(tx, now, Posting::notice(message))?;
        }
        Ok(())
    }

    /// A notice to an address, in the words of the account that it belongs to.
    pub(crate) fn notice(
        &self,
        surface: &str,
        account: &Account,
        way: &Way,
        operation: &str,
    ) -> Message {
        Message {
            surface: surface.to_owned(),
            channel: way.kind.channel(),
            to: way.given.clone(),
            kind: MessageKind::Notice,
            operation: operation.to_owned(),
            language: account.language.clone(),
            code: None,
            link: None,
            anti_phishing_code: self.phrase_for(way.kind, account.phrase.as_deref()),
            facts: BTreeMap::new(),
        }
    }

    /// The anti-phishing code for a message, if messages of this kind carry one.
    pub(crate) fn phrase_for(&self, kind: WayKind, phrase: Option<&str>) -> Option<String> {
        shown_phrase(self.policy.phrase, kind, phrase)
    }

    /// Sends a notice in place of a message that must not leave, or nothing; the same work as for the message.
    pub(crate) fn post_decoy(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        unsent: &Message,
        instead: Option<Message>,
    ) -> TxResult<()> {
        let decoy = self.rows.fresh::<Decoy>();
        tx.children(Decoy::KIND, &decoy.row(), Page::ALL)?;
        if let Some(message) = instead {
            return self.post(tx, now, Posting::notice(message));
        }
        if unsent.channel == Channel::Email {
            phrase_of_address(self.core(), tx, self.policy.phrase, &unsent.to)?;
        }
        let place = Place::at(decoy).due(now);
        self.rows.create(tx, self.tenant(), place, Decoy {})?;
        Ok(())
    }

    /// Whether a notice is the first of its kind to an address in this hour. Identical notices are sent once an hour.
    pub(crate) fn is_first_this_hour(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        operation: &str,
        to: &str,
    ) -> TxResult<bool> {
        let row = self
            .rows
            .named::<RateLog>(&[b"notice", operation.as_bytes(), to.as_bytes()]);
        let rates = [Rate::per(1, hours(1))];
        let due = now.plus(hours(2));
        let Some(mut log) = self.rows.get(tx, row)? else {
            let mut log = RateLog::default();
            log.add(now, &rates);
            let place = Place::at(row).due(due);
            self.rows.create(tx, self.tenant(), place, log)?;
            return Ok(true);
        };
        let first = log.full_until(now, &rates).is_none();
        if first {
            log.add(now, &rates);
            log.place.due = Some(due);
        }
        // Saved in any case, so that the work does not tell what was sent before.
        self.rows.put(tx, &mut log)?;
        Ok(first)
    }
}

/// Only e-mails show the anti-phishing code, and only where the operator offers it.
fn shown_phrase(offer: Offer, kind: WayKind, phrase: Option<&str>) -> Option<String> {
    let shown = offer == Offer::On && kind == WayKind::Email;
    phrase.filter(|_| shown).map(str::to_owned)
}

/// Returns the anti-phishing code of the account that an e-mail address belongs to, whatever surface writes.
///
/// An address that belongs to nobody costs the same two reads.
pub(crate) fn phrase_of_address(
    core: &Core,
    tx: &mut dyn Tx,
    shown: Offer,
    address: &str,
) -> TxResult<Option<String>> {
    if shown == Offer::Off {
        return Ok(None);
    }
    let account = core.peek_owner(tx, &Way::email(address))?;
    Ok(account.and_then(|account| account.value.phrase))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::account::tests::{EMAIL, PHONE, anna, anna_with_phone, at};

    fn told(change: &Change<'_>, account: &Account) -> Vec<String> {
        let ways = change.recipients(account);
        ways.map(|way| way.given.clone()).collect()
    }

    #[test]
    fn every_address_of_an_account_is_told() {
        let change = Change::new("mfa_on");
        assert_eq!(told(&change, &anna()), [EMAIL]);
        assert_eq!(told(&change, &anna_with_phone()), [EMAIL, PHONE]);
    }

    #[test]
    fn an_address_that_was_replaced_is_told_last() {
        let old = Way::email("old@example.com");
        let change = Change::new("key_changed").also_to(&old);
        assert_eq!(
            told(&change, &anna_with_phone()),
            [EMAIL, PHONE, "old@example.com"]
        );
    }

    #[test]
    fn a_notice_says_when_and_names_the_address_masked() {
        let facts = Change::new("mfa_on").facts(at(0));
        assert_eq!(facts.len(), 1);
        assert_eq!(facts["at"], "1970-01-01T00:00:00.000Z");
        let way = Way::email(EMAIL);
        let facts = Change::new("key_added").about(&way).facts(at(0));
        assert_eq!(facts["contact"], "a***@example.com");
    }

    #[test]
    fn only_emails_show_the_phrase_and_only_where_it_is_offered() {
        for (offer, kind, phrase, shown) in [
            (Offer::On, WayKind::Email, Some("blue"), Some("blue")),
            (Offer::On, WayKind::Phone, Some("blue"), None),
            (Offer::Off, WayKind::Email, Some("blue"), None),
            (Offer::On, WayKind::Email, None, None),
        ] {
            assert_eq!(
                shown_phrase(offer, kind, phrase).as_deref(),
                shown,
                "{offer:?} {kind:?}"
            );
        }
    }
}
