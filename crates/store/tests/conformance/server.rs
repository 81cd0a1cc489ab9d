//! What a server can do that must not be done to one that others use: restart, wait for a standby
//! that never comes, ask for TLS.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store::{PostgresOptions, PostgresStore};

use crate::fixture::{
    Schema, admin, counted, counter, increment, insert, inside, patient, row, write,
};
use crate::postgres::{connect, increments_until, is_unavailable};

/// A server of this test's own, made by the script that `make test` uses.
struct Server {
    folder: tempfile::TempDir,
    url: String,
}

impl Server {
    /// `None` where PostgreSQL is not tested.
    async fn start() -> Option<Self> {
        crate::fixture::postgres_url()?;
        let start = || {
            let folder = tempfile::tempdir().unwrap();
            let output = Self::script("start", folder.path());
            let url = output
                .lines()
                .find_map(|line| line.strip_prefix("KEYWARD_TEST_POSTGRES="));
            Self {
                url: url.unwrap().to_owned(),
                folder,
            }
        };
        Some(tokio::task::spawn_blocking(start).await.unwrap())
    }

    fn owner(&self) -> u32 {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(self.folder.path().join("data"))
            .unwrap()
            .uid()
    }

    /// Copies a file to where the server looks for it.
    fn give(&self, file: &Path) {
        use std::os::unix::fs::PermissionsExt;
        let target = self
            .folder
            .path()
            .join("data")
            .join(file.file_name().unwrap());
        std::fs::copy(file, &target).unwrap();
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&target, Some(self.owner()), None).unwrap();
    }

    fn script(verb: &str, folder: &Path) -> String {
        let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../tests/postgres.sh"]
            .iter()
            .collect();
        let output = Command::new(script).arg(verb).arg(folder).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Ends the server as its operator would, or as a power cut does, and starts it again.
    async fn restart(&self, mode: &str) {
        let client = admin(&self.url).await;
        let bin: String = client
            .query_one("SELECT setting FROM pg_config() WHERE name = 'BINDIR'", &[])
            .await
            .unwrap()
            .get(0);
        drop(client);
        let data = self.folder.path().join("data");
        let owner = self.owner();
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--reuid={owner}"))
            .arg("--clear-groups")
            .arg(format!("{bin}/pg_ctl"))
            .args(["restart", "--wait", "--silent", "--mode", mode, "--pgdata"])
            .arg(&data)
            .arg("--log")
            .arg(self.folder.path().join("postgres.log"))
            .current_dir(self.folder.path());
        let done = tokio::task::spawn_blocking(move || command.status().unwrap())
            .await
            .unwrap();
        assert!(done.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        Self::script("stop", self.folder.path());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_under_load_keep_exact_counts() {
    let Some(server) = Server::start().await else {
        return;
    };
    let schema = Schema::on(&server.url).await;
    let store = connect(&inside(&server.url, &schema.name), patient());
    insert(&store, "counter", vec![counter(1, 0)]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let chaos = async {
        for mode in ["fast", "immediate", "fast"] {
            let total = counted(&store, 1).await;
            while counted(&store, 1).await < total + 50 {}
            server.restart(mode).await;
        }
        stop.store(true, Ordering::SeqCst);
    };
    let (acknowledged, ()) = tokio::join!(increments_until(&store, &stop), chaos);
    assert_eq!(counted(&store, 1).await, acknowledged);
}

/// PostgreSQL answers yes when the wait for its standby is canceled, although a failover would then
/// lose the commit. So no timeout of ours may cancel it, and no answer comes before the standby's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_without_its_standby_is_not_acknowledged() {
    let Some(server) = Server::start().await else {
        return;
    };
    let schema = Schema::on(&server.url).await;
    let local = "SET synchronous_commit = local";
    schema.admin.batch_execute(local).await.unwrap();
    let options = PostgresOptions {
        deadline: Duration::from_millis(1_500),
        statement_timeout: Duration::from_millis(200),
        ..PostgresOptions::default()
    };
    let store = connect(&inside(&server.url, &schema.name), options);
    insert(&store, "counter", vec![counter(1, 0)]).await;
    let standby = async |name: &str| {
        let sql = format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'");
        schema.admin.batch_execute(&sql).await.unwrap();
        schema
            .admin
            .batch_execute("SELECT pg_reload_conf()")
            .await
            .unwrap();
        let shown = || async {
            let row = schema
                .admin
                .query_one("SHOW synchronous_standby_names", &[])
                .await;
            row.unwrap().get::<_, String>(0)
        };
        while shown().await != name {}
    };
    standby("nobody").await;
    let mut accepted = 0;
    let until_it_holds = async {
        while write(&store, |tx| increment(tx, 1)).await.is_ok() {
            accepted += 1;
        }
    };
    let soon = tokio::time::timeout(Duration::from_secs(20), until_it_holds).await;
    soon.expect("commits without a standby were acknowledged");
    assert!(is_unavailable(&store.ready().await));
    standby("").await;
    let mut failed = 1;
    while write(&store, |tx| increment(tx, 1)).await.is_err() {
        failed += 1;
    }
    let total = counted(&store, 1).await;
    assert!(
        (accepted + 1..=accepted + 1 + failed).contains(&total),
        "{accepted}, {total}"
    );
}

/// Runs a program that must succeed, in `folder`.
fn run(folder: &Path, program: &str, arguments: &str) {
    let arguments = arguments.split_whitespace();
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_verified_as_the_url_says() {
    let Some(server) = Server::start().await else {
        return;
    };
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: no openssl to make certificates with");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["ours", "theirs"] {
        let ca =
            "req -x509 -newkey ed25519 -nodes -days 2 -addext basicConstraints=critical,CA:TRUE";
        run(
            folder.path(),
            "openssl",
            &format!("{ca} -subj /CN={name} -keyout {name}.key -out {name}.pem"),
        );
    }
    let request = "req -newkey ed25519 -nodes -subj /CN=server -keyout server.key -out server.csr";
    run(folder.path(), "openssl", request);
    std::fs::write(folder.path().join("names"), "subjectAltName=IP:127.0.0.1").unwrap();
    let sign = "x509 -req -in server.csr -CA ours.pem -CAkey ours.key -days 2 -extfile names -out server.pem";
    run(folder.path(), "openssl", sign);
    for file in ["server.key", "server.pem"] {
        server.give(&folder.path().join(file));
    }
    let client = admin(&server.url).await;
    client
        .batch_execute("ALTER SYSTEM SET ssl_cert_file = 'server.pem'")
        .await
        .unwrap();
    client
        .batch_execute("ALTER SYSTEM SET ssl_key_file = 'server.key'")
        .await
        .unwrap();
    client
        .batch_execute("ALTER SYSTEM SET ssl = on")
        .await
        .unwrap();
    server.restart("fast").await;

    let schema = Schema::on(&server.url).await;
    let url = inside(&server.url, &schema.name);
    let with = async |mode: &str, ca: Option<&str>| {
        let ca_file = ca.map(|ca| folder.path().join(ca));
        let deadline = Duration::from_secs(3);
        let options = PostgresOptions {
            ca_file,
            deadline,
            ..PostgresOptions::default()
        };
        let store = PostgresStore::connect(&format!("{url}{mode}"), options)?;
        let store: crate::fixture::Db = Arc::new(store);
        write(&store, |tx| tx.peek("kind", &row(1).id)).await?;
        let sql = format!(
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
             WHERE application_name = '{}'",
            schema.name
        );
        Ok(schema
            .admin
            .query_one(&sql, &[])
            .await
            .unwrap()
            .get::<_, bool>(0))
    };
    assert!(
        with("&sslmode=verify-full", Some("ours.pem"))
            .await
            .unwrap()
    );
    assert!(
        with("", Some("ours.pem")).await.unwrap(),
        "a CA file alone asks for TLS"
    );
    assert!(
        with("", None).await.unwrap(),
        "on this machine any certificate will do"
    );
    assert!(!with("&sslmode=disable", None).await.unwrap());
    assert!(is_unavailable(
        &with("&sslmode=verify-full", Some("theirs.pem")).await
    ));
    assert!(
        is_unavailable(&with("&sslmode=require", None).await),
        "no authority signed it"
    );
    let elsewhere = url.replace("127.0.0.1", "localhost");
    let options = PostgresOptions {
        ca_file: Some(folder.path().join("ours.pem")),
        deadline: Duration::from_secs(1),
        ..PostgresOptions::default()
    };
    let store = connect(&format!("{elsewhere}&sslmode=verify-full"), options);
    assert!(
        is_unavailable(&store.ready().await),
        "the certificate names another host"
    );
}
