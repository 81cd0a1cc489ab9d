//! What comes in an order: pages, due rows, scans.

use domain::Timestamp;
use domain::port::store::{Order, Page, Row, RowId};

use crate::fixture::{Db, child, due, id, insert, read, row, write};

pub(crate) async fn pages_without_gaps_in_both_orders(store: &Db) {
    // Many rows of equal rank, so that pages end inside a rank.
    let mut rows: Vec<Row> = (0..60)
        .map(|n: u64| child(n * 7 % 60, 1, i64::try_from(n % 3).unwrap() - 1))
        .collect();
    insert(store, "kind", rows.clone()).await;
    insert(store, "kind", vec![child(1_000, 2, 0), row(1_001)]).await;
    rows.sort_by_key(|row| (row.rank, row.id));
    assert_eq!(all(store, Order::Ascending, 7).await, rows);
    assert_eq!(all(store, Order::Ascending, 100).await, rows);
    rows.reverse();
    assert_eq!(all(store, Order::Descending, 7).await, rows);
    assert_eq!(all(store, Order::Descending, 20).await, rows);
}

async fn all(store: &Db, order: Order, limit: usize) -> Vec<Row> {
    let mut seen: Vec<Row> = Vec::new();
    loop {
        let after: Option<(i64, RowId)> = seen.last().map(|row| (row.rank, row.id));
        let page = Page {
            order,
            after,
            limit,
        };
        let rows = read(store, move |tx| tx.children("kind", &id(1), page))
            .await
            .unwrap();
        assert!(rows.len() <= limit);
        if rows.is_empty() {
            return seen;
        }
        seen.extend(rows);
    }
}

pub(crate) async fn a_page_has_its_limit(store: &Db) {
    insert(store, "kind", (0..5).map(|n| child(n, 1, 0)).collect()).await;
    for limit in [0, 1, 4, 5, 6, usize::MAX] {
        let page = Page { limit, ..Page::ALL };
        let rows = read(store, move |tx| tx.children("kind", &id(1), page))
            .await
            .unwrap();
        assert_eq!(rows.len(), limit.min(5));
    }
}

pub(crate) async fn due_rows_come_earliest_first(store: &Db) {
    let times = [30, 10, 20, 10, -5, 40];
    let rows = times.iter().zip(0..).map(|(at, number)| due(number, *at));
    insert(store, "kind", rows.chain([row(9)]).collect()).await;
    insert(store, "other", vec![due(1, 0)]).await;
    let due = |now, limit| async move {
        let job = write(store, move |tx| {
            tx.due("kind", Timestamp::from_millis(now), limit)
        });
        job.await
            .unwrap()
            .iter()
            .map(|row| u64::from(row.id.0[15]))
            .collect::<Vec<_>>()
    };
    assert_eq!(due(-6, 9).await, [] as [u64; 0]);
    assert_eq!(due(-5, 9).await, [4], "due at the very moment");
    assert_eq!(due(30, 9).await, [4, 1, 3, 2, 0]);
    assert_eq!(due(i64::MAX, 3).await, [4, 1, 3]);
    let read = read(store, move |tx| {
        tx.due("kind", Timestamp::from_millis(10), 9)
    });
    assert_eq!(read.await.unwrap().len(), 3);
}

pub(crate) async fn removes_due_rows_up_to_the_limit(store: &Db) {
    insert(
        store,
        "kind",
        (0..25).map(|n| due(n, i64::try_from(n).unwrap())).collect(),
    )
    .await;
    insert(store, "kind", vec![row(100)]).await;
    insert(store, "other", vec![due(1, 0)]).await;
    let remove = |now, limit| async move {
        let job = write(store, move |tx| {
            tx.remove_due("kind", Timestamp::from_millis(now), limit)
        });
        job.await.unwrap()
    };
    assert_eq!(remove(19, 8).await, 8);
    assert_eq!(
        store.row("kind", id(7)).await.unwrap(),
        None,
        "the earliest go first"
    );
    assert!(store.row("kind", id(8)).await.unwrap().is_some());
    assert_eq!(remove(19, 8).await, 8);
    assert_eq!(remove(19, 8).await, 4);
    assert_eq!(remove(19, 8).await, 0);
    let left = read(store, |tx| Ok((tx.count("kind")?, tx.count("other")?)))
        .await
        .unwrap();
    assert_eq!(left, (6, 1));
}

pub(crate) async fn a_scan_covers_everything_in_order(store: &Db) {
    for kind in ["b", "a", "ab", "B"] {
        insert(store, kind, (0..5).map(|n| child(n, 1, 3)).collect()).await;
    }
    for limit in [1, 3, 5, 100] {
        let mut seen: Vec<(String, RowId)> = Vec::new();
        loop {
            let after = seen.last().cloned();
            let page = read(store, move |tx| {
                tx.scan(after.as_ref().map(|(kind, id)| (kind.as_str(), *id)), limit)
            });
            let page = page.await.unwrap();
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= limit);
            assert!(
                page.iter()
                    .all(|any| any.row.rank == 3 && any.row.owner == Some(id(1)))
            );
            seen.extend(page.into_iter().map(|any| (any.kind, any.row.id)));
        }
        let kinds = ["B", "a", "ab", "b"];
        let expected = kinds
            .iter()
            .flat_map(|kind| (0..5).map(|n| ((*kind).to_owned(), id(n))));
        assert_eq!(seen, expected.collect::<Vec<_>>());
    }
}
