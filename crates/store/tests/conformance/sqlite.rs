//! What only a file can suffer: other processes, other users, sudden death, a full disk.

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use domain::Error;
use domain::error::chain;
use domain::port::Store;
use domain::port::store::Row;
use store::{Backend, Extent, Migrations, SchemaError, SqliteOptions, SqliteStore};
use tokio::task::JoinSet;

use crate::fixture::{Db, counter, id, insert, read, row, write};

fn open(path: &Path) -> Result<SqliteStore, Error> {
    SqliteStore::open(path, &SqliteOptions::default())
}

fn refused<T>(result: Result<T, Error>) -> Error {
    result.map(|_| "opened").unwrap_err()
}

fn schema_error(error: &Error) -> &SchemaError {
    let Error::Unavailable(source) = error else {
        panic!("{error:?}")
    };
    source.downcast_ref().unwrap()
}

#[tokio::test]
async fn a_second_opening_is_refused_and_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyward.db");
    let first = open(&path).unwrap();
    let error = refused(open(&path));
    assert!(matches!(error, Error::Unavailable(_)));
    assert!(
        chain(&error).contains(path.to_str().unwrap()),
        "{}",
        chain(&error)
    );
    drop(first);
    open(&path).unwrap();
}

#[tokio::test]
async fn nobody_else_can_read_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/keyward.db");
    let store: Db = Arc::new(open(&path).unwrap());
    insert(&store, "kind", vec![row(1)]).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("deep")), 0o700);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for suffix in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(
            mode(Path::new(&format!("{}{suffix}", path.display()))),
            0o600,
            "{suffix}"
        );
    }
    drop(store);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    open(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[tokio::test]
async fn migrates_an_empty_file_once_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyward.db");
    let with = |migrations| {
        SqliteStore::open(
            &path,
            &SqliteOptions {
                migrations,
                ..<_>::default()
            },
        )
    };
    let error = refused(with(Migrations::Require));
    assert!(matches!(schema_error(&error), SchemaError::Pending { .. }));
    let store = with(Migrations::Leave).unwrap();
    let plan = store.plan().await.unwrap();
    assert_eq!((plan.from, plan.is_current()), (0, false));
    assert_eq!(
        store.migrate(Extent::All).await.unwrap(),
        plan,
        "what was planned is what is done"
    );
    assert!(store.plan().await.unwrap().is_current());
    assert!(store.migrate(Extent::All).await.unwrap().is_current());
    store
        .write(Box::new(|tx| tx.insert("kind", &row(1))))
        .await
        .unwrap();
    drop(store);
    let store = with(Migrations::Require).unwrap();
    assert_eq!(store.row("kind", id(1)).await.unwrap(), Some(row(1)));
}

#[tokio::test]
async fn refuses_a_newer_and_an_edited_schema() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyward.db");
    drop(open(&path).unwrap());
    let tamper = |sql: &str| {
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    };
    tamper("INSERT INTO migration VALUES (9999, 'later', x'00')");
    drop(open(&path).unwrap());
    tamper("UPDATE meta SET value = 9999 WHERE name = 'schema_needs'");
    let error = refused(open(&path));
    assert!(matches!(
        schema_error(&error),
        SchemaError::Newer { found: 9999, .. }
    ));
    assert!(chain(&error).contains("newer release"));
    tamper("DELETE FROM migration WHERE number = 9999; UPDATE migration SET checksum = x'00'");
    let error = refused(open(&path));
    assert!(matches!(
        schema_error(&error),
        SchemaError::Edited { number: 1 }
    ));
}

#[tokio::test]
async fn a_damaged_file_is_a_bug_and_not_an_outage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyward.db");
    let store: Db = Arc::new(open(&path).unwrap());
    insert(&store, "kind", (0..2_000).map(row).collect()).await;
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end / 2..end / 2 + 16_384].fill(0xAA);
    fs::write(&path, bytes).unwrap();
    let store: Db = Arc::new(open(&path).unwrap());
    let error = refused(read(&store, |tx| tx.scan(None, 10_000)).await);
    assert!(matches!(error, Error::Bug(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions {
        queue: 2,
        ..SqliteOptions::default()
    };
    let store = Arc::new(SqliteStore::open(folder.path().join("keyward.db"), &options).unwrap());
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let (started, running) = std::sync::mpsc::channel();
    let mut jobs = JoinSet::new();
    let first = Arc::clone(&store);
    jobs.spawn(async move {
        let wait = move |_: &mut dyn domain::port::Tx| {
            started.send(()).unwrap();
            gate.recv().unwrap();
            Ok(())
        };
        first.write(Box::new(wait)).await
    });
    tokio::task::spawn_blocking(move || running.recv().unwrap())
        .await
        .unwrap();
    for _ in 0..10 {
        let store = Arc::clone(&store);
        jobs.spawn(async move { store.write(Box::new(|_| Ok(()))).await });
    }
    // Eight are turned away at once, while the writer is held up.
    for _ in 0..8 {
        let turned_away = jobs.join_next().await.unwrap().unwrap();
        assert!(matches!(turned_away, Err(Error::Busy { .. })));
    }
    go.send(()).unwrap();
    assert!(
        jobs.join_all()
            .await
            .into_iter()
            .all(|result| result.is_ok())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&folder.path().join("keyward.db")).unwrap());
    let db: Db = Arc::clone(&store) as Db;
    let writer = tokio::spawn({
        let db = Arc::clone(&db);
        async move {
            for number in 0..400 {
                let pair = move |tx: &mut dyn domain::port::Tx| {
                    tx.insert("left", &counter(number, number))?;
                    tx.insert("right", &counter(number, number))
                };
                db.write(Box::new(pair)).await.unwrap();
            }
        }
    });
    let mut copies = Vec::new();
    for number in 0..3 {
        let target = folder.path().join(format!("copy-{number}.db"));
        store.backup_to(&target).await.unwrap();
        assert!(
            store.backup_to(&target).await.is_err(),
            "a backup replaces nothing"
        );
        copies.push(target);
    }
    writer.await.unwrap();
    let memory = SqliteStore::in_memory().unwrap();
    memory
        .write(Box::new(|tx| tx.insert("left", &row(1))))
        .await
        .unwrap();
    memory
        .backup_to(&folder.path().join("memory.db"))
        .await
        .unwrap();
    assert_eq!(
        open(&folder.path().join("memory.db"))
            .unwrap()
            .count_kinds()
            .await
            .unwrap()
            .len(),
        1
    );
    for copy in copies {
        assert_eq!(
            fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let copy: Db = Arc::new(open(&copy).unwrap());
        let counts = read(&copy, |tx| Ok((tx.count("left")?, tx.count("right")?)))
            .await
            .unwrap();
        assert_eq!(counts.0, counts.1);
    }
}

#[tokio::test]
async fn the_log_does_not_grow_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyward.db");
    let store = open(&path).unwrap();
    let mut longest = 0;
    for number in 0..1_500 {
        // About twenty pages each, a hundred megabytes together.
        let large = Row {
            body: vec![1; 80_000],
            ..row(number % 50)
        };
        let replace = move |tx: &mut dyn domain::port::Tx| {
            tx.remove("kind", &large.id)?;
            tx.insert("kind", &large)
        };
        store.write(Box::new(replace)).await.unwrap();
        longest = longest.max(
            fs::metadata(format!("{}-wal", path.display()))
                .unwrap()
                .len(),
        );
    }
    assert!(longest < 32 * 1024 * 1024, "{longest}");
}

/// Not a test: the process that `a_killed_process_loses_nothing_acknowledged` kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is started, and killed, by another test"]
#[expect(
    clippy::disallowed_methods,
    reason = "told by the test that starts this process"
)]
async fn writes_until_killed() {
    let Ok(path) = std::env::var("KEYWARD_TEST_VICTIM") else {
        return;
    };
    let store = Arc::new(open(Path::new(&path)).unwrap());
    let mut writers = JoinSet::new();
    for writer in 0..16_u64 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for number in (writer << 32).. {
                let pair = move |tx: &mut dyn domain::port::Tx| {
                    tx.insert("left", &row(number))?;
                    tx.insert("right", &row(number))
                };
                store.write(Box::new(pair)).await.unwrap();
                let mut out = std::io::stdout().lock();
                writeln!(out, "\nacknowledged {number}").unwrap();
                out.flush().unwrap();
            }
        });
    }
    writers.join_all().await;
}

fn victim(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "sqlite::writes_until_killed",
            "--ignored",
            "--nocapture",
        ])
        .env("KEYWARD_TEST_VICTIM", path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn a_killed_process_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyward.db");
    let mut acknowledged: Vec<u64> = Vec::new();
    for round in 1..=3 {
        let mut child = victim(&path);
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut refusal = None;
        for line in out.lines() {
            let Ok(line) = line else { break };
            let Some(number) = line.strip_prefix("acknowledged ") else {
                continue;
            };
            acknowledged.push(number.parse::<u64>().unwrap() | round << 48);
            // Killed in the middle of things; what it still says was said before.
            if acknowledged.len().is_multiple_of(500) && refusal.is_none() {
                refusal = Some(refused(open(&path)));
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(
            matches!(refusal, Some(Error::Unavailable(_))),
            "it held the file until then"
        );
        let store: Db = Arc::new(open(&path).unwrap());
        for number in acknowledged.iter().filter(|number| **number >> 48 == round) {
            let id = id(number & 0xFFFF_FFFF_FFFF);
            assert!(
                store.row("left", id).await.unwrap().is_some(),
                "{number} was acknowledged"
            );
        }
        let counts = read(&store, |tx| Ok((tx.count("left")?, tx.count("right")?)))
            .await
            .unwrap();
        assert_eq!(counts.0, counts.1, "no half transaction");
        write(&store, |tx| {
            tx.scan(None, usize::MAX)?.iter().try_for_each(|any| {
                let kind = if any.kind == "left" { "left" } else { "right" };
                tx.remove(kind, &any.row.id).map(|_| ())
            })
        })
        .await
        .unwrap();
    }
    assert!(acknowledged.len() >= 1_500);
}

/// Writes until the disk is full; how many rows were acknowledged.
async fn fill(store: &Arc<SqliteStore>) -> u64 {
    let mut acknowledged = 0;
    for number in 0.. {
        let large = Row {
            body: vec![3; 20_000],
            ..row(number)
        };
        match store
            .write(Box::new(move |tx| tx.insert("kind", &large)))
            .await
        {
            Ok(()) => acknowledged += 1,
            Err(error) => {
                assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
                break;
            }
        }
    }
    acknowledged
}

async fn fails_whole_while_full(store: &Arc<SqliteStore>, acknowledged: u64) {
    let db: Db = Arc::clone(store) as Db;
    let mut jobs = JoinSet::new();
    for number in 0..100 {
        let db = Arc::clone(&db);
        jobs.spawn(async move {
            let large = Row {
                body: vec![3; 20_000],
                ..row(1_000_000 + number)
            };
            write(&db, move |tx| tx.insert("kind", &large)).await
        });
    }
    let results = jobs.join_all().await;
    let failed = results.iter().filter(|result| result.is_err()).count();
    assert!(failed > 90, "{failed}");
    assert!(
        results
            .iter()
            .all(|result| matches!(result, Ok(()) | Err(Error::Unavailable(_))))
    );
    let kept = u64::try_from(results.len() - failed).unwrap();
    let count = read(&db, |tx| tx.count("kind")).await.unwrap();
    assert_eq!(
        count,
        acknowledged + kept,
        "reading goes on, and nothing acknowledged is lost"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_database_is_an_outage_that_heals() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyward.db");
    let options = SqliteOptions {
        max_pages: 200,
        ..SqliteOptions::default()
    };
    let store = Arc::new(SqliteStore::open(&path, &options).unwrap());
    let acknowledged = fill(&store).await;
    assert!(acknowledged > 10);
    fails_whole_while_full(&store, acknowledged).await;
    let free = |tx: &mut dyn domain::port::Tx| {
        (0..10).try_for_each(|n| tx.remove("kind", &id(n)).map(|_| ()))
    };
    store.write(Box::new(free)).await.unwrap();
    store
        .write(Box::new(|tx| tx.insert("kind", &row(9_000))))
        .await
        .unwrap();
    drop(store);
    let store = open(&path).unwrap();
    store
        .write(Box::new(|tx| {
            tx.insert(
                "kind",
                &Row {
                    body: vec![1; 900_000],
                    ..row(9_001)
                },
            )
        }))
        .await
        .unwrap();
}

/// A small file system of its own, if this process may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        eprintln!(
            "SKIPPED: no right to mount a small file system; the page limit was tested instead"
        );
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.0.path())
            .status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_an_outage_that_heals() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let path = disk.0.path().join("keyward.db");
    let ballast = disk.0.path().join("ballast");
    fs::write(&ballast, vec![0; 1_000_000]).unwrap();
    let store = Arc::new(open(&path).unwrap());
    let acknowledged = fill(&store).await;
    assert!(acknowledged > 10);
    fails_whole_while_full(&store, acknowledged).await;
    fs::remove_file(&ballast).unwrap();
    // The same store, without being opened again.
    store
        .write(Box::new(|tx| tx.insert("kind", &row(9_000))))
        .await
        .unwrap();
    store.ready().await.unwrap();
    assert!(store.row("kind", id(0)).await.unwrap().is_some());
    drop(store);
    let store: Db = Arc::new(open(&path).unwrap());
    assert!(read(&store, |tx| tx.count("kind")).await.unwrap() > acknowledged);
    tokio::time::timeout(Duration::from_secs(5), store.ready())
        .await
        .unwrap()
        .unwrap();
}
