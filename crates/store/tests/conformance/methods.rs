//! Each method of a transaction, by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::port::store::{Page, Row, Stop};
use domain::{Error, Refusal, Timestamp};

use crate::fixture::{Db, child, counter, due, id, insert, next, read, row, value, write};

pub(crate) async fn keeps_every_column(store: &Db) {
    let rows = [
        row(0),
        Row {
            id: id(u64::MAX),
            rank: i64::MIN,
            body: Vec::new(),
            ..row(0)
        },
        Row {
            rank: i64::MAX,
            owner: Some(id(0)),
            due: Some(Timestamp::NEVER),
            ..row(2)
        },
        Row {
            due: Some(Timestamp::from_millis(-1)),
            version: 7,
            body: vec![0; 300],
            ..row(3)
        },
    ];
    insert(store, "kind", rows.to_vec()).await;
    for row in rows {
        let id = row.id;
        assert_eq!(store.row("kind", id).await.unwrap().as_ref(), Some(&row));
        let seen = read(store, move |tx| {
            Ok([tx.peek("kind", &id)?, tx.get("kind", &id)?])
        });
        assert_eq!(seen.await.unwrap(), [Some(row.clone()), Some(row.clone())]);
        let seen = write(store, move |tx| {
            Ok([tx.get("kind", &id)?, tx.peek("kind", &id)?])
        });
        assert_eq!(seen.await.unwrap(), [Some(row.clone()), Some(row)]);
    }
}

pub(crate) async fn rows_of_two_kinds_do_not_meet(store: &Db) {
    insert(store, "one", vec![counter(1, 1)]).await;
    insert(store, "two", vec![counter(1, 2)]).await;
    write(store, |tx| tx.remove("one", &id(1))).await.unwrap();
    assert_eq!(store.row("one", id(1)).await.unwrap(), None);
    assert_eq!(value(&store.row("two", id(1)).await.unwrap().unwrap()), 2);
}

pub(crate) async fn tells_absence(store: &Db) {
    assert_eq!(store.row("kind", id(1)).await.unwrap(), None);
    write(store, |tx| {
        assert_eq!(tx.get("kind", &id(1))?, None);
        assert_eq!(tx.peek("kind", &id(1))?, None);
        assert!(!tx.remove("kind", &id(1))?);
        assert_eq!(tx.children("kind", &id(1), Page::ALL)?, []);
        assert_eq!(tx.count_children("kind", &id(1))?, 0);
        assert_eq!(tx.remove_children("kind", &id(1))?, 0);
        assert_eq!(tx.due("kind", Timestamp::NEVER, 10)?, []);
        assert_eq!(tx.remove_due("kind", Timestamp::NEVER, 10)?, 0);
        assert_eq!(tx.count("kind")?, 0);
        assert_eq!(tx.scan(None, 10)?, []);
        Ok(())
    })
    .await
    .unwrap();
}

pub(crate) async fn an_update_replaces_the_version_before(store: &Db) {
    insert(store, "kind", vec![due(1, 5)]).await;
    let new = Row {
        owner: Some(id(9)),
        rank: 3,
        due: None,
        version: 2,
        ..counter(1, 8)
    };
    let update = new.clone();
    write(store, move |tx| tx.update("kind", &update))
        .await
        .unwrap();
    assert_eq!(store.row("kind", id(1)).await.unwrap(), Some(new));
    let indexes = write(store, |tx| {
        Ok((
            tx.due("kind", Timestamp::NEVER, 9)?.len(),
            tx.count_children("kind", &id(9))?,
        ))
    });
    assert_eq!(indexes.await.unwrap(), (0, 1));
}

pub(crate) async fn an_update_of_another_version_runs_again(store: &Db) {
    insert(store, "kind", vec![counter(1, 0)]).await;
    for stale in [1, 3, 4] {
        let runs = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&runs);
        let result = write(store, move |tx| {
            if count.fetch_add(1, Ordering::SeqCst) == 2 {
                return Err(Stop::from(Error::from(Refusal::Conflict)));
            }
            tx.update(
                "kind",
                &Row {
                    version: stale,
                    ..counter(1, 9)
                },
            )
        });
        assert!(matches!(
            result.await,
            Err(Error::Refused(Refusal::Conflict))
        ));
        assert_eq!(runs.load(Ordering::SeqCst), 3);
    }
    assert_eq!(store.row("kind", id(1)).await.unwrap(), Some(counter(1, 0)));
}

pub(crate) async fn an_insert_of_a_taken_id_runs_again(store: &Db) {
    insert(store, "kind", vec![counter(1, 5)]).await;
    let mut runs = 0;
    let seen = write(store, move |tx| {
        runs += 1;
        if runs == 1 {
            tx.insert("kind", &counter(2, 0))?;
            tx.insert("kind", &counter(1, 0))?;
            return Ok(None);
        }
        tx.get("kind", &id(1))
    });
    assert_eq!(seen.await.unwrap(), Some(counter(1, 5)));
    assert_eq!(
        store.row("kind", id(2)).await.unwrap(),
        None,
        "the first run is undone"
    );
}

pub(crate) async fn a_removed_row_is_gone_once(store: &Db) {
    insert(store, "kind", vec![row(1), row(2)]).await;
    let told = write(store, |tx| {
        Ok([tx.remove("kind", &id(1))?, tx.remove("kind", &id(1))?])
    });
    assert_eq!(told.await.unwrap(), [true, false]);
    let told = write(store, |tx| {
        tx.get("kind", &id(2))?;
        let told = [tx.remove("kind", &id(2))?, tx.remove("kind", &id(2))?];
        assert_eq!(tx.get("kind", &id(2))?, None);
        Ok(told)
    });
    assert_eq!(told.await.unwrap(), [true, false]);
    assert_eq!(store.row("kind", id(2)).await.unwrap(), None);
    assert!(!write(store, |tx| tx.remove("kind", &id(2))).await.unwrap());
}

pub(crate) async fn a_transaction_sees_its_own_changes(store: &Db) {
    insert(store, "kind", vec![row(9)]).await;
    write(store, |tx| {
        let first = Row {
            owner: Some(id(7)),
            ..due(1, 10)
        };
        tx.insert("kind", &first)?;
        assert_eq!(tx.get("kind", &id(1))?.as_ref(), Some(&first));
        assert_eq!(tx.count_children("kind", &id(7))?, 1);
        let second = next(&first, 2);
        tx.update("kind", &second)?;
        assert_eq!(tx.peek("kind", &id(1))?.as_ref(), Some(&second));
        tx.update(
            "kind",
            &Row {
                owner: Some(id(8)),
                ..next(&second, 3)
            },
        )?;
        assert_eq!(tx.children("kind", &id(7), Page::ALL)?, []);
        assert_eq!(tx.children("kind", &id(8), Page::ALL)?.len(), 1);
        assert_eq!(tx.due("kind", Timestamp::from_millis(10), 9)?.len(), 1);
        assert_eq!(tx.count("kind")?, 2);
        assert_eq!(tx.scan(None, 9)?.len(), 2);
        assert!(tx.remove("kind", &id(1))?);
        assert_eq!(tx.get("kind", &id(1))?, None);
        tx.insert("kind", &row(1))?;
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(store.row("kind", id(1)).await.unwrap(), Some(row(1)));
}

pub(crate) async fn counts_and_removes_the_rows_of_an_owner(store: &Db) {
    insert(
        store,
        "kind",
        (0..10).map(|n| child(n, 100 + n % 2, 0)).collect(),
    )
    .await;
    insert(store, "other", vec![child(1, 100, 0)]).await;
    insert(store, "kind", vec![row(50)]).await;
    let counts = |store| {
        read(store, |tx| {
            Ok([
                tx.count_children("kind", &id(100))?,
                tx.count_children("kind", &id(101))?,
                tx.count_children("other", &id(100))?,
                tx.count("kind")?,
            ])
        })
    };
    assert_eq!(counts(store).await.unwrap(), [5, 5, 1, 11]);
    let removed = write(store, |tx| tx.remove_children("kind", &id(100)));
    assert_eq!(removed.await.unwrap(), 5);
    assert_eq!(counts(store).await.unwrap(), [0, 5, 1, 6]);
}

pub(crate) async fn keeps_large_bodies(store: &Db) {
    let body: Vec<u8> = (0..2 * 1024 * 1024_u32)
        .map(|n| n.wrapping_mul(31).to_le_bytes()[1])
        .collect();
    let large = Row { body, ..row(1) };
    insert(store, "kind", vec![large.clone()]).await;
    assert_eq!(
        store.row("kind", id(1)).await.unwrap().as_ref(),
        Some(&large)
    );
    let changed = Row {
        version: 2,
        body: [&large.body[..], b"!"].concat(),
        ..large
    };
    let update = changed.clone();
    write(store, move |tx| tx.update("kind", &update))
        .await
        .unwrap();
    let seen = read(store, |tx| tx.peek("kind", &id(1)));
    assert_eq!(seen.await.unwrap(), Some(changed));
}

pub(crate) async fn counts_kinds(store: &Db) {
    assert_eq!(store.count_kinds().await.unwrap(), []);
    insert(store, "b", vec![row(1), row(2)]).await;
    insert(store, "a", vec![row(1)]).await;
    let counts = store.count_kinds().await.unwrap();
    assert_eq!(counts, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
}
