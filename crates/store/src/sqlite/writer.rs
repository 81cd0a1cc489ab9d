//! The one thread that writes: many transactions, one flush.
//!
//! 1. Take the jobs that wait, up to a bound, in their order.
//! 2. Run each inside a savepoint of its own, so that it alone is undone if it stops or panics.
//! 3. Commit once, which flushes the disk once.
//! 4. Only then answer. If the commit fails, all of the batch are told that it did.
//! 5. Between batches, move what the log holds into the database file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

use domain::Error;
use domain::port::store::{Job, Stop};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::file::{self, Claim};
use super::rows::{Access, SqliteTx};
use super::{RUNS, fault};
use crate::failure::{self, Failure};
use crate::stopwatch::Stopwatch;

/// Transactions that share a flush.
const BATCH: usize = 256;
/// A batch that takes longer than this lets nobody else in, so that the first is not kept waiting.
const GATHER: Duration = Duration::from_millis(20);
/// Pages in the log from which the writer checkpoints.
const CHECKPOINT_PAGES: i64 = 1_000;
/// Batches between two looks at the log's length.
const CHECKPOINT_BATCHES: u32 = 32;

/// What the thread is asked to do.
enum Task {
    Job(Job, Access, oneshot::Sender<Result<(), Error>>),
    /// Something outside any transaction: a migration, a backup.
    Alone(Box<dyn FnOnce(&mut Connection) + Send>),
}

/// The way to the writing thread. Dropping it ends the thread once all it has taken is done.
pub(super) struct Writer {
    tasks: Option<SyncSender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread with `connection` to the database at `path`, or in memory without one.
    pub(super) fn start(
        connection: Connection,
        path: Option<(PathBuf, Claim)>,
        queue: usize,
    ) -> Result<Self, Error> {
        let (tasks, receiver) = sync_channel(queue);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || {
                let (path, _claim) = path.unzip();
                let desk = Desk {
                    connection: Some(connection),
                    path,
                    batches: 0,
                };
                desk.serve(&receiver);
            })
            .map_err(|error| Failure::because("cannot start a thread", error).unavailable())?;
        Ok(Self {
            tasks: Some(tasks),
            thread: Some(thread),
        })
    }

    /// Runs `job` in a transaction and waits until that is committed. A caller that stops waiting
    /// does not stop the job.
    pub(super) async fn run(&self, job: Job, access: Access) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.send(Task::Job(job, access, reply))?;
        answer.await.map_err(|_| gone())?
    }

    /// Runs `act` on the writing connection, outside any transaction.
    pub(super) async fn alone<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.send(Task::Alone(Box::new(move |connection| {
            // Nobody waits any more: nothing is left to tell.
            let _ = reply.send(act(connection));
        })))?;
        answer.await.map_err(|_| gone())?
    }

    fn send(&self, task: Task) -> Result<(), Error> {
        let tasks = self.tasks.as_ref().ok_or_else(gone)?;
        tasks.try_send(task).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy { seconds: 1 },
            TrySendError::Disconnected(_) => gone(),
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.tasks = None;
        let here: ThreadId = std::thread::current().id();
        if let Some(thread) = self
            .thread
            .take()
            .filter(|thread| thread.thread().id() != here)
        {
            // A panic of the thread has been printed by the panic hook.
            let _ = thread.join();
        }
    }
}

fn gone() -> Error {
    Failure::new("the SQLite writer has stopped").unavailable()
}

/// A job that ran, with its caller and what to tell them if the batch is committed.
struct Done {
    reply: oneshot::Sender<Result<(), Error>>,
    result: Result<(), Error>,
}

/// The thread's own state.
struct Desk {
    /// `None` after a failure from which the connection did not recover.
    connection: Option<Connection>,
    path: Option<PathBuf>,
    batches: u32,
}

impl Desk {
    fn serve(mut self, tasks: &Receiver<Task>) {
        let mut next = tasks.recv().ok();
        while let Some(task) = next.take() {
            let held_over = match task {
                Task::Job(job, access, reply) => self.batch((job, access, reply), tasks),
                Task::Alone(act) => {
                    self.alone(act);
                    None
                }
            };
            self.tidy();
            next = held_over.or_else(|| tasks.recv().ok());
        }
        self.close();
    }

    /// Leaves one whole file behind, which may be copied and moved by itself.
    fn close(self) {
        let (Some(connection), Some(_)) = (self.connection, self.path) else {
            return;
        };
        let emptied = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
            row.get::<_, i64>(0)
        });
        if !matches!(emptied, Ok(0)) {
            tracing::warn!(
                code = "log_left",
                "the database's log is still in use: keep the files -wal and -shm beside it"
            );
        }
    }

    /// Runs `first` and what waits behind it. Gives back a task that cannot be part of a batch.
    fn batch(
        &mut self,
        first: (Job, Access, oneshot::Sender<Result<(), Error>>),
        tasks: &Receiver<Task>,
    ) -> Option<Task> {
        let started = Stopwatch::start();
        let mut done = Vec::new();
        let mut held_over = None;
        let mut next = Some(first);
        let mut fate = self.statement("BEGIN IMMEDIATE");
        while let Some((mut job, access, reply)) = next.take() {
            let ran = match &fate {
                Ok(()) => self.run(&mut job, access),
                // Told the batch's failure below.
                Err(_) => Ran::Undone(Ok(())),
            };
            match ran {
                Ran::Undone(result) => done.push(Done { reply, result }),
                Ran::BatchLost(error) => {
                    done.push(Done {
                        reply,
                        result: Ok(()),
                    });
                    fate = Err(error);
                }
            }
            if fate.is_err() || done.len() >= BATCH || started.elapsed() > GATHER {
                break;
            }
            match tasks.try_recv() {
                Ok(Task::Job(job, access, reply)) => next = Some((job, access, reply)),
                Ok(other) => held_over = Some(other),
                Err(_) => {}
            }
        }
        let fate = fate.and_then(|()| self.statement("COMMIT"));
        self.restore();
        for Done { reply, result } in done {
            let result = match &fate {
                Ok(()) => result,
                Err(error) => Err(again(error)),
            };
            // The caller may have gone; the job is done all the same.
            let _ = reply.send(result);
        }
        self.batches += 1;
        held_over
    }

    /// Runs one job in a savepoint, again if it asks for that.
    fn run(&mut self, job: &mut Job, access: Access) -> Ran {
        for _ in 0..RUNS {
            if let Err(error) = self.statement("SAVEPOINT job") {
                return self.lost_or(error);
            }
            let Some(connection) = &self.connection else {
                return Ran::BatchLost(gone());
            };
            let mut tx = SqliteTx::new(connection, access);
            let result = catch_unwind(AssertUnwindSafe(|| job(&mut tx)));
            let result = result.map(|result| tx.verdict(result));
            let end = match result {
                Ok(Ok(())) => match self.statement("RELEASE job") {
                    Ok(()) => return Ran::Undone(Ok(())),
                    Err(error) => Some(error),
                },
                Ok(Err(Stop::Failed(error))) => Some(error),
                Ok(Err(Stop::Again)) => None,
                Err(_) => Some(failure::panicked()),
            };
            if self.is_idle() {
                // SQLite itself has rolled back, as it does when the disk is full.
                return Ran::BatchLost(end.unwrap_or_else(failure::contended));
            }
            let undone = self
                .statement("ROLLBACK TO job")
                .and_then(|()| self.statement("RELEASE job"));
            match (undone, end) {
                (Err(error), _) => return Ran::BatchLost(error),
                (Ok(()), Some(error)) => return Ran::Undone(Err(error)),
                (Ok(()), None) => {}
            }
        }
        Ran::Undone(Err(failure::contended()))
    }

    fn lost_or(&self, error: Error) -> Ran {
        if self.is_idle() {
            Ran::BatchLost(error)
        } else {
            Ran::Undone(Err(error))
        }
    }

    /// Whether no transaction is open.
    fn is_idle(&self) -> bool {
        self.connection
            .as_ref()
            .is_none_or(Connection::is_autocommit)
    }

    fn alone(&mut self, act: Box<dyn FnOnce(&mut Connection) + Send>) {
        self.restore();
        if let Some(connection) = &mut self.connection {
            // The panic drops the sender, which tells the caller; the hook has printed it.
            let _ = catch_unwind(AssertUnwindSafe(|| act(connection)));
        }
        self.restore();
    }

    /// Brings the connection back to where a transaction can begin, by a new one if need be.
    fn restore(&mut self) {
        if self
            .connection
            .as_ref()
            .is_some_and(|connection| !connection.is_autocommit())
            && let Err(error) = self.statement("ROLLBACK")
        {
            tracing::warn!(
                error = domain::error::chain(&error),
                "a rollback failed: reconnecting"
            );
            if self.path.is_some() {
                self.connection = None;
            }
        }
        if let (None, Some(path)) = (&self.connection, &self.path) {
            match file::writer(path) {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => tracing::error!(
                    error = domain::error::chain(&error),
                    "cannot open the database again"
                ),
            }
        }
    }

    fn statement(&self, sql: &str) -> Result<(), Error> {
        let connection = self.connection.as_ref().ok_or_else(gone)?;
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(|_| ())
            .map_err(fault::error)
    }

    /// Moves the log into the database file when it has grown. Nobody waits for this: all callers of
    /// the last batch are answered.
    fn tidy(&mut self) {
        if self.path.is_none() || self.batches < CHECKPOINT_BATCHES {
            return;
        }
        self.batches = 0;
        let Some(connection) = &self.connection else {
            return;
        };
        let checkpoint = |mode: &str| {
            connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
                Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)
            })
        };
        let result = checkpoint("NOOP").and_then(|pages| {
            if pages >= CHECKPOINT_PAGES {
                checkpoint("PASSIVE")
            } else {
                Ok(0)
            }
        });
        if let Err(error) = result {
            tracing::warn!(
                error = domain::error::chain(&fault::error(error)),
                "a checkpoint failed; the log stays until the next one"
            );
        }
    }
}

/// How a job ended.
enum Ran {
    /// The transaction goes on: the job is in it, or undone with this error.
    Undone(Result<(), Error>),
    /// The transaction is gone, and with it the jobs before this one.
    BatchLost(Error),
}

/// The batch's failure once more, for each of its callers.
fn again(error: &Error) -> Error {
    let what = domain::error::chain(error);
    match error {
        Error::Bug(_) => Failure::new(what).bug(),
        _ => Failure::new(what).unavailable(),
    }
}
