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
    pub(super) fn draw_number(&self, now: Timestamp, last: u64) -> u64 {
        number(now, below(self.random.as_ref(), GRAIN), last)
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
        let number = self.draw_number(now, entry.last_number);
        self.register_number(tx, entry.scope(), number, entry.key())?;
        Ok(number)
    }
}
