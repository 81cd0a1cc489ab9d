//! One run of a closure, on a thread where it may block, up to its commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use domain::Error;
use domain::port::store::{Job, Stop};
use tokio::runtime::Handle;

use super::deadline::Deadline;
use super::fault::{self, Fault};
use super::mark::Slot;
use super::pipeline::{Line, Step};
use super::rows::{Access, Locks, PgTx};
use crate::failure;

/// How long a closure waits for a row that no earlier run has locked in order. Two transactions may be waiting for
/// each other, so after this time it runs again, and locks that row first.
pub(super) const LOCK_WITHIN: Duration = Duration::from_millis(50);

/// Everything that one run of a closure needs, on the thread where it may block.
pub(super) struct Work {
    pub(super) line: Line,
    pub(super) job: Job,
    pub(super) slot: Slot,
    pub(super) access: Access,
    pub(super) begin: String,
    pub(super) locks: Locks,
    pub(super) deadline: Deadline,
}

/// How one run ended, as its thread knows it.
pub(super) enum Ended {
    Committed,
    /// There was nothing to commit.
    Done(Result<(), Error>),
    Failed(Fault),
    /// The connection was lost when `COMMIT` may have been on its way.
    InDoubt(Error),
}

impl Work {
    pub(super) fn run(mut self, runtime: &Handle) -> (Self, Ended) {
        let ended = self.ended(runtime);
        (self, ended)
    }

    fn ended(&mut self, runtime: &Handle) -> Ended {
        let limit = self.deadline.left();
        let mut tx = PgTx::new(
            &self.line,
            runtime,
            self.access,
            std::mem::take(&mut self.begin),
            std::mem::take(&mut self.locks),
            limit,
        );
        let result = catch_unwind(AssertUnwindSafe(|| (self.job)(&mut tx)));
        let rest = tx.rest();
        self.locks = rest.locks;
        let result = match (result, rest.fault) {
            (Err(_), _) => Ended::Done(Err(failure::panicked())),
            (Ok(_), Some(fault)) => Ended::Failed(fault),
            (Ok(Err(Stop::Failed(error))), None) => Ended::Done(Err(error)),
            (Ok(Err(Stop::Again)), None) => Ended::Failed(Fault::Conflict),
            (Ok(Ok(())), None) if rest.wrote => {
                return runtime.block_on(self.commit(rest.steps));
            }
            (Ok(Ok(())), None) => Ended::Done(Ok(())),
        };
        if rest.begun {
            runtime.block_on(self.line.post("ROLLBACK"));
        }
        result
    }

    /// Sends the waiting changes, the mark and `COMMIT` together.
    async fn commit(&mut self, mut steps: Vec<Step>) -> Ended {
        self.slot.advance();
        let mark = steps.len();
        steps.extend(self.slot.commit());
        let Err(broken) = self.line.send(&steps, self.deadline.left()).await else {
            return Ended::Committed;
        };
        let at_mark = broken.step == mark;
        let fault = fault::of(broken);
        match fault {
            Fault::Lost(error) => return Ended::InDoubt(error),
            Fault::Conflict if at_mark => self.slot.forget(),
            _ => {}
        }
        self.line.post("ROLLBACK").await;
        Ended::Failed(fault)
    }
}

pub(super) fn begin_write(statement: Duration) -> String {
    begin("READ COMMITTED", statement)
}

pub(super) fn lock_timeout(limit: Duration) -> String {
    format!("SET LOCAL lock_timeout = {}", millis(limit))
}

pub(super) fn begin_read(statement: Duration) -> String {
    begin("REPEATABLE READ, READ ONLY", statement)
}

/// These settings end with the transaction, because a pooler gives the session to other clients.
fn begin(level: &str, statement: Duration) -> String {
    format!(
        "BEGIN ISOLATION LEVEL {level}; SET LOCAL statement_timeout = {}; \
         SET LOCAL idle_in_transaction_session_timeout = {}",
        millis(statement),
        millis(statement * 2)
    )
}

fn millis(span: Duration) -> u128 {
    span.as_millis().clamp(1, 1_000_000_000)
}
