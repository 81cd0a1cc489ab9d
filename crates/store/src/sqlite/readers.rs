//! The reading connections of a database file. Each sees the last commit, and none waits for the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use domain::Error;
use domain::port::store::{Job, Kind, Row, RowId, Stop};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rows::{Access, SqliteTx};
use super::{RUNS, fault, file, rows};
use crate::failure::{self, Failure};

pub(super) struct Readers {
    path: PathBuf,
    free: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

/// A connection from the pool. Dropping it returns it to the pool if it can be used again.
struct Reader {
    connection: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    pub(super) fn new(path: PathBuf, size: usize) -> Self {
        Self {
            path,
            free: Arc::new(Semaphore::new(size.max(1))),
            idle: Arc::default(),
        }
    }

    /// A look-up takes about five microseconds, which is less than a switch to another thread and back.
    pub(super) async fn row(&self, kind: Kind, id: RowId) -> Result<Option<Row>, Error> {
        let mut reader = self.take().await?;
        let row = rows::row(reader.connection(), kind, &id);
        if row.is_err() {
            // After any failure the next caller gets a new connection.
            reader.connection = None;
        }
        row
    }

    /// Runs `job` on one view of the database: on this thread if it is short, otherwise on a blocking thread.
    pub(super) async fn read(&self, mut job: Job) -> Result<(), Error> {
        let reader = self.take().await?;
        if let Some(done) = attempt(reader.connection(), &mut job, Access::Glance) {
            return done;
        }
        let task = tokio::task::spawn_blocking(move || {
            attempt(reader.connection(), &mut job, Access::Read)
                .unwrap_or_else(|| Err(failure::contended()))
        });
        task.await.map_err(|error| {
            Failure::because("a reading thread ended without a result", error).bug()
        })?
    }

    async fn take(&self) -> Result<Reader, Error> {
        let permit = Arc::clone(&self.free)
            .acquire_owned()
            .await
            .map_err(|error| Failure::because("the store is closed", error).unavailable())?;
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let connection = match idle {
            Some(connection) => connection,
            None => file::reader(&self.path)?,
        };
        Ok(Reader {
            connection: Some(connection),
            idle: Arc::clone(&self.idle),
            _permit: permit,
        })
    }
}

impl Reader {
    fn connection(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("only drop takes the connection out")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(Connection::is_autocommit) {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
        }
    }
}

/// Returns `None` if the job wants to read more than [`Access::Glance`] allows.
fn attempt(connection: &Connection, job: &mut Job, access: Access) -> Option<Result<(), Error>> {
    for _ in 0..RUNS {
        if let Err(error) = run(connection, "BEGIN") {
            return Some(Err(error));
        }
        let mut tx = SqliteTx::new(connection, access);
        let result = catch_unwind(AssertUnwindSafe(|| job(&mut tx)));
        let too_long = tx.was_too_long();
        let result = result.map(|result| tx.verdict(result));
        if let Err(error) = run(connection, "ROLLBACK") {
            return Some(Err(error));
        }
        if too_long {
            return None;
        }
        match result {
            Ok(Ok(())) => return Some(Ok(())),
            Ok(Err(Stop::Failed(error))) => return Some(Err(error)),
            Ok(Err(Stop::Again)) => {}
            Err(_) => return Some(Err(failure::panicked())),
        }
    }
    Some(Err(failure::contended()))
}

fn run(connection: &Connection, sql: &str) -> Result<(), Error> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(|_| ())
        .map_err(fault::error)
}
