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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::port::store::RowId;
    use crate::guarded_key::contact::tests::{at, contact, running_lock};

    fn at_day(day: u64) -> Timestamp {
        at(0).plus(days(day))
    }

    fn reminder(lock: u64) -> Reminder {
        Reminder {
            key: Id::new(RowId([1; 16])),
            contact: Id::new(RowId([2; 16])),
            lock,
            surface: "test".to_owned(),
        }
    }

    #[test]
    fn owners_are_reminded_seven_days_and_one_day_before_the_opening() {
        let planned: Vec<Timestamp> = moments(at_day(30), at(0)).collect();
        assert_eq!(planned, [at_day(23), at_day(29)]);
    }

    #[test]
    fn a_moment_that_has_passed_brings_no_reminder() {
        let planned: Vec<Timestamp> = moments(at_day(7), at(0)).collect();
        assert_eq!(planned, [at_day(6)], "seven days before is now");
        assert_eq!(moments(at_day(1), at(0)).count(), 0);
    }

    #[test]
    fn a_day_that_has_begun_counts_as_left() {
        assert_eq!(days_left(at(0), at_day(7)), 7);
        assert_eq!(days_left(at(1), at_day(7)), 7);
        assert_eq!(days_left(at(0), at(1)), 1);
        assert_eq!(days_left(at_day(7), at(0)), 0);
    }

    #[test]
    fn a_reminder_says_when_the_lock_opens_and_how_many_days_are_left() {
        let mut contact = contact();
        let mut lock = running_lock(at(0));
        lock.alert_accepted(at(0));
        contact.lock = Some(lock.clone());
        let notice = reminder(7).notice(Some(&contact), at_day(23), Alerts::Needed);
        let notice = notice.unwrap();
        assert_eq!(notice.operation, "recovery_reminder");
        assert_eq!(notice.facts["until"], at_day(30).rfc3339());
        assert_eq!(notice.facts["left"], "7");
        assert_eq!(notice.lock, Some((reminder(7).contact, lock)));
    }

    #[test]
    fn while_no_alert_was_accepted_the_opening_moves_on() {
        let mut contact = contact();
        contact.lock = Some(running_lock(at(0)));
        let notice = reminder(7).notice(Some(&contact), at_day(23), Alerts::Needed);
        assert_eq!(notice.unwrap().facts["until"], at_day(53).rfc3339());
        let notice = reminder(7).notice(Some(&contact), at_day(23), Alerts::Impossible);
        assert_eq!(notice.unwrap().facts["until"], at_day(30).rfc3339());
    }

    #[test]
    fn nobody_is_reminded_of_a_recovery_that_was_stopped_replaced_or_has_expired() {
        let alerts = Alerts::Needed;
        let stopped = contact();
        assert!(reminder(7).notice(Some(&stopped), at(0), alerts).is_none());
        assert!(reminder(7).notice(None, at(0), alerts).is_none());
        let mut running = contact();
        running.lock = Some(running_lock(at(0)));
        assert!(reminder(6).notice(Some(&running), at(0), alerts).is_none());
        let void = at_day(60);
        assert!(reminder(7).notice(Some(&running), void, alerts).is_none());
    }

    #[test]
    fn a_reminder_is_stored_with_the_same_bytes_as_before_its_ids_had_types() {
        let stored = serde_json::to_value(reminder(7)).unwrap();
        assert_eq!(stored["key"], serde_json::json!(vec![1; 16]));
        assert_eq!(stored["contact"], serde_json::json!(vec![2; 16]));
    }

    #[test]
    fn whether_a_reminder_is_due_again_is_not_decided_by_the_configuration_of_today() {
        let mut contact = contact();
        contact.lock = Some(running_lock(at(0)));
        for day in [0, 23, 29, 59] {
            let notice = reminder(7).notice(Some(&contact), at_day(day), Alerts::Impossible);
            let notice = notice.unwrap();
            assert_eq!(notice.facts["until"], at_day(30).rfc3339(), "day {day}");
            let left = 30_u64.saturating_sub(day).to_string();
            assert_eq!(notice.facts["left"], left, "day {day}");
        }
    }

    proptest! {
        #[test]
        fn reminders_are_planned_after_now_and_before_the_opening(delay in 0_u64..100_000_000) {
            let opens = at(0).plus(std::time::Duration::from_millis(delay * 60));
            let planned: Vec<Timestamp> = moments(opens, at(0)).collect();
            prop_assert!(planned.iter().all(|moment| *moment > at(0) && *moment < opens));
            prop_assert!(planned.is_sorted());
            let whole_days = delay * 60 / 86_400_000;
            prop_assert!(planned.len() == 2 || whole_days <= 7);
            prop_assert!(!planned.is_empty() || whole_days <= 1);
        }

        #[test]
        fn the_days_that_are_told_cover_the_time_that_is_left(millis in 0_i64..10_000_000_000) {
            let until = Timestamp::from_millis(at(0).millis() + millis);
            let told = days_left(at(0), until);
            prop_assert!(at(0).plus(days(told)).plus(std::time::Duration::from_secs(1)) > until);
            prop_assert!(told == 0 || at(0).plus(days(told - 1)) < until);
        }
    }
}
