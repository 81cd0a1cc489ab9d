//! Notices to the owner of a slot that an outside reader has used.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Vaults;
use super::entry::Entry;
use super::owner_message::{Facts, MessageTemplate, OwnerMessage};
use super::reading::Use;
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::port::store::{Kind, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::{Timestamp, hours};
use crate::core::verdict::Verdict;
use crate::letter::Decides as _;
use crate::limit::rate::{Rate, RateLog};

/// How often the owner of a slot was told that it was used.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct NoticeLog {
    sent: RateLog,
    /// Uses that no message told of yet.
    untold: u64,
}

impl Record for NoticeLog {
    const KIND: Kind = "vault_notice";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// Whether a message may tell of a use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    /// Yes, and of `untold` uses before it too.
    Now { untold: u64 },
    /// No: the use is counted for the next message.
    Later,
}

impl NoticeLog {
    fn has_room(&self, now: Timestamp, rate: Rate) -> bool {
        self.sent.full_until(now, &[rate]).is_none()
    }

    /// Counts a use. `free`: every limit for messages has room.
    fn count(&mut self, now: Timestamp, rate: Rate, free: bool) -> Telling {
        if free {
            self.sent.add(now, &[rate]);
            let untold = std::mem::take(&mut self.untold);
            Telling::Now { untold }
        } else {
            self.untold += 1;
            Telling::Later
        }
    }
}

/// What the message about a use says.
fn facts(slot_use: &Use<'_>, untold: u64) -> Facts {
    let mut facts = slot_use.facts();
    if untold > 0 {
        facts.push(("untold", untold.to_string()));
    }
    facts
}

impl Vaults {
    /// Tells the owner that a slot was used, or counts the use for the next message.
    pub(super) async fn tell_owner(
        self: &Arc<Self>,
        caller: Caller,
        (entry, slot): (Id<Entry>, u64),
        template: &'static MessageTemplate,
    ) -> Result<(), Error> {
        let now = self.now();
        self.decide(now, move |hub, tx| {
            let Some(entry) = hub.rows.get(tx, entry)? else {
                return Ok(Verdict::Done(()));
            };
            hub.record_entry(tx, (now, &caller, "slot.read"), slot)?;
            let slot_use = Use {
                now,
                caller: &caller,
                entry: &entry,
                slot,
            };
            hub.tell_in(tx, &slot_use, template)?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    fn tell_in(
        &self,
        tx: &mut dyn Tx,
        slot_use: &Use<'_>,
        template: &MessageTemplate,
    ) -> TxResult<()> {
        let Some(account) = self.owner_of(tx, slot_use.entry)? else {
            return Ok(());
        };
        let Telling::Now { untold } = self.spend_notice(tx, slot_use)? else {
            return Ok(());
        };
        let message = OwnerMessage {
            template,
            link: None,
            facts: facts(slot_use, untold),
        };
        let Use { now, caller, .. } = *slot_use;
        self.post_to_owner(tx, now, caller.surface, &account, message)
    }

    /// Takes a message about the slot from all limits, or counts the use for the next message.
    fn spend_notice(&self, tx: &mut dyn Tx, slot_use: &Use<'_>) -> TxResult<Telling> {
        let Use { now, caller, .. } = *slot_use;
        let rate = self.policy.notices_per_slot;
        let mut log = self.notice_log(tx, slot_use)?;
        let free = log.has_room(now, rate) && self.spend_messages(tx, now, caller, None)?;
        let telling = log.count(now, rate, free);
        log.place.due = Some(now.plus(hours(48)));
        self.rows.put(tx, &mut log)?;
        Ok(telling)
    }

    fn notice_log(&self, tx: &mut dyn Tx, slot_use: &Use<'_>) -> TxResult<Stored<NoticeLog>> {
        let Use { now, entry, .. } = *slot_use;
        let id = Id::<NoticeLog>::new(self.slot_row(slot_use.slot));
        if let Some(log) = self.rows.get(tx, id)? {
            return Ok(log);
        }
        let place = Place::at(id).of(entry.id()).due(now.plus(hours(48)));
        let log = NoticeLog::default();
        self.rows.create(tx, entry.scope(), place, log)
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::NOW;
    use super::*;

    const RATE: Rate = Rate::per(2, hours(1));

    fn at(minutes: u64) -> Timestamp {
        NOW.plus(std::time::Duration::from_secs(60 * minutes))
    }

    /// Counts a use while all other limits have room.
    fn used(log: &mut NoticeLog, minute: u64) -> Telling {
        let free = log.has_room(at(minute), RATE);
        log.count(at(minute), RATE, free)
    }

    #[test]
    fn the_owner_is_told_of_each_use_within_the_limit() {
        let mut log = NoticeLog::default();
        assert_eq!(used(&mut log, 0), Telling::Now { untold: 0 });
        assert_eq!(used(&mut log, 1), Telling::Now { untold: 0 });
        assert_eq!(used(&mut log, 2), Telling::Later);
    }

    #[test]
    fn the_next_message_tells_how_many_uses_went_before_it() {
        let mut log = NoticeLog::default();
        for minute in 0..2 {
            used(&mut log, minute);
        }
        for minute in 2..60 {
            assert_eq!(used(&mut log, minute), Telling::Later, "{minute}");
        }
        assert_eq!(used(&mut log, 60), Telling::Now { untold: 58 });
        assert_eq!(used(&mut log, 61), Telling::Now { untold: 0 });
    }

    #[test]
    fn a_use_is_counted_when_another_limit_is_used_up() {
        let mut log = NoticeLog::default();
        assert_eq!(log.count(at(0), RATE, false), Telling::Later);
        assert_eq!(log.count(at(0), RATE, false), Telling::Later);
        assert!(log.has_room(at(0), RATE), "no message was taken");
        assert_eq!(log.count(at(0), RATE, true), Telling::Now { untold: 2 });
    }

    #[test]
    fn a_rate_of_zero_is_off() {
        let rate = Rate::per(0, hours(1));
        let mut log = NoticeLog::default();
        for _ in 0..100 {
            assert!(log.has_room(at(0), rate));
            assert_eq!(log.count(at(0), rate, true), Telling::Now { untold: 0 });
        }
    }
}
