//! Runs of a closure in a transaction: again after a conflict or a lost connection, until the time is over.

use domain::Error;
use domain::port::store::Job;
use tokio::runtime::Handle;

use super::deadline::Deadline;
use super::fault::Fault;
use super::mark::{Fate, Slot};
use super::pipeline::Line;
use super::rows::{Access, Locks};
use super::run::{Ended, Work, begin_read, begin_write};
use super::{FATE_WITHIN, PostgresStore};
use crate::failure::Failure;
use crate::stopwatch::Stopwatch;

/// How one run ended, including the commit.
enum Attempt {
    Done(Result<(), Error>),
    Failed(Fault, Job, Locks),
}

/// How one run ended, once a doubtful commit was looked at.
enum Settled {
    Done(Result<(), Error>),
    Failed(Fault),
    /// It cannot be found out whether the commit took place, so it still may: the slot must not be used again.
    Unknown(Error),
}

impl PostgresStore {
    pub(super) async fn run(&self, mut job: Job, access: Access) -> Result<(), Error> {
        let Ok(_waiting) = self.queue.try_acquire() else {
            return Err(Error::Busy { seconds: 1 });
        };
        let deadline = Deadline::within(self.options.deadline);
        let mut attempts = 0;
        let mut locks = Locks::new();
        loop {
            let fault = match self.checkout(&deadline).await {
                Ok(line) => match self.attempt(line, job, locks, access, &deadline).await? {
                    Attempt::Done(result) => return result,
                    Attempt::Failed(fault, unused, met) => {
                        (job, locks) = (unused, met);
                        fault
                    }
                },
                Err(fault) => fault,
            };
            let end = match fault {
                Fault::Final(error) => return Err(error),
                fault => fault.into_error(),
            };
            attempts += 1;
            if !deadline.pause(attempts).await {
                return Err(end);
            }
        }
    }

    /// Runs the closure once, and returns the connection and the slot afterwards.
    async fn attempt(
        &self,
        line: Line,
        job: Job,
        locks: Locks,
        access: Access,
        deadline: &Deadline,
    ) -> Result<Attempt, Error> {
        let start = Stopwatch::start();
        let mut slot = self.slots.take();
        if let Err(fault) = self.prepare(&line, &mut slot, access, deadline).await {
            self.slots.give_back(slot);
            self.discard_if_lost(line, &fault);
            return Ok(Attempt::Failed(fault, job, locks));
        }
        let patience = self.options.statement_timeout;
        let work = Work {
            line,
            job,
            slot,
            access,
            begin: match access {
                Access::Write => begin_write(patience),
                Access::Read => begin_read(patience),
            },
            locks,
            deadline: *deadline,
        };
        let runtime = Handle::current();
        let work = tokio::task::spawn_blocking(move || work.run(&runtime));
        let (work, ended) = work.await.map_err(|error| {
            Failure::because("a transaction's thread ended without a result", error).bug()
        })?;
        let Work {
            line,
            job,
            mut slot,
            locks,
            ..
        } = work;
        if let Ended::Committed = ended {
            self.primacy.proved(start);
        }
        let attempt = match self.settle(line, &mut slot, ended, deadline).await {
            Settled::Done(result) => Attempt::Done(result),
            Settled::Failed(fault) => Attempt::Failed(fault, job, locks),
            Settled::Unknown(error) => return Ok(Attempt::Done(Err(error))),
        };
        self.slots.give_back(slot);
        Ok(attempt)
    }

    /// Makes sure that the connection leads to the primary, and that a write has a mark to leave.
    async fn prepare(
        &self,
        line: &Line,
        slot: &mut Slot,
        access: Access,
        deadline: &Deadline,
    ) -> Result<(), Fault> {
        // Needed for writes too, because a closure may find that there is nothing to write.
        self.assure(line, deadline).await?;
        match access {
            Access::Write => slot.make(line, deadline).await,
            Access::Read => Ok(()),
        }
    }

    /// Closes a lost connection, and finds out about a commit during which it was lost.
    async fn settle(
        &self,
        line: Line,
        slot: &mut Slot,
        ended: Ended,
        deadline: &Deadline,
    ) -> Settled {
        match ended {
            Ended::Committed => Settled::Done(Ok(())),
            Ended::Done(result) => Settled::Done(result),
            Ended::Failed(fault) => {
                self.discard_if_lost(line, &fault);
                Settled::Failed(fault)
            }
            Ended::InDoubt(error) => {
                self.discard(line);
                match self.fate(slot, deadline).await {
                    Some(Fate::Committed) => Settled::Done(Ok(())),
                    Some(Fate::NotCommitted) => Settled::Failed(Fault::Lost(error)),
                    Some(Fate::Unknown) | None => {
                        let what = "the connection was lost during a commit, and it could not be \
                                    found out in time whether that took place";
                        Settled::Unknown(Failure::because(what, error).unavailable())
                    }
                }
            }
        }
    }

    /// Whether the transaction that holds `slot` was committed; `None` if this cannot be found out in time.
    async fn fate(&self, slot: &mut Slot, deadline: &Deadline) -> Option<Fate> {
        let deadline = Deadline::within(deadline.left().max(FATE_WITHIN));
        let turn = slot.turn();
        for attempts in 1.. {
            let fault = match self.checkout(&deadline).await {
                Ok(line) => match slot.fate(turn, &line, &deadline).await {
                    Ok(fate) => return Some(fate),
                    Err(fault) => {
                        self.discard(line);
                        fault
                    }
                },
                Err(fault) => fault,
            };
            let error = fault.into_error();
            tracing::warn!(
                error = domain::error::chain(&error),
                "it is not known yet whether a transaction was committed"
            );
            if !deadline.pause(attempts).await {
                break;
            }
        }
        None
    }
}
