//! Who is told of what: every way into an account hears of every change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Proofs;
use crate::core::Core;
use crate::core::caller::Caller;
use crate::core::layer::Layer as _;
use crate::core::message::{Channel, Message, MessageKind};
use crate::core::port::store::Kind;
use crate::core::port::store::{Page, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::{Timestamp, hours};
use crate::letter::outbox::Posting;
use crate::limit::rate::{Rate, RateLog};

use super::account::Account;
use super::policy::Offer;
use super::way::{Way, WayKind};

/// Takes the place of a letter that is not sent, so that the work is the same.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Decoy {}

impl Record for Decoy {
    const KIND: Kind = "decoy";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

impl Proofs {
    /// Tells every address of the account, and `also`, what was changed.
    pub(crate) fn tell(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        account: &Account,
        operation: &str,
        about: &Change<'_>,
    ) -> TxResult<()> {
        let mut facts = BTreeMap::from([("at".to_owned(), now.rfc3339())]);
        if let Some(way) = about.address {
            facts.insert("contact".to_owned(), way.masked());
        }
        let also = about.also.into_iter();
        for way in account.ways().chain(also) {
            let mut message = self.notice(caller.surface, account, way, operation);
            message.facts.clone_from(&facts);
            self.post(tx, now, Posting::notice(message))?;
        }
        Ok(())
    }

    /// What the owner of an address is told when somebody else tries to take it.
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

    /// The anti-phishing code for a letter, if letters of this kind carry one.
    pub(crate) fn phrase_for(&self, kind: WayKind, phrase: Option<&str>) -> Option<String> {
        let shown = self.policy.phrase == Offer::On && kind == WayKind::Email;
        phrase.filter(|_| shown).map(str::to_owned)
    }

    /// Sends a notice in place of a letter that must not leave, or nothing; the same work as the letter.
    pub(crate) fn post_decoy(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        letter: &Message,
        instead: Option<Message>,
    ) -> TxResult<()> {
        let nobody = self.rows.random_id();
        tx.children(Decoy::KIND, &nobody, Page::ALL)?;
        if let Some(message) = instead {
            return self.post(tx, now, Posting::notice(message));
        }
        if letter.channel == Channel::Email {
            phrase_of_address(self.core(), tx, self.policy.phrase, &letter.to)?;
        }
        let place = Place::at(nobody).due(now);
        self.rows.create(tx, self.tenant(), place, Decoy {})?;
        Ok(())
    }

    /// Identical notices to one address are one an hour.
    pub(crate) fn is_first_this_hour(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        operation: &str,
        to: &str,
    ) -> TxResult<bool> {
        let row = self.rows.id(
            RateLog::KIND,
            &[b"notice", operation.as_bytes(), to.as_bytes()],
        );
        let rates = [Rate::per(1, hours(1))];
        let due = now.plus(hours(2));
        let Some(mut log) = self.rows.get::<RateLog>(tx, &row)? else {
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
        // Saved in any case: the work must not tell what was sent before.
        self.rows.put(tx, &mut log)?;
        Ok(first)
    }
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
    let way = Way::email(address);
    let owner = core.owner_of_address(tx, &way)?;
    let at = owner.unwrap_or_else(|| core.identity_row(&way));
    let account = core.rows.peek::<Account>(tx, &at)?;
    Ok(account.and_then(|account| account.value.phrase))
}

/// What a notice is about.
#[derive(Default, Clone, Copy)]
pub(crate) struct Change<'a> {
    /// Named in the letter, masked.
    pub(crate) address: Option<&'a Way>,
    /// Told besides: an address that the account no longer has.
    pub(crate) also: Option<&'a Way>,
}

impl<'a> Change<'a> {
    pub(crate) fn of(way: &'a Way) -> Self {
        Self {
            address: Some(way),
            also: None,
        }
    }
}
