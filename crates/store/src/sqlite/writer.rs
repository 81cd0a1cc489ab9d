//! The thread that writes: many transactions with one flush.
//!
//! 1. Take the waiting jobs, up to a limit, in their order.
//! 2. Run each in its own savepoint, so that only this job is undone if it stops or panics.
//! 3. Commit once, which needs one flush to disk.
//! 4. Only then answer. If the commit fails, every job of the batch gets the failure.
//! 5. Between batches, move the content of the log into the database file.

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

/// Maximum number of transactions that share a flush.
const BATCH: usize = 256;
/// After this time a batch takes no further jobs, so that the first one does not wait too long.
const GATHER: Duration = Duration::from_millis(20);
/// Number of pages in the log from which the writer makes a checkpoint.
const CHECKPOINT_PAGES: i64 = 1_000;
/// Number of batches between two checks of the log's length.
const CHECKPOINT_BATCHES: u32 = 32;

/// A task for the thread.
enum Task {
    Job(Job, Access, oneshot::Sender<Result<(), Error>>),
    /// Work outside any transaction: a migration or a backup.
    Alone(Box<dyn FnOnce(&mut Connection) + Send>),
}

/// The handle of the writing thread. When it is dropped, the thread ends after its accepted tasks are done.
pub(super) struct Writer {
    tasks: Option<SyncSender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread with `connection` to the database at `path`; without a path the database is in memory.
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
            // The caller no longer waits, so no answer is needed.
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

/// A job that has run, with its caller and the answer if the batch is committed.
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

    /// Leaves one complete file, which can be copied and moved by itself.
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
                "the database's log is still in use: keep the files -wal and -shm together with the database"
            );
        }
    }

    /// Runs `first` and the jobs that wait behind it. Returns a task that cannot be part of a batch.
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
                // They get the batch's failure below.
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
            // The caller may have given up; the job is done anyway.
            let _ = reply.send(result);
        }
        self.batches += 1;
        held_over
    }

    /// Runs one job in a savepoint, and again if it asks for a rerun.
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
            // The panic drops the sender, so the caller gets an error. The panic hook has printed the panic.
            let _ = catch_unwind(AssertUnwindSafe(|| act(connection)));
        }
        self.restore();
    }

    /// Brings the connection into a state where a transaction can begin, or opens a new connection.
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
                    "the database could not be opened again"
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

    /// Moves the log into the database file if it has grown. No caller waits for this, because all of the last
    /// batch were answered.
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
    /// The transaction continues. The job is part of it, or was undone with this error.
    Undone(Result<(), Error>),
    /// The transaction was rolled back, together with the earlier jobs.
    BatchLost(Error),
}

/// Copies the batch's failure, for each of its callers.
fn again(error: &Error) -> Error {
    let what = domain::error::chain(error);
    match error {
        Error::Bug(_) => Failure::new(what).bug(),
        _ => Failure::new(what).unavailable(),
    }
}
