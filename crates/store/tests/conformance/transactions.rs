//! All or nothing, seen when acknowledged, and nobody hurt by a neighbour.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use domain::port::store::Stop;
use domain::{Error, Refusal};
use tokio::task::JoinSet;

use crate::fixture::{Db, counted, counter, id, increment, insert, next, read, row, value, write};

pub(crate) async fn is_visible_when_acknowledged(store: &Db) {
    for number in 0..50 {
        write(store, move |tx| {
            tx.insert("counter", &counter(number, number))
        })
        .await
        .unwrap();
        assert_eq!(counted(store, number).await, number);
        let seen = read(store, move |tx| tx.peek("counter", &id(number)))
            .await
            .unwrap();
        assert_eq!(seen, Some(counter(number, number)));
        write(store, move |tx| increment(tx, number)).await.unwrap();
        assert_eq!(counted(store, number).await, number + 1);
    }
}

pub(crate) async fn a_failed_job_leaves_nothing(store: &Db) {
    insert(store, "kind", vec![row(1), row(2)]).await;
    let failed = write(store, |tx| -> Result<(), Stop> {
        tx.insert("kind", &row(3))?;
        let first = tx.get("kind", &id(1))?.unwrap();
        tx.update("kind", &next(&first, 1))?;
        tx.remove("kind", &id(2))?;
        Err(Error::from(Refusal::BadProof { left: Some(2) }).into())
    });
    assert!(matches!(
        failed.await,
        Err(Error::Refused(Refusal::BadProof { left: Some(2) }))
    ));
    let left = read(store, |tx| tx.scan(None, 10)).await.unwrap();
    assert_eq!(
        left.into_iter().map(|any| any.row).collect::<Vec<_>>(),
        [row(1), row(2)]
    );
}

pub(crate) async fn a_failed_job_spares_its_neighbours(store: &Db) {
    insert(store, "counter", vec![counter(0, 0)]).await;
    let mut jobs = JoinSet::new();
    for number in 1..=300 {
        let store = Arc::clone(store);
        jobs.spawn(async move {
            let job = write(&store, move |tx| {
                increment(tx, 0)?;
                tx.insert("kind", &row(number))?;
                match number % 3 {
                    0 => Err(Stop::from(Error::from(Refusal::Expired))),
                    1 => panic!("on purpose"),
                    _ => Ok(()),
                }
            });
            (number % 3, job.await)
        });
    }
    for (remainder, result) in jobs.join_all().await {
        match remainder {
            0 => assert!(matches!(result, Err(Error::Refused(Refusal::Expired)))),
            1 => assert!(matches!(result, Err(Error::Bug(_)))),
            _ => result.unwrap(),
        }
    }
    assert_eq!(counted(store, 0).await, 100);
    assert_eq!(read(store, |tx| tx.count("kind")).await.unwrap(), 100);
}

pub(crate) async fn a_panicking_job_hurts_nobody(store: &Db) {
    for _ in 0..20 {
        let failed = write(store, |tx| -> Result<(), Stop> {
            tx.insert("kind", &row(1))?;
            panic!("on purpose");
        });
        assert!(matches!(failed.await, Err(Error::Bug(_))));
        let failed = read(store, |tx| -> Result<(), Stop> {
            tx.peek("kind", &id(1))?;
            panic!("on purpose");
        });
        assert!(matches!(failed.await, Err(Error::Bug(_))));
    }
    insert(store, "kind", vec![row(1)]).await;
    assert_eq!(read(store, |tx| tx.count("kind")).await.unwrap(), 1);
}

pub(crate) async fn a_reading_job_cannot_write(store: &Db) {
    insert(store, "kind", vec![row(1)]).await;
    let failed = read(store, |tx| tx.insert("kind", &row(2)));
    assert!(matches!(failed.await, Err(Error::Bug(_))));
    let failed = read(store, |tx| tx.remove("kind", &id(1)));
    assert!(matches!(failed.await, Err(Error::Bug(_))));
    let failed = read(store, |tx| {
        let row = tx.get("kind", &id(1))?.unwrap();
        // Even if the closure goes on as if nothing had happened.
        let _ = tx.update("kind", &next(&row, 1));
        Ok(())
    });
    assert!(matches!(failed.await, Err(Error::Bug(_))));
    assert_eq!(store.row("kind", id(1)).await.unwrap(), Some(row(1)));
    assert_eq!(store.row("kind", id(2)).await.unwrap(), None);
}

pub(crate) async fn a_reading_job_sees_one_moment(store: &Db) {
    insert(store, "counter", vec![counter(1, 0), counter(2, 0)]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (store, stop) = (Arc::clone(store), Arc::clone(&stop));
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                write(&store, |tx| Ok((increment(tx, 1)?, increment(tx, 2)?)))
                    .await
                    .unwrap();
            }
        })
    };
    for _ in 0..300 {
        let (one, two) = read(store, |tx| {
            let one = tx.peek("counter", &id(1))?.unwrap();
            // Time for the writer to commit in between.
            std::thread::yield_now();
            let two = tx.peek("counter", &id(2))?.unwrap();
            Ok((value(&one), value(&two)))
        })
        .await
        .unwrap();
        assert_eq!(one, two);
    }
    stop.store(true, Ordering::SeqCst);
    writer.await.unwrap();
    assert!(counted(store, 1).await > 0);
}

pub(crate) async fn a_long_reading_job_is_let_through(store: &Db) {
    insert(store, "kind", (0..500).map(row).collect()).await;
    let seen = read(store, |tx| {
        let mut seen = 0;
        for number in 0..500 {
            seen += usize::from(tx.peek("kind", &id(number))?.is_some());
        }
        // A closure that swallows the refusal of a short read must not get away with it.
        let scanned = tx.scan(None, 1_000).map_or(0, |rows| rows.len());
        Ok((seen, scanned, tx.count("kind")?))
    });
    assert_eq!(seen.await.unwrap(), (500, 500, 500));
}

pub(crate) async fn an_ignored_conflict_is_not_committed(store: &Db) {
    insert(store, "kind", vec![row(1)]).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    write(store, move |tx| {
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            tx.insert("kind", &row(2))?;
            let _ = tx.insert("kind", &row(1));
            let _ = tx.peek("kind", &id(1));
        }
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_eq!(store.row("kind", id(2)).await.unwrap(), None);
}

pub(crate) async fn an_empty_job_succeeds(store: &Db) {
    write(store, |_| Ok(())).await.unwrap();
    read(store, |_| Ok(())).await.unwrap();
    let refused = write(store, |_| -> Result<(), Stop> {
        Err(Error::from(Refusal::Blocked).into())
    });
    assert!(matches!(
        refused.await,
        Err(Error::Refused(Refusal::Blocked))
    ));
}

/// A caller who hangs up leaves a whole transaction or none, and nothing that is held.
pub(crate) async fn a_job_outlives_its_caller(store: &Db) {
    insert(store, "counter", vec![counter(1, 0), counter(2, 0)]).await;
    for _ in 0..100 {
        let store = Arc::clone(store);
        let task = tokio::spawn(async move {
            write(&store, |tx| Ok((increment(tx, 1)?, increment(tx, 2)?))).await
        });
        tokio::task::yield_now().await;
        task.abort();
        let _ = task.await;
    }
    let last = write(store, |tx| Ok((increment(tx, 1)?, increment(tx, 2)?)))
        .await
        .unwrap();
    assert_eq!(last.0, last.1);
}

pub(crate) async fn is_ready(store: &Db) {
    store.ready().await.unwrap();
    store.ready().await.unwrap();
}
