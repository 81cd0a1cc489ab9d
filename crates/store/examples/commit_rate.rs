//! How many durable transactions a second: this crate against one flush for each request.
//!
//!     cargo run --release -p store --example commit_rate -- [--seconds N] [--folder PATH] [--postgres URL]
//!
//! One transaction is what a guess costs: read a counter, replace it, add an audit row, commit with
//! a full flush. The folder must lie on the disk that is meant, not in memory. Contenders take turns,
//! and the median of three turns counts, so that a busy moment of the machine hits all alike.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement ends where something fails"
)]
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::port::Store;
use domain::port::store::{Row, RowId, Tx, TxResult};
use rusqlite::{Connection, TransactionBehavior, params};
use store::{PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Statements};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls, Statement};

const COUNTERS: u64 = 10_000;
const CLIENTS: [u64; 3] = [1, 8, 64];
const TURNS: usize = 3;
const COUNTER_BODY: usize = 220;
const AUDIT_BODY: usize = 320;

type Round = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One way to do the work; called with a number that picks the rows.
struct Contender {
    name: &'static str,
    round: Box<dyn Fn(u64) -> Round>,
}

#[tokio::main]
async fn main() {
    let mut span = Duration::from_secs(1);
    let mut folder = PathBuf::from("target");
    let mut postgres = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().expect("every option has a value");
        match name.as_str() {
            "--seconds" => span = Duration::from_secs(value.parse().expect("a number of seconds")),
            "--folder" => folder = PathBuf::from(value),
            "--postgres" => postgres = Some(value),
            other => panic!("unknown option {other}"),
        }
    }
    let scratch = tempfile::tempdir_in(folder).unwrap();
    let sqlite: Arc<dyn Store> = Arc::new(
        SqliteStore::open(scratch.path().join("grouped.db"), &SqliteOptions::default()).unwrap(),
    );
    fill(&sqlite).await;
    let mut contenders = vec![
        flush_per_request(scratch.path()),
        writes("sqlite: this crate", &sqlite),
        lookups("sqlite: this crate, one row read", &sqlite),
    ];
    if let Some(url) = postgres {
        for (statements, names) in [
            (
                Statements::Unnamed,
                ["postgres: this crate", "postgres: this crate, one row read"],
            ),
            (
                Statements::Prepared,
                ["postgres: prepared", "postgres: prepared, one row read"],
            ),
        ] {
            let options = PostgresOptions {
                statements,
                ..PostgresOptions::default()
            };
            let store: Arc<dyn Store> = Arc::new(PostgresStore::connect(&url, options).unwrap());
            fill(&store).await;
            contenders.push(writes(names[0], &store));
            contenders.push(lookups(names[1], &store));
        }
        contenders.push(statement_by_statement(&url).await);
    }
    compare(&contenders, span).await;
}

async fn compare(contenders: &[Contender], span: Duration) {
    println!("{:<36}{:>9}{:>9}{:>9}", "a second, by clients", 1, 8, 64);
    let mut medians = vec![Vec::new(); contenders.len()];
    for clients in CLIENTS {
        let mut rates = vec![Vec::new(); contenders.len()];
        for _ in 0..TURNS {
            for (contender, rates) in contenders.iter().zip(&mut rates) {
                rates.push(rate(clients, span, &contender.round).await);
            }
        }
        for (rates, medians) in rates.iter_mut().zip(&mut medians) {
            rates.sort_unstable();
            medians.push(rates[TURNS / 2]);
        }
    }
    for (contender, medians) in contenders.iter().zip(medians) {
        let rates: String = medians.iter().map(|rate| format!("{rate:>9}")).collect();
        println!("{:<36}{rates}", contender.name);
    }
}

/// Keeps `clients` rounds going for `span`; how many were done in a second.
async fn rate(clients: u64, span: Duration, round: &dyn Fn(u64) -> Round) -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let mut running = JoinSet::new();
    let next = || round(NUMBER.fetch_add(1, Ordering::Relaxed));
    for _ in 0..clients {
        running.spawn(next());
    }
    let started = Instant::now();
    let mut done: u64 = 0;
    while let Some(end) = running.join_next().await {
        end.unwrap();
        done += 1;
        if started.elapsed() < span {
            running.spawn(next());
        }
    }
    done * 1_000 / u64::try_from(started.elapsed().as_millis()).unwrap()
}

/// Spreads the work over the counters without a pattern.
fn pick(number: u64) -> RowId {
    id(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % COUNTERS)
}

fn id(number: u64) -> RowId {
    let mixed = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    RowId(mixed.to_be_bytes())
}

/// An audit row like no other, also of an earlier measurement in the same database.
fn audit() -> Row {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let started = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_micros();
    let number =
        (u64::try_from(started).unwrap() << 8) | (NUMBER.fetch_add(1, Ordering::Relaxed) % 256);
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
    let body = vec![1; COUNTER_BODY];
    Row {
        id: id(number),
        owner: None,
        rank: 0,
        due: None,
        version: 1,
        body,
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

async fn fill(store: &Arc<dyn Store>) {
    for first in (0..COUNTERS).step_by(500) {
        let fill = move |tx: &mut dyn Tx| {
            (first..first + 500).try_for_each(|number| match tx.peek("counter", &id(number))? {
                Some(_) => Ok(()),
                None => tx.insert("counter", &counter(number)),
            })
        };
        store.write(Box::new(fill)).await.unwrap();
    }
}

fn writes(name: &'static str, store: &Arc<dyn Store>) -> Contender {
    let store = Arc::clone(store);
    let round = move |number| -> Round {
        let store = Arc::clone(&store);
        Box::pin(async move {
            let (id, audit) = (pick(number), audit());
            store
                .write(Box::new(move |tx| guess(tx, &id, &audit)))
                .await
                .unwrap();
        })
    };
    Contender {
        name,
        round: Box::new(round),
    }
}

fn lookups(name: &'static str, store: &Arc<dyn Store>) -> Contender {
    let store = Arc::clone(store);
    let round = move |number| -> Round {
        let store = Arc::clone(&store);
        Box::pin(async move {
            assert!(store.row("counter", pick(number)).await.unwrap().is_some());
        })
    };
    Contender {
        name,
        round: Box::new(round),
    }
}

/// What everybody writes first: one connection behind a lock, one commit per request.
fn flush_per_request(folder: &Path) -> Contender {
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
        insert(&fill, "counter", &counter(number));
    }
    fill.commit().unwrap();
    let connection = Arc::new(Mutex::new(connection));
    let round = move |number| -> Round {
        let connection = Arc::clone(&connection);
        Box::pin(async move {
            let work = move || single(&mut connection.lock().unwrap(), pick(number), &audit());
            tokio::task::spawn_blocking(work).await.unwrap();
        })
    };
    Contender {
        name: "sqlite: one flush per request",
        round: Box::new(round),
    }
}

fn insert(connection: &Connection, kind: &str, row: &Row) {
    let sql = "INSERT INTO sealed_row VALUES (?1, ?2, ?3, ?4, NULL, 1, ?5)";
    let owner = row.owner.map(|owner| owner.0);
    let values = params![kind, row.id.0, owner, row.rank, row.body];
    connection
        .prepare_cached(sql)
        .unwrap()
        .execute(values)
        .unwrap();
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
    insert(&tx, "audit", audit);
    tx.commit().unwrap();
}

/// The same on PostgreSQL by hand: sixteen connections, prepared statements, a round trip for each.
async fn statement_by_statement(url: &str) -> Contender {
    let mut pool = Vec::new();
    for _ in 0..16 {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let select = "SELECT version, body FROM sealed_row WHERE kind = $1 AND id = $2 FOR UPDATE";
        let update = "UPDATE sealed_row SET version = $3, body = $4 WHERE kind = $1 AND id = $2";
        let insert = "INSERT INTO sealed_row VALUES ($1, $2, $3, $4, NULL, 1, $5)";
        let statements = [
            client.prepare(select).await.unwrap(),
            client.prepare(update).await.unwrap(),
            client.prepare(insert).await.unwrap(),
        ];
        pool.push(Arc::new(tokio::sync::Mutex::new((client, statements))));
    }
    let round = move |number: u64| -> Round {
        let hand = Arc::clone(&pool[usize::try_from(number).unwrap() % pool.len()]);
        Box::pin(async move {
            let (client, statements) = &mut *hand.lock().await;
            by_hand(client, statements, &pick(number).0, &audit()).await;
        })
    };
    Contender {
        name: "postgres: statement by statement",
        round: Box::new(round),
    }
}

async fn by_hand(
    client: &mut Client,
    [select, update, insert]: &[Statement; 3],
    id: &[u8],
    audit: &Row,
) {
    let tx = client.transaction().await.unwrap();
    let row = tx.query_one(select, &[&"counter", &id]).await.unwrap();
    let (version, body): (i64, Vec<u8>) = (row.get(0), row.get(1));
    tx.execute(update, &[&"counter", &id, &(version + 1), &body])
        .await
        .unwrap();
    let (new, owner) = (&audit.id.0[..], audit.owner.map(|owner| owner.0.to_vec()));
    tx.execute(insert, &[&"audit", &new, &owner, &audit.rank, &audit.body])
        .await
        .unwrap();
    tx.commit().await.unwrap();
}
