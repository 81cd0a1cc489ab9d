//! The databases for tests: real ones, a new one for each test.

use std::any::Any;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::port::Store;
use store::{PostgresOptions, PostgresStore, SqliteOptions, SqliteStore};
use tokio_postgres::{Client, NoTls};

/// A database for one test, removed when this value is dropped.
pub struct Backing {
    store: Arc<dyn Store>,
    place: Place,
    /// Values that must live as long as the database.
    _keep: Box<dyn Any + Send + Sync>,
}

enum Place {
    Memory,
    File(PathBuf),
    Postgres(String),
}

impl Backing {
    /// A SQLite database in memory.
    pub fn memory() -> Self {
        let store = SqliteStore::in_memory().expect("SQLite opens a database in memory");
        Self {
            store: Arc::new(store),
            place: Place::Memory,
            _keep: Box::new(()),
        }
    }

    /// A SQLite database in a file.
    pub fn file() -> Self {
        let folder = tempfile::tempdir().expect("a test has somewhere to write");
        let path = folder.path().join("keyward.db");
        Self {
            store: Arc::new(open(&path)),
            place: Place::File(path),
            _keep: Box::new(folder),
        }
    }

    /// A schema on the PostgreSQL server that `KEYWARD_TEST_POSTGRES` names. Returns `None` with a message if it
    /// is not set, and fails in CI. Needs a runtime with more than one thread.
    pub async fn postgres() -> Option<Self> {
        let schema = Schema::make(&postgres_url()?).await;
        let url = schema.url.clone();
        Some(Self {
            store: Arc::new(connect(&url)),
            place: Place::Postgres(url),
            _keep: Box::new(schema),
        })
    }

    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// The database as another node sees it: with its own connections, if the engine has any.
    pub fn another_node(&self) -> Arc<dyn Store> {
        match &self.place {
            Place::Memory | Place::File(_) => self.store(),
            Place::Postgres(url) => Arc::new(connect(url)),
        }
    }

    /// Opens a copy of the database's files as they are on disk at this moment: the state after a crash.
    #[must_use]
    pub fn copy(&self) -> Self {
        let path = self.path().expect("a database in a file has files");
        let folder = tempfile::tempdir().expect("a test has somewhere to write");
        let target = folder.path().join("keyward.db");
        for suffix in ["", "-wal"] {
            let (from, to) = (beside(path, suffix), beside(&target, suffix));
            std::fs::copy(from, to).expect("the files of the database can be copied");
        }
        Self {
            store: Arc::new(open(&target)),
            place: Place::File(target),
            _keep: Box::new(folder),
        }
    }

    /// The path of the database file, if the database is in a file.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Memory | Place::Postgres(_) => None,
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Opens a SQLite file.
pub fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, &SqliteOptions::default()).expect("SQLite opens the file")
}

fn connect(url: &str) -> PostgresStore {
    let minute = Duration::from_mins(1);
    // A slow test machine must not make a test fail.
    let options = PostgresOptions {
        deadline: minute,
        statement_timeout: minute,
        ..PostgresOptions::default()
    };
    PostgresStore::connect(url, options).expect("KEYWARD_TEST_POSTGRES is a PostgreSQL URL")
}

#[expect(
    clippy::disallowed_methods,
    reason = "which server to test with is said by the caller"
)]
fn postgres_url() -> Option<String> {
    let url = std::env::var("KEYWARD_TEST_POSTGRES").ok();
    let url = url.filter(|url| !url.is_empty());
    if url.is_none() {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(
            !ci,
            "KEYWARD_TEST_POSTGRES is not set: PostgreSQL must be tested in CI"
        );
        eprintln!("SKIPPED: KEYWARD_TEST_POSTGRES is not set, PostgreSQL is NOT tested");
    }
    url
}

struct Schema {
    /// The URL, which selects only this schema.
    url: String,
    name: String,
    admin: Client,
}

impl Schema {
    async fn make(server: &str) -> Self {
        let connected = tokio_postgres::connect(server, NoTls).await;
        let (admin, connection) = connected.expect("KEYWARD_TEST_POSTGRES can be reached");
        tokio::spawn(connection);
        let name = RandomState::new().hash_one(std::process::id());
        let name = format!("test_{name:016x}");
        let made = admin.batch_execute(&format!("CREATE SCHEMA {name}")).await;
        made.expect("a schema can be made in KEYWARD_TEST_POSTGRES");
        let joint = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{joint}options=-c%20search_path%3D{name}");
        Self { url, name, admin }
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // Failures are ignored, because the server is only for tests and usually removed afterwards.
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name);
        let drop = self.admin.batch_execute(&sql);
        let _ = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(drop));
    }
}

/// Turns each `async fn name(backing: Backing)` into three tests: on SQLite in memory, on a SQLite file, and on
/// PostgreSQL.
#[macro_export]
macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod sqlite_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::Backing::memory()).await;
            })*
        }
        mod sqlite_file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::Backing::file()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(backing) = $crate::Backing::postgres().await {
                    super::$name(backing).await;
                }
            })*
        }
    };
}
