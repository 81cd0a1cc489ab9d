//! Marks on a database that no server may use, or only after a check.
//!
//! They are plain rows. Somebody who can write to the database can set or remove a mark, but gains nothing except
//! that a server does not start. They are never copied.

use std::sync::{Arc, Mutex, PoisonError};

use domain::Error;
use domain::port::Store;
use domain::port::store::{AnyRow, Kind, Row, RowId, Tx};

const KIND: Kind = "server";

/// Why a server must not simply use a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A copy into it is not complete.
    Unfinished,
    /// It was moved away, so it is no longer the newest.
    Moved,
    /// It came from a backup, so it may lack recent changes.
    Restored,
}

/// The marks of a database, each with its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub unfinished: Option<String>,
    pub moved: Option<String>,
    pub restored: Option<String>,
}

impl Mark {
    const ALL: [Self; 3] = [Self::Unfinished, Self::Moved, Self::Restored];

    const fn id(self) -> RowId {
        RowId(match self {
            Self::Unfinished => *b"copy unfinished.",
            Self::Moved => *b"data moved away.",
            Self::Restored => *b"data is restored",
        })
    }
}

pub(super) fn is_mark(row: &AnyRow) -> bool {
    row.kind == KIND && Mark::ALL.iter().any(|mark| mark.id() == row.row.id)
}

/// Reads the marks.
pub async fn marks(store: &dyn Store) -> Result<Marks, Error> {
    let slot: Arc<Mutex<Marks>> = Arc::default();
    let filled = Arc::clone(&slot);
    let job = move |tx: &mut dyn Tx| {
        let mut text = |mark: Mark| -> domain::port::store::TxResult<Option<String>> {
            let row = tx.peek(KIND, &mark.id())?;
            Ok(row.map(|row| String::from_utf8_lossy(&row.body).into_owned()))
        };
        let found = Marks {
            unfinished: text(Mark::Unfinished)?,
            moved: text(Mark::Moved)?,
            restored: text(Mark::Restored)?,
        };
        *filled.lock().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(())
    };
    store.read(Box::new(job)).await?;
    let marks = std::mem::take(&mut *slot.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(marks)
}

/// Sets a mark with this text, or replaces its text.
pub async fn set_mark(store: &dyn Store, mark: Mark, text: &str) -> Result<(), Error> {
    let body = text.as_bytes().to_vec();
    let job = move |tx: &mut dyn Tx| {
        tx.remove(KIND, &mark.id())?;
        let row = Row {
            id: mark.id(),
            owner: None,
            rank: 0,
            due: None,
            version: 1,
            body: body.clone(),
        };
        tx.insert(KIND, &row)
    };
    store.write(Box::new(job)).await
}

/// Removes a mark, if it exists.
pub async fn unset_mark(store: &dyn Store, mark: Mark) -> Result<(), Error> {
    let job = move |tx: &mut dyn Tx| tx.remove(KIND, &mark.id()).map(|_| ());
    store.write(Box::new(job)).await
}
