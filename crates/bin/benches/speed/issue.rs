//! Issuing codes: one durable transaction each, at 64 clients on SQLite with `synchronous=FULL`.

use std::sync::Arc;
use std::time::Instant;

use domain::port::Store;
use domain::port::store::{Row, RowId, Tx};
use store::{SqliteOptions, SqliteStore};

use crate::client::{Connection, field};
use crate::hash::new_key;
use crate::server::Server;
use crate::{RUN, as_f64, load, quantile};

pub(crate) const CLIENTS: usize = 64;

/// Against one flush a request, and against a bare group-commit loop over the same rows.
pub(crate) fn codes() {
    let issued = issue();
    let (single, grouped) = bare();
    println!(
        "bare rows: one flush a request {single:.0}/s, group commit at {CLIENTS} clients {grouped:.0}/s"
    );
    println!(
        "code issue against one flush a request: {:.1} (aim >= 4)",
        issued / single
    );
    println!(
        "code issue against bare group commit: {:.2} (aim >= 0.6)",
        issued / grouped
    );
}

fn issue() -> f64 {
    measured(&[])
}

/// Codes a second at [`CLIENTS`] clients, with these settings on top.
pub(crate) fn measured(storage: &[(&str, &str)]) -> f64 {
    let unlimited = [
        ("KEYWARD_PHOTON__NEW_KEYS_PER_NETWORK_HOUR", "0"),
        ("KEYWARD_PHOTON__SENDS_PER_USER_HOUR", "0"),
        ("KEYWARD_PHOTON__SENDS_PER_USER_DAY", "0"),
        ("KEYWARD_PHOTON__SENDS_PER_ADDRESS_DAY", "0"),
        ("KEYWARD_PHOTON__SENDS_PER_NETWORK_HOUR", "0"),
    ];
    let unlimited = [&unlimited[..], storage].concat();
    let server = Server::with(&["--dev", "--dev-fast-hash"], &unlimited);
    let paths: Vec<String> = (0..CLIENTS)
        .map(|number| verified(&server, number))
        .collect();
    // Letters wait for a provider that is away, as on a bad day: the loop measures the issue, not the mail server.
    let away = [
        ("KEYWARD_MAIL__KIND", "smtp"),
        ("KEYWARD_MAIL__HOST", "127.0.0.1"),
        ("KEYWARD_MAIL__PORT", "9"),
        ("KEYWARD_MAIL__TLS", "none"),
        ("KEYWARD_MAIL__FROM", "keys@example.com"),
    ];
    let server = server.again(&[&unlimited[..], &away[..]].concat());
    let clients = paths
        .into_iter()
        .map(|path| (Connection::open(&server.address), path))
        .collect();
    let (rate, times) = load(clients, |(connection, path)| {
        let (status, body) = connection.send("GET", path, None, None);
        assert_eq!(status, 200, "{body}");
    });
    println!(
        "code issue: {rate:.0}/s at {CLIENTS} clients, p50 {:?}, p99 {:?}",
        quantile(&times, 0.5),
        quantile(&times, 0.99)
    );
    rate
}

/// A key with a verified user; the path that sends it a code.
fn verified(server: &Server, number: usize) -> String {
    let key = new_key(server);
    let mut connection = Connection::open(&server.address);
    let user = format!("user{number}@example.com");
    let body = format!("{{\"userId\":\"{user}\"}}");
    let (status, answer) = connection.send(
        "POST",
        &format!("/v2/key/{key}/user"),
        Some("1234"),
        Some(&body),
    );
    assert_eq!(status, 201, "{answer}");
    let mailbox =
        std::fs::read_to_string(server.folder.join("mailbox.jsonl")).expect("the mailbox");
    let line = mailbox
        .lines()
        .rev()
        .find(|line| line.contains(&user))
        .expect("a message");
    let body = format!(
        "{{\"op\":\"verify\",\"code\":\"{}\"}}",
        field(line, "oneTimeToken")
    );
    let (status, answer) = connection.send(
        "PUT",
        &format!("/v2/key/{key}/user/{user}"),
        None,
        Some(&body),
    );
    assert_eq!(status, 200, "{answer}");
    format!("/v2/key/{key}/user/{user}/reset")
}

/// The rows that issuing a code writes, with nothing around them: a contact changed, a letter and an event added.
/// With one flush a request, and as a group.
pub(crate) fn bare() -> (f64, f64) {
    let folder = std::env::temp_dir().join(format!("keyward-bench-bare-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let store = SqliteStore::open(folder.join("bare.db"), &SqliteOptions::default())
        .expect("a new database");
    let store: Arc<dyn Store> = Arc::new(store);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let rates = runtime.block_on(async {
        let single = committed(&store, 1, 0).await;
        (single, committed(&store, CLIENTS, 1).await)
    });
    drop(store);
    let _ = std::fs::remove_dir_all(&folder);
    rates
}

async fn committed(store: &Arc<dyn Store>, clients: usize, run: u64) -> f64 {
    let started = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let mut count = 0_u64;
                while started.elapsed() < RUN {
                    let job = move |tx: &mut dyn Tx| write(tx, run << 32 | client as u64, count);
                    store.write(Box::new(job)).await.expect("a commit");
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await.expect("a client does not panic");
    }
    as_f64(sum) / started.elapsed().as_secs_f64()
}

fn write(tx: &mut dyn Tx, client: u64, count: u64) -> domain::port::store::TxResult<()> {
    let contact = id(b'c', client, 0);
    match tx.get("contact", &contact)? {
        Some(mut row) => {
            row.version += 1;
            tx.update("contact", &row)?;
        }
        None => tx.insert("contact", &row(contact, 420))?,
    }
    tx.insert("outbox", &row(id(b'o', client, count + 1), 480))?;
    tx.insert("audit", &row(id(b'a', client, count + 1), 260))
}

fn id(kind: u8, high: u64, low: u64) -> RowId {
    // Spread like real ids, which are keyed hashes.
    let tag = crypto::mac::sha256(&[&[kind][..], &high.to_be_bytes(), &low.to_be_bytes()].concat());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&tag[..16]);
    RowId(bytes)
}

fn row(id: RowId, bytes: usize) -> Row {
    let due = Some(domain::Timestamp::from_millis(1_800_000_000_000));
    Row {
        id,
        owner: Some(RowId([1; 16])),
        rank: 0,
        due,
        version: 1,
        body: vec![7; bytes],
    }
}
