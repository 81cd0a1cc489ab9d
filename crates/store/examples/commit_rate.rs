//! How many durable transactions a second: this crate against one flush for each request.
//!
//!     cargo run --release -p store --example commit_rate -- [--seconds N] [--folder PATH] [--postgres URL] [--sqlite no]
//!
//! One transaction is what a guess costs: read a counter, replace it, add an audit row, commit with
//! a full flush. The folder must lie on the disk that is meant, not in memory.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement ends where something fails"
)]
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::port::Store;
use domain::port::store::{Row, RowId, Tx, TxResult};
use rusqlite::{Connection, TransactionBehavior, params};
use store::{PostgresOptions, PostgresStore, SqliteOptions, SqliteStore};
use tokio::task::JoinSet;
use tokio_postgres::NoTls;

const COUNTERS: u64 = 10_000;
const CLIENTS: [u64; 3] = [1, 8, 64];
const COUNTER_BODY: usize = 220;
const AUDIT_BODY: usize = 320;

#[tokio::main]
async fn main() {
    let mut seconds = 2;
    let mut folder = PathBuf::from("target");
    let mut postgres = None;
    let mut sqlite = true;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().expect("every option has a value");
        match name.as_str() {
            "--seconds" => seconds = value.parse().expect("a number of seconds"),
            "--folder" => folder = PathBuf::from(value),
            "--postgres" => postgres = Some(value),
            "--sqlite" => sqlite = value != "no",
            other => panic!("unknown option {other}"),
        }
    }
    let span = Duration::from_secs(seconds);
    println!(
        "{:<34}{:>9}{:>9}{:>9}  transactions a second",
        "clients", 1, 8, 64
    );
    if sqlite {
        let scratch = tempfile::tempdir_in(folder).unwrap();
        single_flushes(scratch.path(), span).await;
        let path = scratch.path().join("grouped.db");
        let sqlite: Arc<dyn Store> =
            Arc::new(SqliteStore::open(path, &SqliteOptions::default()).unwrap());
        grouped("sqlite, this crate", &sqlite, span).await;
        lookups("sqlite, one row read", &sqlite, span).await;
    }
    if let Some(url) = postgres {
        let store = PostgresStore::connect(&url, PostgresOptions::default()).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        grouped("postgres, this crate", &store, span).await;
        lookups("postgres, one row read", &store, span).await;
        statement_by_statement(&url, span).await;
    }
}

/// Runs `clients` loops for `span`; how many rounds a second they made together.
async fn rate<F>(clients: u64, span: Duration, round: impl Fn(u64) -> F) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let rounds = Arc::new(AtomicU64::new(0));
    let end = Instant::now() + span;
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        tasks.spawn(round(number));
    }
    let started = Instant::now();
    let mut number = clients;
    while tasks.join_next().await.is_some() {
        rounds.fetch_add(1, Ordering::Relaxed);
        if Instant::now() < end {
            tasks.spawn(round(number));
            number += 1;
        }
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate is printed with few digits"
    )]
    let rounds = rounds.load(Ordering::Relaxed) as f64;
    rounds / started.elapsed().as_secs_f64()
}

fn print(name: &str, rates: &[f64]) {
    let rates: Vec<String> = rates.iter().map(|rate| format!("{rate:>9.0}")).collect();
    println!("{name:<34}{}", rates.join(""));
}

/// Spreads the work over the counters without a pattern.
fn pick(number: u64) -> RowId {
    id(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % COUNTERS)
}

fn id(number: u64) -> RowId {
    let mixed = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    RowId(mixed.to_be_bytes())
}

static AUDIT: AtomicU64 = AtomicU64::new(1 << 40);

fn audit() -> Row {
    let number = AUDIT.fetch_add(1, Ordering::Relaxed);
    Row {
        id: id(number),
        owner: Some(id(number % 100)),
        rank: i64::try_from(number).unwrap(),
        due: None,
        version: 1,
        body: vec![7; AUDIT_BODY],
    }
}

fn counter(number: u64) -> Row {
    Row {
        id: id(number),
        owner: None,
        rank: 0,
        due: None,
        version: 1,
        body: vec![1; COUNTER_BODY],
    }
}

fn guess(tx: &mut dyn Tx, id: &RowId, audit: &Row) -> TxResult<()> {
    let row = tx.get("counter", id)?.expect("the counter is there");
    tx.update(
        "counter",
        &Row {
            version: row.version + 1,
            ..row
        },
    )?;
    tx.insert("audit", audit)
}

async fn grouped(name: &str, store: &Arc<dyn Store>, span: Duration) {
    for first in (0..COUNTERS).step_by(500) {
        let fill = move |tx: &mut dyn Tx| {
            (first..first + 500).try_for_each(|number| match tx.peek("counter", &id(number))? {
                Some(_) => Ok(()),
                None => tx.insert("counter", &counter(number)),
            })
        };
        store.write(Box::new(fill)).await.unwrap();
    }
    let mut rates = Vec::new();
    for clients in CLIENTS {
        let round = |number| {
            let store = Arc::clone(store);
            async move {
                let (id, audit) = (pick(number), audit());
                store
                    .write(Box::new(move |tx| guess(tx, &id, &audit)))
                    .await
                    .unwrap();
            }
        };
        rates.push(rate(clients, span, round).await);
    }
    print(name, &rates);
}

async fn lookups(name: &str, store: &Arc<dyn Store>, span: Duration) {
    let mut rates = Vec::new();
    for clients in CLIENTS {
        let round = |number| {
            let store = Arc::clone(store);
            async move {
                assert!(store.row("counter", pick(number)).await.unwrap().is_some());
            }
        };
        rates.push(rate(clients, span, round).await);
    }
    print(name, &rates);
}

/// What everybody writes first: one connection behind a lock, one commit per request.
async fn single_flushes(folder: &Path, span: Duration) {
    let mut connection = Connection::open(folder.join("single.db")).unwrap();
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .unwrap();
    connection
        .pragma_update(None, "synchronous", "FULL")
        .unwrap();
    connection
        .execute_batch(include_str!("../migrations/sqlite/0001_sealed_rows.sql"))
        .unwrap();
    let fill = connection.transaction().unwrap();
    for number in 0..COUNTERS {
        let row = counter(number);
        let values = params!["counter", row.id.0, row.rank, row.body];
        fill.execute(
            "INSERT INTO sealed_row VALUES (?1, ?2, NULL, ?3, NULL, 1, ?4)",
            values,
        )
        .unwrap();
    }
    fill.commit().unwrap();
    let connection = Arc::new(Mutex::new(connection));
    let mut rates = Vec::new();
    for clients in CLIENTS {
        let round = |number| {
            let connection = Arc::clone(&connection);
            async move {
                let audit = audit();
                let work = move || single(&mut connection.lock().unwrap(), pick(number), &audit);
                tokio::task::spawn_blocking(work).await.unwrap();
            }
        };
        rates.push(rate(clients, span, round).await);
    }
    print("sqlite, one flush per request", &rates);
}

fn single(connection: &mut Connection, id: RowId, audit: &Row) {
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    let select = "SELECT version, body FROM sealed_row WHERE kind = ?1 AND id = ?2";
    let (version, body): (i64, Vec<u8>) = tx
        .prepare_cached(select)
        .unwrap()
        .query_row(params!["counter", id.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let update = "UPDATE sealed_row SET version = ?3, body = ?4 WHERE kind = ?1 AND id = ?2";
    let values = params!["counter", id.0, version + 1, body];
    tx.prepare_cached(update).unwrap().execute(values).unwrap();
    let insert = "INSERT INTO sealed_row VALUES (?1, ?2, ?3, ?4, NULL, 1, ?5)";
    let owner = audit.owner.map(|owner| owner.0);
    let values = params!["audit", audit.id.0, owner, audit.rank, audit.body];
    tx.prepare_cached(insert).unwrap().execute(values).unwrap();
    tx.commit().unwrap();
}

/// The same on PostgreSQL as one writes it by hand: prepared statements, one round trip for each.
async fn statement_by_statement(url: &str, span: Duration) {
    let mut rates = Vec::new();
    for clients in CLIENTS {
        let mut pool = Vec::new();
        for _ in 0..clients.min(16) {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
            tokio::spawn(connection);
            let select =
                "SELECT version, body FROM sealed_row WHERE kind = $1 AND id = $2 FOR UPDATE";
            let update =
                "UPDATE sealed_row SET version = $3, body = $4 WHERE kind = $1 AND id = $2";
            let insert = "INSERT INTO sealed_row VALUES ($1, $2, $3, $4, NULL, 1, $5)";
            let statements = [
                client.prepare(select).await.unwrap(),
                client.prepare(update).await.unwrap(),
                client.prepare(insert).await.unwrap(),
            ];
            pool.push(Arc::new(tokio::sync::Mutex::new((client, statements))));
        }
        let pool = Arc::new(pool);
        let round = |number: u64| {
            let pool = Arc::clone(&pool);
            async move {
                let (id, audit) = (pick(number).0.to_vec(), audit());
                let index = usize::try_from(number).unwrap() % pool.len();
                let (client, [select, update, insert]) = &mut *pool[index].lock().await;
                let tx = client.transaction().await.unwrap();
                let row = tx.query_one(select, &[&"counter", &id]).await.unwrap();
                let (version, body): (i64, Vec<u8>) = (row.get(0), row.get(1));
                tx.execute(update, &[&"counter", &id, &(version + 1), &body])
                    .await
                    .unwrap();
                let (audit_id, owner) = (
                    audit.id.0.to_vec(),
                    audit.owner.map(|owner| owner.0.to_vec()),
                );
                tx.execute(
                    insert,
                    &[&"audit", &audit_id, &owner, &audit.rank, &audit.body],
                )
                .await
                .unwrap();
                tx.commit().await.unwrap();
            }
        };
        rates.push(rate(clients, span, round).await);
    }
    print("postgres, statement by statement", &rates);
}
