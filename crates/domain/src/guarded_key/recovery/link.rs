//! Links in messages, to the page that shows a running recovery and can stop it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::random::bytes;
use crate::core::port::store::{Kind, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::guarded_key::GuardedKeys;
use crate::guarded_key::contact::Contact;
use crate::guarded_key::contact::notice::ContactNotice;
use crate::guarded_key::key::GuardedKey;
use crate::guarded_key::lock::{Alerts, RecoveryLock};
use crate::letter::Decides as _;
use crate::trail::audit::Event;

/// A link that was sent to a contact. It is found by a keyed hash of its token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OwnerLink {
    key: Id<GuardedKey>,
    contact: Id<Contact>,
    lock: u64,
    language: String,
}

impl Record for OwnerLink {
    const KIND: Kind = "owner_link";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// What the page behind a link shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningRecovery {
    pub armed: Timestamp,
    pub opens: Timestamp,
    pub language: String,
}

impl OwnerLink {
    /// The lock that this link is about, while it runs: not one that was armed later.
    fn lock_of(&self, contact: Option<&Contact>, now: Timestamp) -> Option<RecoveryLock> {
        contact?.live_lock(self.lock, now).cloned()
    }
}

impl RunningRecovery {
    /// As the page shows it: when the lock opens may still move.
    fn shown(lock: &RecoveryLock, language: String, now: Timestamp, alerts: Alerts) -> Self {
        Self {
            armed: lock.armed,
            opens: lock.opens_at(now, alerts),
            language,
        }
    }

    /// As the page shows it after it was stopped: with the moment that was named first.
    fn stopped(lock: &RecoveryLock, language: String) -> Self {
        Self {
            armed: lock.armed,
            opens: lock.opens,
            language,
        }
    }
}

impl GuardedKeys {
    /// Makes a link to the page that can stop `lock`. It works until the lock expires.
    pub(in crate::guarded_key) fn owner_link(
        &self,
        tx: &mut dyn Tx,
        (key, contact): (Id<GuardedKey>, Id<Contact>),
        lock: &RecoveryLock,
        language: &str,
    ) -> TxResult<String> {
        let token = hex::encode(bytes::<32>(self.random.as_ref()));
        let link = OwnerLink {
            key,
            contact,
            lock: lock.id,
            language: language.to_owned(),
        };
        let place = Place::at(self.link_row(&token)).due(lock.void);
        self.rows.create(tx, self.tenant(), place, link)?;
        Ok(format!("{}/recovery/{token}", self.public_url))
    }

    fn link_row(&self, token: &str) -> Id<OwnerLink> {
        self.rows.named(&[token.as_bytes()])
    }

    /// What the page behind `token` shows. Changes nothing.
    ///
    /// `UnknownSubject`: no such link, or its recovery was stopped, used or has expired.
    pub async fn running_recovery(
        self: &Arc<Self>,
        token: String,
    ) -> Result<RunningRecovery, Error> {
        let now = self.now();
        let row = self.link_row(&token);
        self.find(move |hub, tx| {
            let Some((link, lock)) = hub.linked(tx, now, row)? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            let shown = RunningRecovery::shown(&lock, link.language, now, hub.alerts());
            Ok(Verdict::Done(shown))
        })
        .await
    }

    /// Stops the recovery that `token` is about, and tells all contacts. A fresh code can arm a new one.
    ///
    /// The errors are those of [`GuardedKeys::running_recovery`].
    pub async fn cancel_recovery(
        self: &Arc<Self>,
        surface: &'static str,
        token: String,
    ) -> Result<RunningRecovery, Error> {
        let now = self.now();
        let row = self.link_row(&token);
        self.decide(now, move |hub, tx| {
            let Some((link, lock)) = hub.linked(tx, now, row)? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            hub.end_recovery(tx, link.contact)?;
            let notice = ContactNotice::of("recovery_cancelled");
            hub.notify_contacts(tx, now, surface, link.key, &notice)?;
            let event = Event::new(surface, now, "recovery.cancel", link.key.alias())
                .fact("contact", link.contact.alias())
                .fact("by", "owner link");
            hub.record(tx, event)?;
            Ok(Verdict::Done(RunningRecovery::stopped(
                &lock,
                link.language,
            )))
        })
        .await
    }

    fn linked(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        row: Id<OwnerLink>,
    ) -> TxResult<Option<(OwnerLink, RecoveryLock)>> {
        let Some(link) = self.rows.get(tx, row)? else {
            return Ok(None);
        };
        let contact = self.rows.get(tx, link.contact)?;
        let lock = link.lock_of(contact.as_deref(), now);
        Ok(lock.map(|lock| (link.value, lock)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::port::store::RowId;
    use crate::core::time::days;
    use crate::guarded_key::contact::tests::{at, contact, running_lock};

    fn link(lock: u64) -> OwnerLink {
        OwnerLink {
            key: Id::new(RowId([1; 16])),
            contact: Id::new(RowId([2; 16])),
            lock,
            language: "de".to_owned(),
        }
    }

    fn locked() -> Contact {
        let mut contact = contact();
        contact.lock = Some(running_lock(at(0)));
        contact
    }

    #[test]
    fn a_link_leads_to_its_own_lock_while_that_runs() {
        let found = link(7).lock_of(Some(&locked()), at(1));
        assert_eq!(found, Some(running_lock(at(0))));
    }

    #[test]
    fn a_link_leads_nowhere_after_its_recovery_was_stopped() {
        assert_eq!(link(7).lock_of(Some(&contact()), at(1)), None);
        assert_eq!(link(7).lock_of(None, at(1)), None, "the contact is gone");
    }

    #[test]
    fn a_link_cannot_stop_a_lock_that_was_armed_later() {
        assert_eq!(link(6).lock_of(Some(&locked()), at(1)), None);
    }

    #[test]
    fn a_link_leads_nowhere_when_its_lock_has_expired() {
        let void = at(0).plus(days(60));
        assert_eq!(link(7).lock_of(Some(&locked()), void), None);
    }

    #[test]
    fn the_page_shows_how_a_missing_alert_moves_the_opening_and_the_stop_does_not() {
        let lock = running_lock(at(0));
        let late = at(0).plus(days(5));
        let shown = RunningRecovery::shown(&lock, "de".to_owned(), late, Alerts::Needed);
        assert_eq!(shown.opens, at(0).plus(days(35)));
        let stopped = RunningRecovery::stopped(&lock, "de".to_owned());
        assert_eq!(
            (stopped.armed, stopped.opens),
            (at(0), at(0).plus(days(30)))
        );
    }

    #[test]
    fn a_link_is_stored_with_the_same_bytes_as_before_its_ids_had_types() {
        let stored = serde_json::to_value(link(7)).unwrap();
        assert_eq!(stored["key"], serde_json::json!(vec![1; 16]));
        assert_eq!(stored["contact"], serde_json::json!(vec![2; 16]));
    }
}
