//! A fresh database for each test, and short ways to say what a test does with it.

use std::any::Any;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::port::store::{Kind, Row, RowId, Tx, TxResult};
use domain::{Error, Timestamp};
use store::{Backend, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Statements};
use tokio_postgres::{Client, NoTls};

pub(crate) type Db = Arc<dyn Backend>;

pub(crate) struct Fixture {
    pub store: Db,
    /// What must live as long as the database.
    _keep: Box<dyn Any + Send + Sync>,
}

pub(crate) fn memory() -> Fixture {
    Fixture {
        store: Arc::new(SqliteStore::in_memory().unwrap()),
        _keep: Box::new(()),
    }
}

pub(crate) fn file() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyward.db");
    let store = SqliteStore::open(path, &SqliteOptions::default()).unwrap();
    Fixture {
        store: Arc::new(store),
        _keep: Box::new(folder),
    }
}

/// `None` when there is no server to test with, which is said aloud, and forbidden in CI.
pub(crate) async fn postgres(statements: Statements) -> Option<Fixture> {
    let schema = Schema::make().await?;
    let store = PostgresStore::connect(
        &schema.url,
        PostgresOptions {
            statements,
            ..patient()
        },
    )
    .unwrap();
    Some(Fixture {
        store: Arc::new(store),
        _keep: Box::new(schema),
    })
}

/// A loaded test machine is no reason to fail.
pub(crate) fn patient() -> PostgresOptions {
    let minute = Duration::from_mins(1);
    PostgresOptions {
        deadline: minute,
        statement_timeout: minute,
        pool_size: 8,
        ..PostgresOptions::default()
    }
}

/// The server to test with.
#[expect(
    clippy::disallowed_methods,
    reason = "which server to test with is said by the caller"
)]
pub(crate) fn postgres_url() -> Option<String> {
    let url = std::env::var("KEYWARD_TEST_POSTGRES")
        .ok()
        .filter(|url| !url.is_empty());
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

/// A schema of one test's own.
pub(crate) struct Schema {
    /// Leads to the schema, and only to it.
    pub url: String,
    pub admin: Client,
    pub name: String,
}

impl Schema {
    pub(crate) async fn make() -> Option<Self> {
        Some(Self::on(&postgres_url()?).await)
    }

    pub(crate) async fn on(server: &str) -> Self {
        let admin = admin(server).await;
        let name = format!(
            "test_{:016x}",
            RandomState::new().hash_one(std::process::id())
        );
        admin
            .batch_execute(&format!("CREATE SCHEMA {name}"))
            .await
            .unwrap();
        admin
            .batch_execute(&format!("SET search_path = {name}"))
            .await
            .unwrap();
        Self {
            url: inside(server, &name),
            admin,
            name,
        }
    }
}

/// The same server, seeing only `schema`, with connections that can be told from others'.
pub(crate) fn inside(server: &str, schema: &str) -> String {
    let joint = if server.contains('?') { '&' } else { '?' };
    format!("{server}{joint}application_name={schema}&options=-c%20search_path%3D{schema}")
}

pub(crate) async fn admin(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Drop for Schema {
    fn drop(&mut self) {
        // Best effort: the server is a test's, and mostly gone with it.
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name);
        let drop = self.admin.batch_execute(&sql);
        let _ = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(drop));
    }
}

pub(crate) fn id(number: u64) -> RowId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    RowId(bytes)
}

pub(crate) fn row(number: u64) -> Row {
    Row {
        id: id(number),
        owner: None,
        rank: 0,
        due: None,
        version: 1,
        body: b"body".to_vec(),
    }
}

pub(crate) fn child(number: u64, owner: u64, rank: i64) -> Row {
    Row {
        owner: Some(id(owner)),
        rank,
        ..row(number)
    }
}

pub(crate) fn due(number: u64, at: i64) -> Row {
    Row {
        due: Some(Timestamp::from_millis(at)),
        ..row(number)
    }
}

/// A row whose body is a number.
pub(crate) fn counter(number: u64, value: u64) -> Row {
    Row {
        body: value.to_be_bytes().to_vec(),
        ..row(number)
    }
}

pub(crate) fn value(row: &Row) -> u64 {
    u64::from_be_bytes(row.body.as_slice().try_into().unwrap())
}

/// `row` with another number, as its next version.
pub(crate) fn next(row: &Row, value: u64) -> Row {
    Row {
        version: row.version + 1,
        body: value.to_be_bytes().to_vec(),
        ..row.clone()
    }
}

/// Runs `act` in a writing transaction; what its last run returned.
pub(crate) async fn write<T: Send + 'static>(
    store: &Db,
    mut act: impl FnMut(&mut dyn Tx) -> TxResult<T> + Send + 'static,
) -> Result<T, Error> {
    let (out, result) = outlet();
    let job = move |tx: &mut dyn Tx| act(tx).map(|value| *out.lock().unwrap() = Some(value));
    store.write(Box::new(job)).await?;
    Ok(result.lock().unwrap().take().unwrap())
}

/// The same in a reading transaction.
pub(crate) async fn read<T: Send + 'static>(
    store: &Db,
    mut act: impl FnMut(&mut dyn Tx) -> TxResult<T> + Send + 'static,
) -> Result<T, Error> {
    let (out, result) = outlet();
    let job = move |tx: &mut dyn Tx| act(tx).map(|value| *out.lock().unwrap() = Some(value));
    store.read(Box::new(job)).await?;
    Ok(result.lock().unwrap().take().unwrap())
}

type Outlet<T> = Arc<Mutex<Option<T>>>;

fn outlet<T>() -> (Outlet<T>, Outlet<T>) {
    let out = Arc::new(Mutex::new(None));
    (Arc::clone(&out), out)
}

pub(crate) async fn insert(store: &Db, kind: Kind, rows: Vec<Row>) {
    write(store, move |tx| {
        rows.iter().try_for_each(|row| tx.insert(kind, row))
    })
    .await
    .unwrap();
}

/// Adds one to the counter, by reading, deciding and writing.
pub(crate) fn increment(tx: &mut dyn Tx, number: u64) -> TxResult<u64> {
    let row = tx
        .get("counter", &id(number))?
        .expect("the counter is there");
    let value = value(&row) + 1;
    tx.update("counter", &next(&row, value))?;
    Ok(value)
}

pub(crate) async fn counted(store: &Db, number: u64) -> u64 {
    value(&store.row("counter", id(number)).await.unwrap().unwrap())
}
