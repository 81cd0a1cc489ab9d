//! SQLite: a database file or an in-memory database, for one server process.
//!
//! One thread writes (`writer`), a few connections read at the same time (`readers`), and `file` keeps other
//! processes and other users out.

mod fault;
mod file;
mod readers;
mod rows;
mod schema;
mod view;
mod writer;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use domain::port::Store;
use domain::port::store::{Job, Kind, Row, RowId};
use domain::{Error, Timestamp};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::backend::Backend;
use crate::failure::Failure;
use crate::readiness::{self, Readiness};
use crate::schema::{Extent, Migrations, Plan, SchemaError};
use readers::Readers;
use rows::Access;
pub use view::SqliteView;
use writer::Writer;

/// How often a job may run before it fails.
const RUNS: usize = 8;

/// How to open a database file.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    pub migrations: Migrations,
    /// Number of reading connections.
    pub readers: usize,
    /// How many transactions may wait for the writer; more callers get `Busy`.
    pub queue: usize,
    /// Maximum size of the file in pages of 4 KiB; 0 is no limit.
    pub max_pages: u32,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            migrations: Migrations::Apply,
            readers: 4,
            queue: 4_096,
            max_pages: 0,
        }
    }
}

/// A SQLite database.
pub struct SqliteStore {
    /// Closed before the writer. The writer's connection must be the last one, because it moves the log into the
    /// file.
    readers: Option<Readers>,
    writer: Writer,
    path: Option<PathBuf>,
    ready: Readiness,
}

impl SqliteStore {
    /// Opens the database file at `path`, or creates it, for this process alone.
    pub fn open(path: impl AsRef<Path>, options: &SqliteOptions) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let claim = file::claim(&path)?;
        let mut connection = file::writer(&path)?;
        if options.max_pages > 0 {
            connection
                .pragma_update(None, "max_page_count", options.max_pages)
                .map_err(fault::error)?;
        }
        arrange(&mut connection, options.migrations)?;
        let writer = Writer::start(connection, Some((path.clone(), claim)), options.queue)?;
        let readers = Some(Readers::new(path.clone(), options.readers));
        Ok(Self {
            writer,
            readers,
            path: Some(path),
            ready: Readiness::default(),
        })
    }

    /// Creates a database in memory: the same, without a file and without parallel reads.
    pub fn in_memory() -> Result<Self, Error> {
        let mut connection = file::memory()?;
        arrange(&mut connection, Migrations::Apply)?;
        let writer = Writer::start(connection, None, SqliteOptions::default().queue)?;
        Ok(Self {
            writer,
            readers: None,
            path: None,
            ready: Readiness::default(),
        })
    }

    /// Writes a consistent copy of everything committed so far to the new file `target`, while the database is in
    /// use.
    pub async fn backup_to(&self, target: &Path) -> Result<(), Error> {
        let target = target.to_owned();
        self.beside(move |connection| copy(connection, &target))
            .await
    }

    /// Runs a long read on a connection and a thread of its own; if the database is in memory, on the writer's.
    async fn beside<T: Send + 'static>(
        &self,
        task: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let Some(path) = self.path.clone() else {
            return self.writer.alone(move |connection| task(connection)).await;
        };
        let task = move || task(&file::reader(&path)?);
        tokio::task::spawn_blocking(task).await.map_err(|error| {
            Failure::because("the thread of a long read ended without a result", error).bug()
        })?
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn write(&self, job: Job) -> Result<(), Error> {
        self.writer.run(job, Access::Write).await
    }

    async fn read(&self, job: Job) -> Result<(), Error> {
        match &self.readers {
            Some(readers) => readers.read(job).await,
            None => self.writer.run(job, Access::Read).await,
        }
    }

    async fn row(&self, kind: Kind, id: RowId) -> Result<Option<Row>, Error> {
        match &self.readers {
            Some(readers) => readers.row(kind, id).await,
            None => {
                self.writer
                    .alone(move |connection| rows::row(connection, kind, &id))
                    .await
            }
        }
    }

    async fn ready(&self) -> Result<(), Error> {
        let touch = self.writer.alone(|connection| {
            connection
                .execute("UPDATE meta SET value = value + 1 WHERE name = 'ready'", [])
                .map_err(fault::error)
        });
        let touch = async {
            match tokio::time::timeout(readiness::WITHIN, touch).await {
                Ok(touched) => touched.map(|_| ()),
                Err(error) => {
                    let what = "a readiness write did not end in time";
                    Err(Failure::because(what, error).unavailable())
                }
            }
        };
        self.ready.check(touch).await
    }
}

#[async_trait]
impl Backend for SqliteStore {
    fn engine(&self) -> &'static str {
        "sqlite"
    }

    async fn ensure_schema(&self) -> Result<(), Error> {
        // Opening the database has already done this.
        Ok(())
    }

    async fn plan(&self) -> Result<Plan, Error> {
        self.writer
            .alone(|connection| schema::plan(connection))
            .await
    }

    async fn migrate(&self, extent: Extent) -> Result<Plan, Error> {
        self.writer
            .alone(move |connection| schema::migrate(connection, extent))
            .await
    }

    async fn clock(&self) -> Result<Option<Timestamp>, Error> {
        Ok(None)
    }

    async fn count_kinds(&self) -> Result<Vec<(String, u64)>, Error> {
        self.beside(rows::count_kinds).await
    }
}

fn arrange(connection: &mut Connection, migrations: Migrations) -> Result<(), Error> {
    let plan = match migrations {
        Migrations::Apply => schema::migrate(connection, Extent::Expand)?,
        Migrations::Leave => return Ok(()),
        Migrations::Require => {
            let plan = schema::plan(connection)?;
            if !plan.is_current() {
                return Err(Error::unavailable(SchemaError::Pending { plan }));
            }
            plan
        }
    };
    if !plan.steps.is_empty() {
        tracing::info!(
            engine = "sqlite",
            from = plan.from,
            to = plan.to,
            "the schema was migrated"
        );
    }
    Ok(())
}

/// Copies in one step: it does not block the writer, and the writer does not make it start again.
fn copy(source: &Connection, target: &Path) -> Result<(), Error> {
    if target.exists() {
        let what = format!(
            "{} exists already: a backup overwrites no file",
            target.display()
        );
        return Err(Failure::new(what).unavailable());
    }
    let partial = file::beside(target, ".partial");
    let cannot = |error| file::cannot("write the backup", &partial, error);
    file::private()
        .truncate(true)
        .open(&partial)
        .map_err(cannot)?;
    let mut copy = Connection::open(&partial).map_err(fault::error)?;
    let step = Backup::new(source, &mut copy).and_then(|backup| backup.step(-1));
    match step.map_err(fault::error)? {
        StepResult::Done => {}
        other => {
            let what = format!("the backup did not finish: {other:?}");
            return Err(Failure::new(what).unavailable());
        }
    }
    copy.close().map_err(|(_, error)| fault::error(error))?;
    std::fs::File::open(&partial)
        .and_then(|file| file.sync_all())
        .map_err(cannot)?;
    std::fs::rename(&partial, target).map_err(|error| file::cannot("finish", target, error))
}
