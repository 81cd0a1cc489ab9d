use domain::port::store::{Row, RowId, Store};
use std::sync::{Arc, Mutex};
use store::{SqliteOptions, SqliteStore};

fn row(n: u8) -> Row {
    Row {
        id: RowId([n; 16]),
        owner: None,
        rank: 0,
        due: None,
        version: 1,
        body: vec![n],
    }
}

async fn smoke(store: &dyn Store) {
    store
        .write(Box::new(|tx| tx.insert("k", &row(1))))
        .await
        .unwrap();
    assert_eq!(store.row("k", RowId([1; 16])).await.unwrap(), Some(row(1)));
    let seen = Arc::new(Mutex::new(None));
    let out = Arc::clone(&seen);
    store
        .read(Box::new(move |tx| {
            *out.lock().unwrap() = tx.peek("k", &RowId([1; 16]))?;
            Ok(())
        }))
        .await
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), Some(row(1)));
    store.ready().await.unwrap();
}

#[tokio::test]
async fn memory() {
    smoke(&SqliteStore::in_memory().unwrap()).await;
}
#[tokio::test]
async fn file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b.db");
    let store = SqliteStore::open(&path, &SqliteOptions::default()).unwrap();
    smoke(&store).await;
    drop(store);
    let store = SqliteStore::open(&path, &SqliteOptions::default()).unwrap();
    assert_eq!(store.row("k", RowId([1; 16])).await.unwrap(), Some(row(1)));
}
