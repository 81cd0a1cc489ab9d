//! Numbers of entries, slots and requests: positive, ascending with time, unique over the whole server.
//!
//! A number is milliseconds since 2020 times 4096, plus chance: below 2^53 until the year 2089, so that
//! clients which count in doubles keep it. No counter is shared by all writers. Each number has a row of
//! its own while it is in use, whose insert finds the rare clash, and stays above its owner's last.

use serde::{Deserialize, Serialize};

use crate::core::port::random::below;
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Scope};
use crate::core::time::Timestamp;
use crate::vault::Vaults;

/// 2020-01-01T00:00:00Z.
const BEGINNING: i64 = 1_577_836_800_000;
/// Numbers in a millisecond.
const GRAIN: u64 = 4096;
/// The largest that a double counts exactly.
pub(super) const LARGEST: u64 = (1 << 53) - 1;

/// Leads from a number to the entry it belongs to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Numbered {
    pub(super) entry: [u8; 16],
}

impl Record for Numbered {
    const KIND: Kind = "vault_number";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

impl Vaults {
    /// A fresh number above `last`, not yet registered.
    pub(super) fn draw_number(&self, now: Timestamp, last: u64) -> u64 {
        let millis = u64::try_from(now.millis().saturating_sub(BEGINNING)).unwrap_or(0);
        let chance = u64::from(below(self.random.as_ref(), 4096));
        (millis.saturating_mul(GRAIN) + chance)
            .max(last + 1)
            .min(LARGEST)
    }

    pub(super) fn number_row(&self, number: u64) -> RowId {
        self.rows.id(Numbered::KIND, &[&number.to_be_bytes()])
    }

    /// Takes `number` for something of `entry`. On a clash the transaction runs again with another draw.
    pub(super) fn register_number(
        &self,
        tx: &mut dyn Tx,
        scope: Scope,
        number: u64,
        entry: RowId,
    ) -> TxResult<()> {
        let place = Place::at(self.number_row(number)).of(entry);
        self.rows
            .create(tx, scope, place, Numbered { entry: entry.0 })?;
        Ok(())
    }
}
