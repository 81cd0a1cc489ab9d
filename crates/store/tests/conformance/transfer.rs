//! Whole databases carried over: equal afterwards, in every column, and taken up where they were left.

use std::sync::Arc;

use domain::Timestamp;
use domain::port::Store;
use domain::port::store::Row;
use store::transfer::{
    Archive, Changes, Mark, StoreSource, digest, marks, set_mark, sync, unset_mark, write_archive,
};

use crate::fixture::{Db, child, due, id, insert, memory, row, write};

/// Rows of every shape, more than a page and more than a batch.
async fn fill(store: &Db, rows: u64) {
    for start in (0..rows).step_by(500) {
        let some: Vec<Row> = (start..rows.min(start + 500))
            .map(|number| Row {
                version: 1 + number % 3,
                body: vec![
                    u8::try_from(number % 251).unwrap();
                    usize::try_from(number % 90).unwrap()
                ],
                ..child(number, number / 10, i64::try_from(number).unwrap() - 500)
            })
            .collect();
        insert(store, "many", some).await;
    }
    insert(
        store,
        "due",
        vec![due(1, -5), due(2, i64::MAX), row(u64::MAX)],
    )
    .await;
    let large = Row {
        body: vec![7; 9 << 20],
        ..row(3)
    };
    insert(store, "large", vec![large]).await;
    let never = Row {
        due: Some(Timestamp::NEVER),
        rank: i64::MIN,
        ..row(4)
    };
    insert(store, "zz", vec![never]).await;
}

fn plain(store: &Db) -> Arc<dyn Store> {
    Arc::clone(store) as Arc<dyn Store>
}

async fn carry(from: &Db, to: &Db) -> Changes {
    let mut source = StoreSource::new(plain(from));
    let changes = sync(&mut source, &plain(to), &mut |_| {}).await.unwrap();
    let ours = digest(&mut StoreSource::new(plain(from))).await.unwrap();
    let theirs = digest(&mut StoreSource::new(plain(to))).await.unwrap();
    assert_eq!(ours, theirs);
    changes
}

pub(crate) async fn a_copy_is_equal_and_a_second_one_carries_what_changed(store: &Db) {
    let other = memory();
    fill(store, 1_203).await;
    for (from, to) in [(store, &other.store), (&other.store, store)] {
        let changes = carry(from, to).await;
        assert_eq!(changes.seen(), 1_208);
        let first = if Arc::ptr_eq(from, store) { 1_208 } else { 0 };
        assert_eq!((changes.added, changes.changed()), (first, first));
    }
    // Gone, new, replaced, and moved to another place in the same version.
    write(store, |tx| {
        tx.remove("many", &id(17))?;
        tx.insert("many", &row(9_000))?;
        tx.remove("many", &id(700))?;
        tx.insert("many", &row(700))?;
        tx.remove("due", &id(1))?;
        tx.insert("due", &due(1, 77))
    })
    .await
    .unwrap();
    let changes = carry(store, &other.store).await;
    assert_eq!(
        (changes.added, changes.removed, changes.replaced),
        (1, 1, 2)
    );
    assert_eq!(carry(store, &other.store).await.changed(), 0);
}

pub(crate) async fn an_archive_gives_back_every_column(store: &Db) {
    fill(store, 450).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup");
    let written = write_archive(store.as_ref(), &path, "{\"made\":\"today\"}")
        .await
        .unwrap();
    assert_eq!(written.digest.rows(), 455);
    assert_eq!(written.digest.kinds["many"], 450);
    let again = write_archive(store.as_ref(), &path, "{}").await;
    assert!(domain::error::chain(&again.unwrap_err()).contains("exists already"));
    let archive = Archive::open(&path).unwrap();
    assert_eq!(archive.info, written);
    let other = memory();
    let mut rows = archive.rows().unwrap();
    sync(&mut rows, &plain(&other.store), &mut |_| {})
        .await
        .unwrap();
    let there = digest(&mut StoreSource::new(plain(&other.store)))
        .await
        .unwrap();
    assert_eq!(there, written.digest);
    assert_eq!(carry(store, &other.store).await.changed(), 0);
}

pub(crate) async fn an_archive_that_is_not_whole_is_refused(store: &Db) {
    fill(store, 30).await;
    write(store, |tx| tx.remove("large", &id(3))).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup");
    let header = "{}";
    write_archive(store.as_ref(), &path, header).await.unwrap();
    let sound = std::fs::read(&path).unwrap();
    let rows = sound.iter().position(|byte| *byte == b'\n').unwrap() + 1 + header.len() + 1;
    let bad = folder.path().join("bad");
    let opens = |bytes: &[u8]| {
        std::fs::write(&bad, bytes).unwrap();
        Archive::open(&bad).is_ok()
    };
    assert!(opens(&sound));
    for at in 0..sound.len() {
        assert!(!opens(&sound[..at]), "cut at {at}");
        if at < rows - header.len() - 1 || at >= rows {
            let mut flipped = sound.clone();
            flipped[at] ^= 0x10;
            assert!(!opens(&flipped), "flipped at {at}");
        }
    }
    let longer = [&sound[..], b"x"].concat();
    assert!(!opens(&longer), "something behind the end");
}

pub(crate) async fn marks_are_told_and_never_carried(store: &Db) {
    assert_eq!(marks(store.as_ref()).await.unwrap(), <_>::default());
    insert(store, "server", vec![row(1)]).await;
    for mark in [Mark::Unfinished, Mark::Moved, Mark::Restored] {
        set_mark(store.as_ref(), mark, "once").await.unwrap();
        set_mark(store.as_ref(), mark, "twice").await.unwrap();
    }
    let found = marks(store.as_ref()).await.unwrap();
    let twice = Some("twice".to_owned());
    assert_eq!(
        (&found.unfinished, &found.moved, &found.restored),
        (&twice, &twice, &twice)
    );
    let other = memory();
    set_mark(other.store.as_ref(), Mark::Unfinished, "theirs")
        .await
        .unwrap();
    assert_eq!(carry(store, &other.store).await.seen(), 1);
    let theirs = marks(other.store.as_ref()).await.unwrap();
    assert_eq!(
        (theirs.unfinished.as_deref(), theirs.moved),
        (Some("theirs"), None)
    );
    unset_mark(store.as_ref(), Mark::Moved).await.unwrap();
    unset_mark(store.as_ref(), Mark::Moved).await.unwrap();
    let found = marks(store.as_ref()).await.unwrap();
    assert_eq!((found.moved, found.restored), (None, twice));
}

pub(crate) async fn tells_its_clock_if_it_has_one(store: &Db) {
    let told = store.clock().await.unwrap();
    assert_eq!(told.is_some(), store.engine() == "postgres");
    // The database runs on this machine.
    if let Some(told) = told {
        let made = std::fs::metadata(tempfile::NamedTempFile::new().unwrap().path())
            .unwrap()
            .modified()
            .unwrap();
        let since = made
            .duration_since(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
        let now = i64::try_from(since.as_millis()).unwrap();
        assert!((told.millis() - now).abs() < 60_000);
    }
}
