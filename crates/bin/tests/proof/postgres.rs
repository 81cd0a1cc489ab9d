//! A PostgreSQL database for one test, or a whole server that can be stopped under it.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

use crate::{setting, skipped};

/// A database of its own, dropped with the test.
pub(crate) struct Database {
    pub(crate) url: String,
    name: String,
    server: String,
}

/// The test server's address, or `None` after saying so loudly. In CI there must be one.
pub(crate) fn server(test: &str) -> Option<String> {
    let found = setting("KEYWARD_TEST_POSTGRES");
    if found.is_none() {
        assert_ne!(
            setting("CI").as_deref(),
            Some("true"),
            "{test}: KEYWARD_TEST_POSTGRES is not set, and in CI it must be"
        );
        skipped(test, "KEYWARD_TEST_POSTGRES is not set");
    }
    found
}

impl Database {
    /// `None` when there is no server to make it on.
    pub(crate) fn of(test: &str) -> Option<Self> {
        Some(Self::on(&server(test)?, test))
    }

    pub(crate) fn on(server: &str, test: &str) -> Self {
        let name = format!("proof_{test}_{}", std::process::id());
        run(server, &[&format!("CREATE DATABASE {name}")]);
        let (base, _) = server.rsplit_once('/').unwrap();
        Self {
            url: format!("{base}/{name}"),
            name,
            server: server.to_owned(),
        }
    }

    /// Every row of every table, as text: bytes in hexadecimal.
    pub(crate) fn dump(&self) -> String {
        let tables = "SELECT table_name::text FROM information_schema.tables \
                      WHERE table_schema = current_schema()";
        with(&self.url, async |client| {
            let mut dump = String::new();
            for table in client.query(tables, &[]).await.unwrap() {
                let table: String = table.get(0);
                let rows = format!("SELECT t::text FROM {table} t");
                for row in client.query(&rows, &[]).await.unwrap() {
                    dump.push_str(row.get(0));
                    dump.push('\n');
                }
            }
            dump
        })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        if !std::thread::panicking() {
            run(&self.server, &[&drop]);
        }
    }
}

pub(crate) fn run(url: &str, statements: &[&str]) {
    with(url, async |client| {
        for statement in statements {
            client.batch_execute(statement).await.unwrap();
        }
    });
}

fn with<T>(url: &str, work: impl AsyncFnOnce(&Client) -> T) -> T {
    Runtime::new().unwrap().block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        let value = work(&client).await;
        drop(client);
        // Ends with the client; an error of a closed connection interests nobody.
        let _ = driver.await;
        value
    })
}

/// A PostgreSQL server of its own, which may be stopped and started again.
pub(crate) struct Engine {
    folder: TempDir,
    pub(crate) url: String,
}

impl Engine {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let said = script("start", &folder.path().join("postgres"));
        let url = said.trim().strip_prefix("KEYWARD_TEST_POSTGRES=").unwrap();
        Self {
            url: url.to_owned(),
            folder,
        }
    }

    /// As a crash: no farewell to anybody.
    pub(crate) fn halt(&self) {
        script("halt", &self.folder.path().join("postgres"));
    }

    /// On the same port, with the same data.
    pub(crate) fn resume(&self) {
        script("resume", &self.folder.path().join("postgres"));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        script("stop", &self.folder.path().join("postgres"));
    }
}

fn script(verb: &str, folder: &std::path::Path) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(root.join("tests/postgres.sh"));
    let output = command.arg(verb).arg(folder).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "postgres.sh {verb}: {err}");
    String::from_utf8(output.stdout).unwrap()
}
