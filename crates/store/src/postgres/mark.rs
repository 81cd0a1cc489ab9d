//! Commit marks: how the store finds out what happened when the answer to `COMMIT` was lost.
//!
//! A transaction that writes takes a slot for itself, and a turn (a number) that the slot never had. Its last
//! statement before `COMMIT` sets the slot's row to that turn, if the row has a lower one. If the connection is
//! lost after that was sent, another connection locks the slot's row. The lock waits for the lost transaction if
//! that still runs. Then:
//!
//! - if the row has the turn, the transaction was committed;
//! - if it has a lower one, the transaction was not committed. Raising the turn makes sure that it never will be,
//!   even if its last statements have not arrived yet.
//!
//! The mark is a row like the others. So, unlike a transaction number, it means the same on a standby that has
//! become the primary: if a commit did not reach the standby, neither its mark nor its rows are there.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use super::deadline::Deadline;
use super::fault::{self, Fault};
use super::pipeline::{Line, Reply, Step, Value};
use super::rows::unsigned;
use super::run::begin_write;

/// Slots that are free now; there are as many as there were parallel writers.
#[derive(Debug, Default)]
pub(super) struct Slots(Mutex<Vec<Slot>>);

#[derive(Debug)]
pub(super) struct Slot {
    name: [u8; 16],
    turn: u64,
    /// Whether the row is known to exist.
    made: bool,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    /// It was not committed and never will be.
    NotCommitted,
    /// The slot's row does not exist any more.
    Unknown,
}

const MAKE: &str = "INSERT INTO commit_mark (slot, turn, seen) VALUES ($1, $2, now())
     ON CONFLICT DO NOTHING";

const MARK: &str = "WITH marked AS (
         UPDATE commit_mark SET turn = $2, seen = now() WHERE slot = $1 AND turn < $2 RETURNING 1)
     SELECT 1 / count(*) FROM marked";

const LOOK: &str = "SELECT turn FROM commit_mark WHERE slot = $1 FOR UPDATE";

impl Slots {
    pub(super) fn take(self: &Arc<Self>) -> Slot {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_else(Slot::new)
    }

    /// Returns a slot for the next writer. A slot whose last transaction is in doubt must not be returned, because
    /// its turn is the only evidence.
    pub(super) fn give_back(&self, slot: Slot) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(slot);
    }
}

impl Slot {
    fn new() -> Self {
        // The system seeds it for each process. It only has to be unique.
        let half = || RandomState::new().build_hasher().finish();
        let name = (u128::from(half()) << 64) | u128::from(half());
        Self {
            name: name.to_be_bytes(),
            turn: 0,
            made: false,
        }
    }

    /// Moves to a turn that no transaction has had.
    pub(super) fn advance(&mut self) {
        self.turn += 1;
    }

    /// Creates the slot's row, outside the transaction for which it is evidence. Its turn is lower than that of
    /// every later transaction.
    pub(super) async fn make(&mut self, line: &Line, deadline: &Deadline) -> Result<(), Fault> {
        if self.made {
            return Ok(());
        }
        let make = Step::Change(MAKE, vec![self.name(), self.number()]);
        line.send(&[make], deadline.left())
            .await
            .map_err(fault::of)?;
        self.made = true;
        Ok(())
    }

    /// The row did not exist: this is another primary, or a restored backup.
    pub(super) fn forget(&mut self) {
        self.made = false;
    }

    /// Sets the mark. If the turn has passed, divides by zero, so that nothing is committed.
    pub(super) fn commit(&self) -> [Step; 2] {
        [
            Step::Change(MARK, vec![self.name(), self.number()]),
            Step::Batch("COMMIT".to_owned()),
        ]
    }

    fn name(&self) -> Value {
        Value::Bytes(self.name.to_vec())
    }

    fn number(&self) -> Value {
        Value::Number(i64::try_from(self.turn).unwrap_or(i64::MAX))
    }

    pub(super) fn turn(&self) -> u64 {
        self.turn
    }

    /// Finds out how the transaction with `turn` ended, and ends that turn. If this fails it can be repeated.
    pub(super) async fn fate(
        &mut self,
        turn: u64,
        line: &Line,
        deadline: &Deadline,
    ) -> Result<Fate, Fault> {
        let begin = Step::Batch(begin_write(deadline.left()));
        let look = Step::Read(LOOK, vec![self.name()]);
        let mut replies = line
            .send(&[begin, look], deadline.left())
            .await
            .map_err(fault::of)?;
        let rows = replies.pop().map(Reply::rows).unwrap_or_default();
        let found = rows.first().map(|row| row.try_get::<_, i64>(0)).transpose();
        let found = found.map_err(fault::of_error)?.map(unsigned);
        let fate = match found {
            Some(found) if found == turn => Fate::Committed,
            Some(_) => Fate::NotCommitted,
            None => Fate::Unknown,
        };
        if found.is_some_and(|found| found < turn) {
            self.advance();
            line.send(&self.commit(), deadline.left())
                .await
                .map_err(fault::of)?;
        } else {
            line.post("ROLLBACK").await;
        }
        Ok(fate)
    }
}
