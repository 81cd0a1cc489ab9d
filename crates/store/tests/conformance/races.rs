//! Many at once: counts stay exact, and of many who want one thing one gets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::port::store::{Stop, Tx, TxResult};
use domain::{Error, Refusal, Timestamp};
use tokio::task::JoinSet;

use crate::fixture::{Db, counted, counter, due, id, increment, insert, next, row, value, write};

/// Runs `act` many times at once; all results.
async fn race<T: Send + 'static>(
    store: &Db,
    times: usize,
    act: impl FnMut(&mut dyn Tx) -> TxResult<T> + Clone + Send + 'static,
) -> Vec<Result<T, Error>> {
    let mut jobs = JoinSet::new();
    for _ in 0..times {
        let (store, act) = (Arc::clone(store), act.clone());
        jobs.spawn(async move { write(&store, act).await });
    }
    jobs.join_all().await
}

pub(crate) async fn ten_and_a_thousand_racing_jobs_count_exactly(store: &Db) {
    insert(store, "counter", vec![counter(1, 0)]).await;
    for (times, total) in [(10, 10), (1_000, 1_010)] {
        let results = race(store, times, |tx| increment(tx, 1)).await;
        let mut seen: Vec<u64> = results.into_iter().map(Result::unwrap).collect();
        assert_eq!(counted(store, 1).await, total);
        seen.sort_unstable();
        let first = total - u64::try_from(times).unwrap() + 1;
        assert_eq!(
            seen,
            (first..=total).collect::<Vec<_>>(),
            "each saw a number of its own"
        );
    }
}

pub(crate) async fn ten_guesses_on_a_budget_of_three_get_three(store: &Db) {
    insert(store, "counter", vec![counter(1, 0)]).await;
    let results = race(store, 10, |tx| {
        let row = tx.get("counter", &id(1))?.unwrap();
        if value(&row) >= 3 {
            return Err(Stop::from(Error::from(Refusal::Exhausted {
                until: Timestamp::NEVER,
            })));
        }
        tx.update("counter", &next(&row, value(&row) + 1))
    })
    .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
    let refused = |result: &&Result<(), Error>| matches!(result, Err(Error::Refused(_)));
    assert_eq!(results.iter().filter(refused).count(), 7);
    assert_eq!(counted(store, 1).await, 3);
}

/// What is only peeked at is not held; then the version is what keeps a change from being lost.
pub(crate) async fn versions_alone_count_exactly(store: &Db) {
    insert(store, "counter", vec![counter(1, 0)]).await;
    let results = race(store, 50, |tx| {
        let row = tx.peek("counter", &id(1))?.unwrap();
        tx.update("counter", &next(&row, value(&row) + 1))
    })
    .await;
    assert!(results.into_iter().all(|result| result.is_ok()));
    assert_eq!(counted(store, 1).await, 50);
}

pub(crate) async fn one_of_many_inserts_wins(store: &Db) {
    for number in 0..10 {
        let results = race(store, 10, move |tx| {
            if tx.get("kind", &id(number))?.is_some() {
                return Ok(false);
            }
            tx.insert("kind", &row(number))?;
            Ok(true)
        })
        .await;
        let won = results
            .into_iter()
            .filter(|won| *won.as_ref().unwrap())
            .count();
        assert_eq!(won, 1, "the others ran again and saw it");
    }
}

pub(crate) async fn one_of_many_removals_is_told(store: &Db) {
    for number in 0..10 {
        insert(store, "kind", vec![row(number)]).await;
        // Half of them look first, as one does who takes a row.
        let turn = Arc::new(AtomicUsize::new(0));
        let results = race(store, 10, move |tx| {
            let looks = turn.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
            if looks && tx.get("kind", &id(number))?.is_none() {
                return Ok(false);
            }
            tx.remove("kind", &id(number))
        })
        .await;
        let told = results
            .into_iter()
            .filter(|told| *told.as_ref().unwrap())
            .count();
        assert_eq!(told, 1);
    }
}

/// Transfers that lock the same two rows in either order.
pub(crate) async fn crossing_locks_lose_nothing(store: &Db) {
    insert(store, "counter", vec![counter(1, 1_000), counter(2, 1_000)]).await;
    let turn = Arc::new(AtomicUsize::new(0));
    let results = race(store, 60, move |tx| {
        let forth = turn.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        let (from, to) = if forth { (1, 2) } else { (2, 1) };
        let giver = tx.get("counter", &id(from))?.unwrap();
        let taker = tx.get("counter", &id(to))?.unwrap();
        tx.update("counter", &next(&giver, value(&giver) - 1))?;
        tx.update("counter", &next(&taker, value(&taker) + 1))
    })
    .await;
    assert!(results.into_iter().all(|result| result.is_ok()));
    assert_eq!(counted(store, 1).await + counted(store, 2).await, 2_000);
}

pub(crate) async fn workers_share_due_rows(store: &Db) {
    insert(store, "kind", (0..100).map(|n| due(n, 1)).collect()).await;
    let done = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        let (store, done) = (Arc::clone(store), Arc::clone(&done));
        workers.spawn(async move {
            while done.load(Ordering::SeqCst) < 100 {
                let took = write(&store, |tx| {
                    let rows = tx.due("kind", Timestamp::from_millis(5), 7)?;
                    for row in &rows {
                        // Worked on once: its next turn is far away.
                        let mut next = next(row, 0);
                        next.due = Some(Timestamp::from_millis(10));
                        tx.update("kind", &next)?;
                    }
                    Ok(rows.len())
                });
                done.fetch_add(took.await.unwrap(), Ordering::SeqCst);
            }
        });
    }
    workers.join_all().await;
    assert_eq!(
        done.load(Ordering::SeqCst),
        100,
        "no row was worked on twice"
    );
}

/// Rows that many ask for at once, of two kinds under the same ids, and some who hang up while they wait.
pub(crate) async fn rows_asked_for_at_once_reach_who_asked(store: &Db) {
    for (kind, offset) in [("one", 100), ("two", 200)] {
        let rows = (0..20).map(|number| counter(number, offset + number));
        insert(store, kind, rows.collect()).await;
    }
    let mut patient = JoinSet::new();
    let mut hasty = Vec::new();
    for asked in 0..600 {
        let (number, store) = (asked % 23, Arc::clone(store));
        let (kind, offset) = if asked % 2 == 0 {
            ("one", 100)
        } else {
            ("two", 200)
        };
        let question = async move {
            let found = store.row(kind, id(number)).await.unwrap();
            let expected = (number < 20).then_some(offset + number);
            assert_eq!(found.as_ref().map(value), expected, "{kind} {number}");
        };
        if asked % 3 == 0 {
            hasty.push(tokio::spawn(question));
            tokio::task::yield_now().await;
        } else {
            patient.spawn(question);
        }
        if asked % 15 == 0 {
            hasty.drain(..).for_each(|task| task.abort());
        }
    }
    patient.join_all().await;
    // Nobody who hung up took the next question along.
    let one = store.row("one", id(3)).await.unwrap().unwrap();
    assert_eq!(value(&one), 103);
}
