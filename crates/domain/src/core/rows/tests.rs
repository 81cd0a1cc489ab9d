use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::*;
use crate::core::port::store::AnyRow;
use crate::core::record::{OnRollback, WhenDue};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note(String);

impl Record for Note {
    const KIND: Kind = "note";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// The same content under another kind.
#[derive(Debug, Serialize, Deserialize)]
struct Memo(String);

impl Record for Memo {
    const KIND: Kind = "memo";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// Each draw has another number.
#[derive(Default)]
struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, out: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (byte, drawn) in out.iter_mut().zip(number.iter().rev().cycle()) {
            *byte = *drawn;
        }
    }
}

/// Roots of two versions that seal by putting the version and the associated data before the content.
struct TestRoots {
    current: u32,
}

fn sealed(version: u32, aad: &[u8], plain: &[u8]) -> Vec<u8> {
    [&version.to_be_bytes()[..], aad, plain].concat()
}

impl Roots for TestRoots {
    fn current(&self, _root: Root) -> u32 {
        self.current
    }

    fn seal(&self, _root: Root, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(sealed(self.current, aad, plain))
    }

    fn rewrap(&self, root: Root, aad: &[u8], body: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let plain = self.open(root, aad, body)?;
        let fresh = sealed(self.current, aad, &plain);
        Ok((fresh != body).then_some(fresh))
    }

    fn open(&self, _root: Root, aad: &[u8], body: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let plain = body.get(4..).and_then(|rest| rest.strip_prefix(aad));
        let plain = plain.ok_or_else(|| Error::bug("sealed for something else"))?;
        Ok(Zeroizing::new(plain.to_vec()))
    }

    fn prf(&self, _root: Root, _version: u32, parts: &[&[u8]]) -> Result<Key, Error> {
        Ok(Key::new(crypto::mac::tag(&Key::new([1; 32]), parts)))
    }
}

/// The rows of a transaction, without those operations that listing needs.
#[derive(Default)]
struct MemoryTx(BTreeMap<(Kind, RowId), Row>);

impl Tx for MemoryTx {
    fn get(&mut self, kind: Kind, id: &RowId) -> TxResult<Option<Row>> {
        self.peek(kind, id)
    }

    fn peek(&mut self, kind: Kind, id: &RowId) -> TxResult<Option<Row>> {
        Ok(self.0.get(&(kind, *id)).cloned())
    }

    fn insert(&mut self, kind: Kind, row: &Row) -> TxResult<()> {
        match self.0.insert((kind, row.id), row.clone()) {
            None => Ok(()),
            Some(_) => Err(Stop::Again),
        }
    }

    fn update(&mut self, kind: Kind, row: &Row) -> TxResult<()> {
        match self.0.get_mut(&(kind, row.id)) {
            Some(known) if known.version + 1 == row.version => {
                known.clone_from(row);
                Ok(())
            }
            _ => Err(Stop::Again),
        }
    }

    fn remove(&mut self, kind: Kind, id: &RowId) -> TxResult<bool> {
        Ok(self.0.remove(&(kind, *id)).is_some())
    }

    fn children(&mut self, _: Kind, _: &RowId, _: Page) -> TxResult<Vec<Row>> {
        unimplemented!("no test lists rows")
    }

    fn count_children(&mut self, _: Kind, _: &RowId) -> TxResult<u64> {
        unimplemented!("no test lists rows")
    }

    fn remove_children(&mut self, _: Kind, _: &RowId) -> TxResult<u64> {
        unimplemented!("no test lists rows")
    }

    fn due(&mut self, _: Kind, _: Timestamp, _: usize) -> TxResult<Vec<Row>> {
        unimplemented!("no test lists rows")
    }

    fn remove_due(&mut self, _: Kind, _: Timestamp, _: usize) -> TxResult<u64> {
        unimplemented!("no test lists rows")
    }

    fn count(&mut self, _: Kind) -> TxResult<u64> {
        unimplemented!("no test lists rows")
    }

    fn scan(&mut self, _: Option<(&str, RowId)>, _: usize) -> TxResult<Vec<AnyRow>> {
        unimplemented!("no test lists rows")
    }
}

const SCOPE: Scope = Scope(RowId([5; 16]));

fn rows_of(current: u32) -> Rows {
    Rows::new(Arc::new(TestRoots { current }), Arc::<Counting>::default()).unwrap()
}

fn place() -> Place {
    Place::at(RowId([1; 16]))
        .of(RowId([2; 16]))
        .ranked(7)
        .due(Timestamp::from_millis(9))
}

/// A note that is stored, and the transaction that holds it.
fn stored(rows: &Rows) -> (MemoryTx, Stored<Note>) {
    let mut tx = MemoryTx::default();
    let note = Note("hello".to_owned());
    let stored = rows.create(&mut tx, SCOPE, place(), note).unwrap();
    (tx, stored)
}

fn bug<T: std::fmt::Debug>(found: TxResult<T>) -> String {
    match found {
        Err(Stop::Failed(Error::Bug(source))) => source.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_comes_back_with_its_place_and_its_first_version() {
    let rows = rows_of(1);
    let (mut tx, created) = stored(&rows);
    let found = rows
        .get::<Note>(&mut tx, created.key())
        .unwrap()
        .expect("it was created");
    assert_eq!(found.value, Note("hello".to_owned()));
    assert_eq!((found.version(), found.scope()), (1, SCOPE));
    let place = found.place;
    assert_eq!(
        (place.id, place.owner, place.rank, place.due),
        (
            RowId([1; 16]),
            Some(RowId([2; 16])),
            7,
            Some(Timestamp::from_millis(9))
        )
    );
    let absent = rows.peek::<Note>(&mut tx, Id::new(RowId([9; 16]))).unwrap();
    assert!(absent.is_none());
}

#[test]
fn a_row_whose_columns_or_content_were_changed_does_not_open() {
    let changes: [fn(&mut Row); 8] = [
        |row| row.id = RowId([3; 16]),
        |row| row.owner = None,
        |row| row.owner = Some(RowId([3; 16])),
        |row| row.rank += 1,
        |row| row.due = None,
        |row| row.due = Some(Timestamp::from_millis(10)),
        |row| row.version += 1,
        |row| *row.body.last_mut().unwrap() ^= 1,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let rows = rows_of(1);
        let (mut tx, _) = stored(&rows);
        let mut row = tx.0[&("note", RowId([1; 16]))].clone();
        change(&mut row);
        let why = bug(rows.open_in::<Note>(&mut tx, &row));
        assert!(
            why.contains("kind note was changed outside"),
            "{number}: {why}"
        );
    }
}

#[test]
fn a_row_that_was_moved_to_another_kind_or_scope_does_not_open() {
    let rows = rows_of(1);
    let (mut tx, _) = stored(&rows);
    let row = tx.0[&("note", RowId([1; 16]))].clone();
    let why = bug(rows.open_in::<Memo>(&mut tx, &row));
    assert!(why.contains("kind memo was changed outside"), "{why}");
    // A scope that is there as well, with a key of its own.
    let other = Scope(RowId([6; 16]));
    let place = Place::at(RowId([8; 16]));
    rows.create(&mut tx, other, place, Note(String::new()))
        .unwrap();
    let mut moved = row;
    moved.body[1..17].copy_from_slice(&other.0.0);
    let why = bug(rows.open_in::<Note>(&mut tx, &moved));
    assert!(why.contains("changed outside"), "{why}");
}

#[test]
fn a_body_of_another_format_or_too_short_is_a_bug() {
    let rows = rows_of(1);
    let (mut tx, _) = stored(&rows);
    let row = tx.0[&("note", RowId([1; 16]))].clone();
    let mut newer = row.clone();
    newer.body[0] = FORMAT + 1;
    let mut short = row;
    short.body.truncate(16);
    for row in [newer, short] {
        let why = bug(rows.open_in::<Note>(&mut tx, &row));
        assert!(why.contains("unknown format"), "{why}");
    }
}

#[test]
fn of_two_who_save_the_same_version_the_second_runs_again() {
    let rows = rows_of(1);
    let (mut tx, mut first) = stored(&rows);
    let mut second = first.clone();
    first.value.0.push('1');
    rows.put(&mut tx, &mut first).unwrap();
    assert_eq!(first.version(), 2);
    second.value.0.push('2');
    assert!(matches!(rows.put(&mut tx, &mut second), Err(Stop::Again)));
    let kept = rows.get::<Note>(&mut tx, first.key()).unwrap();
    assert_eq!(kept.map(|kept| kept.value.0), Some("hello1".to_owned()));
}

#[test]
fn a_blank_record_is_added_when_it_is_saved() {
    let rows = rows_of(1);
    let (mut tx, _) = stored(&rows);
    let place = Place::at(RowId([4; 16]));
    let mut blank = Rows::blank(SCOPE, place, Note("new".to_owned()));
    assert_eq!(blank.version(), 0);
    rows.put(&mut tx, &mut blank).unwrap();
    let found = rows.get::<Note>(&mut tx, blank.key()).unwrap();
    assert_eq!(found.map(|found| found.version()), Some(1));
}

#[test]
fn a_record_is_taken_once() {
    let rows = rows_of(1);
    let (mut tx, created) = stored(&rows);
    assert!(rows.take::<Note>(&mut tx, created.key()).unwrap().is_some());
    assert!(rows.take::<Note>(&mut tx, created.key()).unwrap().is_none());
}

#[test]
fn what_is_left_of_a_shredded_scope_cannot_be_read_or_saved() {
    let rows = rows_of(1);
    let (mut tx, mut created) = stored(&rows);
    rows.shred(&mut tx, SCOPE).unwrap();
    let found = rows.get::<Note>(&mut tx, created.key());
    assert!(
        matches!(found, Err(Stop::Again)),
        "it may be removed by now"
    );
    let saved = rows.put(&mut tx, &mut created);
    assert!(matches!(saved, Err(Stop::Again)), "{saved:?}");
}

#[test]
fn names_lead_to_one_row_each() {
    let rows = rows_of(1);
    let name = rows.named::<Note>(&[b"ab", b"c"]);
    assert_eq!(name, rows.named::<Note>(&[b"ab", b"c"]));
    assert_eq!(name.row(), rows.id("note", &[b"ab", b"c"]));
    for other in [
        &[b"a".as_slice(), b"bc"][..],
        &[b"abc"],
        &[b"ab", b"c", b""],
    ] {
        assert_ne!(rows.named::<Note>(other), name, "{other:?}");
    }
    assert_ne!(rows.named::<Memo>(&[b"ab", b"c"]).row(), name.row());
    assert_ne!(rows.random_id(), rows.random_id());
}

#[test]
fn a_data_key_is_sealed_anew_once_and_opens_the_same_records() {
    let (mut tx, created) = stored(&rows_of(1));
    let newer = rows_of(2);
    let row = |tx: &MemoryTx| tx.0[&(DATA_KEY, SCOPE.0)].clone();
    let old = row(&tx);
    assert!(newer.rewrap(&mut tx, &old).unwrap());
    let fresh = row(&tx);
    assert_eq!(fresh.version, old.version + 1);
    assert_ne!(fresh.body, old.body);
    assert!(!newer.rewrap(&mut tx, &fresh).unwrap(), "nothing is older");
    let found = newer.get::<Note>(&mut tx, created.key()).unwrap();
    assert_eq!(found.map(|found| found.value), Some(created.value));
}

#[test]
fn a_data_key_without_a_version_left_is_not_sealed_anew() {
    let (mut tx, _) = stored(&rows_of(1));
    let row = tx.0[&(DATA_KEY, SCOPE.0)].clone();
    for version in [u64::MAX, i64::MAX.unsigned_abs()] {
        let used_up = Row {
            version,
            ..row.clone()
        };
        let why = bug(rows_of(2).rewrap(&mut tx, &used_up));
        assert!(why.contains("used up its versions"), "{why}");
    }
}
