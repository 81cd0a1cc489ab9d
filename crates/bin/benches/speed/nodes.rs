//! Several nodes on one PostgreSQL, and what a request costs as the table grows.

use std::path::Path;

use crate::client::Connection;
use crate::hash::new_key;
use crate::load;
use crate::postgres::{EMPTY, psql};
use crate::quantile;
use crate::server::Server;

const CLIENTS: usize = 24;
const UNLIMITED: (&str, &str) = ("KEYWARD_PHOTON__NEW_KEYS_PER_NETWORK_HOUR", "0");
/// The cheapest hash: what is measured is everything beside it.
const CHEAP: [&str; 2] = ["--dev", "--dev-fast-hash"];

/// GET key with a right PIN (two transactions) on one, two and three nodes. Database, nodes and clients share the cores.
pub(crate) fn throughput() {
    let Some(url) = empty("nodes") else { return };
    let mut servers = Vec::new();
    let mut keys = String::new();
    let mut alone = 0.0;
    for count in 1..=3 {
        servers.push(node(&url, &keys));
        if count == 1 {
            keys = key_file(&servers[0].folder);
        }
        let (rate, p50, p99) = opens(&servers);
        if count == 1 {
            alone = rate;
        }
        println!(
            "{count} nodes on one PostgreSQL: GET key {rate:.0}/s at {CLIENTS} clients, p50 {p50:?}, p99 {p99:?}, \
             {:.2} of one node",
            rate / alone
        );
    }
}

/// The same on one node, with ten thousand to a million rows beside those that are asked for.
pub(crate) fn growth() {
    let Some(url) = empty("growth") else { return };
    let servers = [node(&url, "")];
    let mut first = 0.0;
    let mut before = 0;
    for rows in [10_000, 100_000, 1_000_000] {
        // As a key, its budget and its contact lie: half of them with an owner. Nobody ever opens them.
        psql(
            &url,
            &format!(
                "INSERT INTO sealed_row SELECT kind, decode(md5(kind || n), 'hex'), \
                 CASE WHEN kind = 'contact' THEN decode(md5('owner' || n), 'hex') END, 0, NULL, 1, \
                 decode(repeat(md5(n::text), 8), 'hex') \
                 FROM generate_series({before} + 1, {rows} / 2) n, unnest(ARRAY['guarded_key', 'contact']) kind; \
                 ANALYZE sealed_row; CHECKPOINT"
            ),
        );
        before = rows / 2;
        let (rate, p50, p99) = opens(&servers);
        if first == 0.0 {
            first = rate;
        }
        println!(
            "{rows} rows on PostgreSQL: GET key {rate:.0}/s at {CLIENTS} clients, p50 {p50:?}, p99 {p99:?}, \
             {:.2} of ten thousand (aim >= 0.8)",
            rate / first
        );
    }
}

fn empty(name: &str) -> Option<String> {
    let Ok(url) = std::env::var("KEYWARD_TEST_POSTGRES") else {
        println!("{name}: SKIPPED, KEYWARD_TEST_POSTGRES is not set");
        return None;
    };
    psql(&url, EMPTY);
    Some(url)
}

/// A node; `keys` is the key file of the first one, which makes its own.
fn node(url: &str, keys: &str) -> Server {
    let mut settings = vec![UNLIMITED, ("KEYWARD_STORAGE__URL", url)];
    if !keys.is_empty() {
        settings.push(("KEYWARD_KEYS__FILE", keys));
    }
    Server::with(&CHEAP, &settings)
}

fn key_file(folder: &Path) -> String {
    folder.join("keyward.keys").display().to_string()
}

fn opens(servers: &[Server]) -> (f64, std::time::Duration, std::time::Duration) {
    let clients = (0..CLIENTS)
        .map(|nth| {
            let server = &servers[nth % servers.len()];
            let path = format!("/v2/key/{}", new_key(server));
            (Connection::open(&server.address), path)
        })
        .collect();
    let (rate, times) = load(clients, |(connection, path)| {
        let (status, _) = connection.send("GET", path, Some("1234"), None);
        assert_eq!(status, 200);
    });
    (rate, quantile(&times, 0.5), quantile(&times, 0.99))
}
