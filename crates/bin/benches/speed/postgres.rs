//! Issuing codes on PostgreSQL, against `pgbench` running the same statements on the same server.

use std::path::PathBuf;
use std::process::Command;

use crate::issue::{CLIENTS, measured};
use crate::{RUN, account};

/// The statements of one issued code, in their order, on rows of the same sizes.
const SCRIPT: &str = "\
\\set client random(1, 64)
BEGIN;
SELECT owner, rank, due, version, body FROM bench_row WHERE kind = 'guarded_key' AND id = int4send(:client) FOR UPDATE;
SELECT owner, rank, due, version, body FROM bench_row WHERE kind = 'contact' AND id = int4send(:client) FOR UPDATE;
SELECT owner, rank, due, version, body FROM bench_row WHERE kind = 'guess_budget' AND id = int4send(:client) FOR UPDATE;
SELECT id, rank, due, version, body FROM bench_row WHERE kind = 'outbox' AND owner = int4send(:client) ORDER BY rank, id;
DELETE FROM bench_row WHERE kind = 'outbox' AND owner = int4send(:client);
UPDATE bench_row SET version = version + 1, body = decode(repeat('07', 420), 'hex') WHERE kind = 'contact' AND id = int4send(:client);
INSERT INTO bench_row VALUES ('outbox', uuid_send(gen_random_uuid()), int4send(:client), 1, 1800000000000, 1, decode(repeat('07', 480), 'hex'));
INSERT INTO bench_row VALUES ('audit', uuid_send(gen_random_uuid()), NULL, 0, 1800000000000, 1, decode(repeat('07', 260), 'hex'));
COMMIT;
";

const SCHEMA: &str = "\
DROP TABLE IF EXISTS bench_row;
CREATE TABLE bench_row (kind text COLLATE \"C\", id bytea, owner bytea, rank bigint, due bigint, version bigint, body bytea, PRIMARY KEY (kind, id));
CREATE INDEX ON bench_row (kind, owner, rank, id) WHERE owner IS NOT NULL;
CREATE INDEX ON bench_row (kind, due, id) WHERE due IS NOT NULL;
INSERT INTO bench_row SELECT kind, int4send(client), NULL, 0, NULL, 1, decode(repeat('07', 420), 'hex')
    FROM generate_series(1, 64) client, unnest(ARRAY['guarded_key', 'contact', 'guess_budget']) kind;
";

/// The server that is measured starts on an empty database, with keys of its own.
pub(crate) const EMPTY: &str = "DROP SCHEMA public CASCADE; CREATE SCHEMA public;";

/// Runs when `KEYWARD_TEST_POSTGRES` names a server, as `make bench` sees to.
pub(crate) fn codes() {
    let Ok(url) = std::env::var("KEYWARD_TEST_POSTGRES") else {
        println!("PostgreSQL: SKIPPED, KEYWARD_TEST_POSTGRES is not set");
        return;
    };
    for (prepared, protocol) in [("false", "extended"), ("true", "prepared")] {
        let bare = pgbench(&url, protocol);
        psql(&url, EMPTY);
        let issued = measured(&[
            ("KEYWARD_STORAGE__URL", &url),
            ("KEYWARD_STORAGE__PREPARED_STATEMENTS", prepared),
        ]);
        println!(
            "PostgreSQL, {protocol} protocol: code issue {issued:.0}/s, pgbench with the same statements {bare:.0}/s, \
             ratio {:.2} (aim >= 0.6)",
            issued / bare
        );
    }
}

/// One-time tokens of accounts, on the same server.
pub(crate) fn tokens() {
    let Ok(url) = std::env::var("KEYWARD_TEST_POSTGRES") else {
        println!("PostgreSQL: SKIPPED, KEYWARD_TEST_POSTGRES is not set");
        return;
    };
    let bare = pgbench(&url, "extended");
    psql(&url, EMPTY);
    account::tokens("PostgreSQL", &[("KEYWARD_STORAGE__URL", &url)], bare);
}

fn pgbench(url: &str, protocol: &str) -> f64 {
    let folder = std::env::temp_dir();
    let script = folder.join(format!("keyward-bench-{}.sql", std::process::id()));
    std::fs::write(&script, SCRIPT).expect("a temporary file");
    psql(url, SCHEMA);
    let seconds = RUN.as_secs().to_string();
    let clients = CLIENTS.to_string();
    let run = Command::new(tool("pgbench"))
        .args([
            "-n", "-M", protocol, "-c", &clients, "-j", "2", "-T", &seconds, "-f",
        ])
        .arg(&script)
        .arg(url)
        .output()
        .expect("pgbench is installed");
    let _ = std::fs::remove_file(&script);
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    text.lines()
        .find_map(|line| line.strip_prefix("tps = "))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_else(|| {
            panic!(
                "pgbench says no rate: {text} {}",
                String::from_utf8_lossy(&run.stderr)
            )
        })
}

pub(crate) fn psql(url: &str, statements: &str) {
    let made = Command::new("psql")
        .args([url, "-qX", "-v", "ON_ERROR_STOP=1", "-c", statements])
        .env("PGOPTIONS", "--client-min-messages=warning")
        .status();
    assert!(made.expect("psql is installed").success(), "{statements}");
}

/// Debian keeps the tools of each version in a folder of its own.
fn tool(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin").join(name))
        .collect();
    found.retain(|path| path.exists());
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}
