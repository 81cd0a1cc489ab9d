//! Numbers of entries, slots and share requests: positive, ascending with time, unique over the whole server.
//!
//! A number is the milliseconds since 2020 times 4096, plus a random part. It stays below 2^53 until the year
//! 2089, so clients that count in doubles represent it exactly. There is no counter that all writers share.
//! Each number that is in use has a row of its own: inserting that row detects the rare collision. A new number
//! is always above the last number of its owner.

use serde::{Deserialize, Serialize};

use super::Vaults;
use super::entry::Entry;
use crate::core::id::Id;
use crate::core::port::random::below;
use crate::core::port::store::{Kind, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Scope, Stored};
use crate::core::time::Timestamp;

/// 2020-01-01T00:00:00Z.
const BEGINNING: i64 = 1_577_836_800_000;
/// Numbers in a millisecond.
const GRAIN: u32 = 4096;
/// The largest number that a double represents exactly.
pub(super) const LARGEST: u64 = (1 << 53) - 1;

/// Leads from a number to the entry that it belongs to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Numbered {
    pub(super) entry: Id<Entry>,
}

impl Record for Numbered {
    const KIND: Kind = "vault_number";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// The number for `now` and a random part below [`GRAIN`], but always above `last`.
fn number(now: Timestamp, random: u32, last: u64) -> u64 {
    let millis = u64::try_from(now.millis().saturating_sub(BEGINNING)).unwrap_or(0);
    let drawn = millis.saturating_mul(u64::from(GRAIN)) + u64::from(random);
    drawn.max(last + 1).min(LARGEST)
}

impl Vaults {
    /// A new number above `last`, not yet registered.
    pub(super) fn draw_number(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        mut last: u64,
    ) -> TxResult<u64> {
        let random = || below(self.random.as_ref(), GRAIN);
        loop {
            let drawn = number(now, random(), last);
            // After a clock was put back, the number is the one after `last`, whatever is drawn. If something else has
            // that number, another run of the transaction would find the same one.
            let is_next = drawn == last + 1;
            if !is_next || self.rows.peek(tx, self.numbered(drawn))?.is_none() {
                return Ok(drawn);
            }
            last = drawn + u64::from(random());
        }
    }

    pub(super) fn numbered(&self, number: u64) -> Id<Numbered> {
        self.rows.named(&[&number.to_be_bytes()])
    }

    /// Registers `number` for something of `entry`. If it is in use, the transaction runs again with another draw.
    pub(super) fn register_number(
        &self,
        tx: &mut dyn Tx,
        scope: Scope,
        number: u64,
        entry: Id<Entry>,
    ) -> TxResult<()> {
        let place = Place::at(self.numbered(number)).of(entry);
        self.rows.create(tx, scope, place, Numbered { entry })?;
        Ok(())
    }

    /// Draws and registers the number of a new slot or share request in `entry`.
    pub(super) fn number_in(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        entry: &Stored<Entry>,
    ) -> TxResult<u64> {
        let number = self.draw_number(tx, now, entry.last_number)?;
        self.register_number(tx, entry.scope(), number, entry.key())?;
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const YEAR_2089: i64 = 3_755_289_600_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn numbers_begin_with_2020() {
        assert_eq!(number(at(BEGINNING), 5, 0), 5);
        assert_eq!(number(at(BEGINNING + 1), 5, 0), 4096 + 5);
    }

    #[test]
    fn no_number_is_zero() {
        assert_eq!(number(at(BEGINNING), 0, 0), 1);
        assert_eq!(number(at(0), 0, 0), 1, "a clock before 2020");
    }

    #[test]
    fn in_the_same_millisecond_the_next_number_is_above_the_last() {
        let last = number(at(BEGINNING + 7), 4000, 0);
        assert_eq!(number(at(BEGINNING + 7), 3, last), last + 1);
        assert_eq!(number(at(BEGINNING + 7), 4001, last), last + 1);
        assert_eq!(number(at(BEGINNING + 7), 4095, last), last + 95);
    }

    #[test]
    fn a_clock_that_was_moved_back_gives_no_smaller_numbers() {
        let last = number(at(BEGINNING + 10_000), 1, 0);
        assert_eq!(number(at(BEGINNING + 1), 9, last), last + 1);
    }

    #[test]
    fn numbers_fit_into_a_double_until_2089() {
        assert!(number(at(YEAR_2089), GRAIN - 1, 0) < LARGEST);
        assert_eq!(number(Timestamp::NEVER, 0, 0), LARGEST);
    }

    proptest! {
        #[test]
        fn every_number_is_positive_above_the_last_and_exact_in_a_double(
            millis in 0..YEAR_2089,
            random in 0..GRAIN,
            last in 0..LARGEST,
        ) {
            let drawn = number(at(millis), random, last);
            prop_assert!(drawn > last);
            prop_assert!(drawn <= LARGEST);
        }
    }
}
