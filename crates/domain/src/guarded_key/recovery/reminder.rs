//! Reminders of a running recovery: step 3.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Kind, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::{Timestamp, days};
use crate::guarded_key::GuardedKeys;
use crate::guarded_key::contact::notice::ContactNotice;
use crate::guarded_key::contact::{Contact, KeyContact};
use crate::guarded_key::key::GuardedKey;
use crate::guarded_key::lock::{Alerts, RecoveryLock};

/// How many days before the opening owners are reminded.
const REMINDERS: [u64; 2] = [7, 1];
/// Reminders sent in one transaction.
const BATCH: usize = 64;

/// A reminder that is to be sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Reminder {
    key: Id<GuardedKey>,
    contact: Id<Contact>,
    lock: u64,
    surface: String,
}

impl Record for Reminder {
    const KIND: Kind = "reminder";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// When owners are reminded of a lock that opens then. With a short delay some of these moments have passed.
fn moments(opens: Timestamp, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    REMINDERS
        .into_iter()
        .map(move |before| opens.minus(days(before)))
        .filter(move |at| *at > now)
}

/// Days until then; a day that has begun counts.
fn days_left(now: Timestamp, until: Timestamp) -> u64 {
    until.since(now).as_secs().div_ceil(86_400)
}

impl Reminder {
    /// What to tell the contacts of the key, unless the recovery was stopped or used meanwhile.
    fn notice(
        &self,
        contact: Option<&Contact>,
        now: Timestamp,
        alerts: Alerts,
    ) -> Option<ContactNotice> {
        let lock = contact?.live_lock(self.lock, now)?.clone();
        let opens = lock.opens_at(now, alerts);
        let notice = ContactNotice::of("recovery_reminder")
            .fact("until", opens.rfc3339())
            .fact("left", days_left(now, opens).to_string());
        Some(ContactNotice {
            lock: Some((self.contact, lock)),
            ..notice
        })
    }
}

impl GuardedKeys {
    /// Saves the reminders of a lock that was just armed.
    pub(super) fn plan_reminders(
        &self,
        tx: &mut dyn Tx,
        (now, surface): (Timestamp, &str),
        ids: KeyContact,
        lock: &RecoveryLock,
    ) -> TxResult<()> {
        for at in moments(lock.opens, now) {
            let reminder = Reminder {
                key: ids.key,
                contact: ids.contact,
                lock: lock.id,
                surface: surface.to_owned(),
            };
            let place = Place::at(self.rows.fresh::<Reminder>()).due(at);
            self.rows.create(tx, self.tenant(), place, reminder)?;
        }
        Ok(())
    }

    /// Step 3: sends the reminders that are due. Returns how many it looked at.
    pub async fn remind(self: &Arc<Self>) -> Result<usize, Error> {
        let now = self.now();
        if !self.any_due(Reminder::KIND, now).await? {
            return Ok(0);
        }
        let seen = self.write(move |hub, tx| hub.remind_in(tx, now)).await?;
        if seen > 0 {
            self.posted(now).await;
        }
        Ok(seen)
    }

    fn remind_in(&self, tx: &mut dyn Tx, now: Timestamp) -> TxResult<usize> {
        let reminders = self.rows.due::<Reminder>(tx, now, BATCH)?;
        for reminder in &reminders {
            self.rows.remove(tx, reminder.key())?;
            let contact = self.rows.get(tx, reminder.contact)?;
            if let Some(notice) = reminder.notice(contact.as_deref(), now, self.alerts()) {
                self.notify_contacts(tx, now, &reminder.surface, reminder.value.key, &notice)?;
            }
        }
        Ok(reminders.len())
    }
}
