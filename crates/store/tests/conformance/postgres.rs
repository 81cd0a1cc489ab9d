//! What only a server on the other end of a wire can do: vanish, hang, restart, refuse.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use domain::error::chain;
use domain::port::store::Row;
use domain::{Error, Timestamp};
use store::{Extent, Migrations, PostgresOptions, PostgresStore, SchemaError};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::fixture::{
    Db, Schema, counted, counter, due, id, increment, insert, patient, read, row, write,
};
use crate::proxy::{Cut, Proxy};

pub(crate) fn connect(url: &str, options: PostgresOptions) -> Db {
    Arc::new(PostgresStore::connect(url, options).unwrap())
}

fn hasty() -> PostgresOptions {
    let short = Duration::from_millis(800);
    PostgresOptions {
        deadline: short,
        connect_timeout: short / 4,
        ..PostgresOptions::default()
    }
}

pub(crate) fn is_unavailable<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Unavailable(_)))
}

/// A store behind a door, and the door.
async fn behind_a_door(options: PostgresOptions) -> Option<(Schema, Proxy, Db)> {
    let schema = Schema::make().await?;
    let proxy = Proxy::to(&schema.url).await;
    let store = connect(&proxy.url(&schema.url), options);
    insert(&store, "counter", vec![counter(1, 0)]).await;
    Some((schema, proxy, store))
}

async fn increments_once_in_spite_of(cut: Cut) {
    let Some((_schema, proxy, store)) = behind_a_door(patient()).await else {
        return;
    };
    for total in 1..=10 {
        proxy.plan(cut);
        let seen = write(&store, move |tx| {
            tx.insert("kind", &row(total))?;
            increment(tx, 1)
        });
        assert_eq!(seen.await.unwrap(), total);
        assert!(!proxy.is_planned(), "the cut took place");
        assert_eq!(counted(&store, 1).await, total);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_never_arrives_is_made_again() {
    increments_once_in_spite_of(Cut::Before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_fate_is_open_is_made_once() {
    increments_once_in_spite_of(Cut::During).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_not_made_again() {
    increments_once_in_spite_of(Cut::After).await;
}

/// Rows without a question before them go out together with `COMMIT`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blind_insert_whose_answer_is_lost_is_not_made_again() {
    let Some((_schema, proxy, store)) = behind_a_door(patient()).await else {
        return;
    };
    for number in 0..10 {
        proxy.plan(Cut::After);
        let runs = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&runs);
        let blind = write(&store, move |tx| {
            count.fetch_add(1, Ordering::SeqCst);
            tx.insert("kind", &row(number))
        });
        blind.await.unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }
    assert_eq!(read(&store, |tx| tx.count("kind")).await.unwrap(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_nobody_can_tell_about_is_said_to_be_unknown() {
    let Some((_schema, proxy, store)) = behind_a_door(hasty()).await else {
        return;
    };
    proxy.close_on_cut();
    proxy.plan(Cut::After);
    let result = write(&store, |tx| increment(tx, 1)).await;
    assert!(is_unavailable(&result));
    let told = chain(&result.unwrap_err());
    assert!(told.contains("could not be found out"), "{told}");
    proxy.open();
    assert_eq!(counted(&store, 1).await, 1, "it was not run a second time");
    write(&store, |tx| increment(tx, 1)).await.unwrap();
    assert_eq!(counted(&store, 1).await, 2);
}

/// A mark that is gone, as after another server's clean-up, costs a repetition and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_marks_are_made_again() {
    let Some((schema, _proxy, store)) = behind_a_door(patient()).await else {
        return;
    };
    for total in 1..=5 {
        schema
            .admin
            .batch_execute("DELETE FROM commit_mark")
            .await
            .unwrap();
        assert_eq!(write(&store, |tx| increment(tx, 1)).await.unwrap(), total);
    }
}

/// Increments one counter from eight sides until `stop`; how many were acknowledged.
pub(crate) async fn increments_until(store: &Db, stop: &Arc<AtomicBool>) -> u64 {
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..8 {
        let (store, stop) = (Arc::clone(store), Arc::clone(stop));
        let acknowledged = Arc::clone(&acknowledged);
        workers.spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                write(&store, |tx| increment(tx, 1)).await.unwrap();
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    workers.join_all().await;
    acknowledged.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_cuts_under_load_keep_exact_counts() {
    let Some((_schema, proxy, store)) = behind_a_door(patient()).await else {
        return;
    };
    let stop = Arc::new(AtomicBool::new(false));
    let chaos = {
        let stop = Arc::clone(&stop);
        async move {
            for round in 0..60 {
                proxy.plan([Cut::Before, Cut::During, Cut::After][round % 3]);
                // As long as some commits take, whatever the machine does.
                let seen = proxy.commits();
                while proxy.commits() < seen + 5 {
                    tokio::task::yield_now().await;
                }
                if round % 10 == 9 {
                    proxy.cut_all();
                }
            }
            stop.store(true, Ordering::SeqCst);
            proxy
        }
    };
    let (acknowledged, proxy) = tokio::join!(increments_until(&store, &stop), chaos);
    assert!(acknowledged > 100);
    assert_eq!(counted(&store, 1).await, acknowledged);
    assert_eq!(
        proxy.named_statements(),
        0,
        "a pooler may give each transaction another session"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_backends_under_load_keep_exact_counts() {
    let Some(schema) = Schema::make().await else {
        return;
    };
    let store = connect(&schema.url, patient());
    insert(&store, "counter", vec![counter(1, 0)]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let chaos = async {
        let mut killed = 0;
        while killed < 100 {
            let sql = format!(
                "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM \
                 (SELECT pid FROM pg_stat_activity WHERE application_name = '{}' \
                  ORDER BY md5(pid::text || clock_timestamp()::text) LIMIT 3) AS victims",
                schema.name
            );
            killed += schema
                .admin
                .query_one(&sql, &[])
                .await
                .unwrap()
                .get::<_, i64>(0);
            let total = counted(&store, 1).await;
            while counted(&store, 1).await < total + 5 {}
        }
        stop.store(true, Ordering::SeqCst);
    };
    let (acknowledged, ()) = tokio::join!(increments_until(&store, &stop), chaos);
    assert_eq!(counted(&store, 1).await, acknowledged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_without_its_server_and_finds_it_later() {
    let Some(schema) = Schema::make().await else {
        return;
    };
    let proxy = Proxy::to(&schema.url).await;
    proxy.close();
    let store = connect(&proxy.url(&schema.url), hasty());
    assert!(is_unavailable(&store.ready().await));
    assert!(is_unavailable(&store.ensure_schema().await));
    assert!(is_unavailable(&store.row("kind", id(1)).await));
    assert!(is_unavailable(
        &write(&store, |tx| tx.insert("kind", &row(1))).await
    ));
    proxy.open();
    store.ready().await.unwrap();
    insert(&store, "kind", vec![row(1)]).await;
    proxy.close();
    assert!(is_unavailable(&read(&store, |tx| tx.count("kind")).await));
    proxy.open();
    assert_eq!(read(&store, |tx| tx.count("kind")).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_says_nothing_does_not_hide_the_next() {
    let Some(schema) = Schema::make().await else {
        return;
    };
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = schema.url.replacen('@', &format!("@127.0.0.1:{port},"), 1);
    let options = PostgresOptions {
        connect_timeout: Duration::from_millis(200),
        ..patient()
    };
    let store = connect(&url, options);
    insert(&store, "kind", vec![row(1)]).await;
    assert_eq!(store.row("kind", id(1)).await.unwrap(), Some(row(1)));
}

/// A demoted primary takes no writes, so nothing connects to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_reads_is_not_used() {
    let Some(schema) = Schema::make().await else {
        return;
    };
    let role = &schema.name;
    let sql = format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'secret'");
    schema.admin.batch_execute(&sql).await.unwrap();
    let (_, rest) = schema.url.split_once('@').unwrap();
    let store = connect(&format!("postgres://{role}:secret@{rest}"), hasty());
    insert(&store, "kind", vec![row(1)]).await;
    let demote = format!(
        "ALTER ROLE {role} SET default_transaction_read_only = on;
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
    );
    schema.admin.batch_execute(&demote).await.unwrap();
    assert!(is_unavailable(
        &write(&store, |tx| tx.insert("kind", &row(2))).await
    ));
    assert!(
        is_unavailable(&store.row("kind", id(1)).await),
        "it may be behind"
    );
    assert!(is_unavailable(&store.ready().await));
    let promote = format!("ALTER ROLE {role} RESET default_transaction_read_only");
    schema.admin.batch_execute(&promote).await.unwrap();
    insert(&store, "kind", vec![row(2)]).await;
    drop(store);
    let drop = format!("DROP SCHEMA {role} CASCADE; DROP ROLE {role}");
    schema.admin.batch_execute(&drop).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn due_rows_held_by_another_are_passed_over() {
    let Some(schema) = Schema::make().await else {
        return;
    };
    let store = connect(&schema.url, patient());
    insert(
        &store,
        "kind",
        (0..10).map(|number| due(number, 1)).collect(),
    )
    .await;
    let (held, holding) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let holder = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            write(&store, move |tx| {
                let rows = tx.due("kind", Timestamp::from_millis(1), 4)?;
                held.send(()).unwrap();
                gate.recv().unwrap();
                rows.iter()
                    .try_for_each(|row| tx.remove("kind", &row.id).map(|_| ()))
            })
            .await
        }
    });
    tokio::task::spawn_blocking(move || holding.recv().unwrap())
        .await
        .unwrap();
    let others = write(&store, |tx| tx.due("kind", Timestamp::from_millis(1), 10))
        .await
        .unwrap();
    assert_eq!(
        others.iter().map(|row| row.id).collect::<Vec<_>>(),
        (4..10).map(id).collect::<Vec<_>>()
    );
    let removed = write(&store, |tx| {
        tx.remove_due("kind", Timestamp::from_millis(1), 2)
    });
    assert_eq!(removed.await.unwrap(), 2);
    go.send(()).unwrap();
    holder.await.unwrap().unwrap();
    assert_eq!(read(&store, |tx| tx.count("kind")).await.unwrap(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_without_end_is_an_outage_in_the_end() {
    let Some(schema) = Schema::make().await else {
        return;
    };
    let store = connect(&schema.url, hasty());
    insert(&store, "kind", vec![row(1)]).await;
    let stale = write(&store, |tx| {
        tx.update(
            "kind",
            &Row {
                version: 7,
                ..row(1)
            },
        )
    });
    assert!(is_unavailable(&stale.await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_callers_than_the_queue_are_told_busy() {
    let Some(schema) = Schema::make().await else {
        return;
    };
    let store = connect(
        &schema.url,
        PostgresOptions {
            queue: 3,
            pool_size: 1,
            ..patient()
        },
    );
    insert(&store, "counter", vec![counter(1, 0)]).await;
    let mut jobs = JoinSet::new();
    for _ in 0..50 {
        let store = Arc::clone(&store);
        jobs.spawn(async move { write(&store, |tx| increment(tx, 1)).await });
    }
    let results = jobs.join_all().await;
    assert!(
        results
            .iter()
            .all(|result| matches!(result, Ok(_) | Err(Error::Busy { .. })))
    );
    let done = results.iter().filter(|result| result.is_ok()).count();
    assert!((3..50).contains(&done), "{done}");
    assert_eq!(counted(&store, 1).await, u64::try_from(done).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_servers_that_start_at_once_migrate_once() {
    let Some(schema) = Schema::make().await else {
        return;
    };
    let require = PostgresOptions {
        migrations: Migrations::Require,
        ..patient()
    };
    let error = connect(&schema.url, require.clone())
        .ensure_schema()
        .await
        .unwrap_err();
    assert!(matches!(schema_error(&error), SchemaError::Pending { .. }));
    let leave = connect(
        &schema.url,
        PostgresOptions {
            migrations: Migrations::Leave,
            ..patient()
        },
    );
    assert!(!leave.plan().await.unwrap().is_current());
    let mut servers = JoinSet::new();
    for _ in 0..8 {
        let store = connect(
            &schema.url,
            PostgresOptions {
                pool_size: 2,
                ..patient()
            },
        );
        servers.spawn(async move { store.ensure_schema().await });
    }
    assert!(
        servers
            .join_all()
            .await
            .into_iter()
            .all(|result| result.is_ok())
    );
    assert!(leave.plan().await.unwrap().is_current());
    assert!(leave.migrate(Extent::All).await.unwrap().is_current());
    connect(&schema.url, require).ensure_schema().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refuses_a_newer_and_an_edited_schema() {
    let Some(schema) = Schema::make().await else {
        return;
    };
    connect(&schema.url, patient())
        .ensure_schema()
        .await
        .unwrap();
    let newer = "INSERT INTO migration VALUES (9999, 'later', '')";
    schema.admin.batch_execute(newer).await.unwrap();
    let beside = connect(&schema.url, patient());
    beside.ensure_schema().await.unwrap();
    let contracted = "UPDATE meta SET value = 9999 WHERE name = 'schema_needs'";
    schema.admin.batch_execute(contracted).await.unwrap();
    let store = connect(&schema.url, patient());
    let error = store.ensure_schema().await.unwrap_err();
    assert!(matches!(
        schema_error(&error),
        SchemaError::Newer { found: 9999, .. }
    ));
    assert!(is_unavailable(
        &write(&store, |tx| tx.insert("kind", &row(1))).await
    ));
    let edited = "DELETE FROM migration WHERE number = 9999; UPDATE migration SET checksum = ''";
    schema.admin.batch_execute(edited).await.unwrap();
    let error = connect(&schema.url, patient()).plan().await.unwrap_err();
    assert!(matches!(
        schema_error(&error),
        SchemaError::Edited { number: 1 }
    ));
}

fn schema_error(error: &Error) -> &SchemaError {
    let Error::Unavailable(source) = error else {
        panic!("{error:?}")
    };
    source.downcast_ref().unwrap()
}
