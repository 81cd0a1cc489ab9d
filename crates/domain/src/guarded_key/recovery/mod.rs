//! Recovery of a key whose PIN is forgotten: it is delayed, all contacts are told of it, and each of them can stop it.
//!
//! 1. [`GuardedKeys::start_recovery`] sends a code to a verified contact.
//! 2. [`GuardedKeys::recover`] with that code arms the contact's recovery lock and alerts all contacts.
//! 3. Reminders are sent seven days and one day before it opens. Every message links to a page that stops it.
//! 4. When it has opened, a fresh code to the same contact replaces the PIN.

mod link;
mod prove;
mod reminder;
mod start;

pub(crate) use self::link::OwnerLink;
pub use self::link::RunningRecovery;
pub(crate) use self::reminder::Reminder;

use super::contact::Contact;
use super::key::GuardedKey;
use super::lock::Alerts;
use crate::core::Core;
use crate::core::id::Id;
use crate::core::port::store::{Tx, TxResult};
use crate::core::time::Timestamp;
use crate::guarded_key::GuardedKeys;
use crate::letter::alert::Alert;

impl GuardedKeys {
    pub(super) fn alerts(&self) -> Alerts {
        if self.policy.store_addresses {
            Alerts::Needed
        } else {
            Alerts::Impossible
        }
    }

    /// The PIN was replaced: ends every running recovery of the key, and every code that was sent before, also those
    /// that would verify a contact. Whoever knew the old PIN may have asked for them.
    pub(super) fn end_recoveries(&self, tx: &mut dyn Tx, key: Id<GuardedKey>) -> TxResult<()> {
        for mut contact in self.contacts(tx, key)? {
            if contact.lock.take().is_some() | contact.waiting.take().is_some() {
                self.rows.put(tx, &mut contact)?;
            }
        }
        Ok(())
    }

    fn end_recovery(&self, tx: &mut dyn Tx, contact: Id<Contact>) -> TxResult<()> {
        let Some(mut contact) = self.rows.get(tx, contact)? else {
            return Ok(());
        };
        contact.end_recovery();
        self.rows.put(tx, &mut contact)
    }
}

impl Contact {
    /// A provider accepted a message that alerts the owner of the lock called `lock`. Only the first one counts.
    /// Returns whether anything changed.
    fn alert_accepted(&mut self, lock: u64, now: Timestamp) -> bool {
        let lock = self.lock.as_mut().filter(|running| running.id == lock);
        let Some(lock) = lock.filter(|lock| lock.alerted.is_none()) else {
            return false;
        };
        lock.alert_accepted(now);
        true
    }
}

/// A provider accepted a message about a recovery lock: from the first one on, the owner counts as alerted.
pub(crate) fn alert_accepted(
    core: &Core,
    tx: &mut dyn Tx,
    now: Timestamp,
    alert: &Alert,
) -> TxResult<()> {
    let Some(mut contact) = core.rows.get::<Contact>(tx, Id::new(alert.contact()))? else {
        return Ok(());
    };
    if contact.alert_accepted(alert.lock, now) {
        core.rows.put(tx, &mut contact)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::guarded_key::contact::tests::{at, contact, running_lock};

    #[test]
    fn the_first_accepted_message_alerts_the_owner_and_no_later_one_moves_that() {
        let mut contact = contact();
        contact.lock = Some(running_lock(at(0)));
        assert!(contact.alert_accepted(7, at(5)));
        assert!(!contact.alert_accepted(7, at(9)));
        let alerted = contact.lock.and_then(|lock| lock.alerted);
        assert_eq!(alerted, Some(at(5)));
    }

    #[test]
    fn a_message_about_another_lock_or_none_alerts_nobody() {
        let mut idle = contact();
        assert!(!idle.alert_accepted(7, at(5)));
        let mut other = contact();
        other.lock = Some(running_lock(at(0)));
        assert!(!other.alert_accepted(8, at(5)));
        assert_eq!(other.lock.and_then(|lock| lock.alerted), None);
    }
}
