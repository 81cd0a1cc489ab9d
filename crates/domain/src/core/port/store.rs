//! Durable rows and transactions over them: the one thing every backend must do, and nothing more.
//!
//! A backend knows five columns and no concept: what a row means, and what is in it, is sealed
//! (`crate::core::rows`). So a stolen database tells nothing, and a backend is one small module.
//!
//! A transaction is a *synchronous* closure. It cannot await, so nothing slow or remote can happen
//! inside it; it cannot be dropped half-way by a caller who hangs up; the backend may run it again
//! after a conflict, and may commit many of them with one flush.

use async_trait::async_trait;

use crate::core::error::Error;
use crate::core::time::Timestamp;

/// What kind of row: the name of the concept.
pub type Kind = &'static str;

/// A row's id: random, or the blind index of a name. Tells nothing without the index key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RowId(pub [u8; 16]);

impl RowId {
    /// The short form that logs and the audit trail show, where the whole id is itself a secret.
    pub(crate) fn alias(&self) -> String {
        hex::encode(&self.0[..8])
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: RowId,
    /// The row this one belongs to, for listing and for removing together.
    pub owner: Option<RowId>,
    /// Order among the rows of one owner, ties by id.
    pub rank: i64,
    /// When a job must look at the row: its expiry, or its next turn.
    pub due: Option<Timestamp>,
    /// 1 at creation, one more at every change.
    pub version: u64,
    /// Sealed content.
    pub body: Vec<u8>,
}

/// A row with its kind, for moving a whole database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyRow {
    pub kind: String,
    pub row: Row,
}

/// Which part of an owner's rows, in order of (rank, id).
#[derive(Clone, Copy, Debug)]
pub struct Page {
    pub order: Order,
    /// Only rows behind this one, in the order asked for.
    pub after: Option<(i64, RowId)>,
    pub limit: usize,
}

impl Page {
    /// Everything, oldest rank first.
    pub const ALL: Self = Self {
        order: Order::Ascending,
        after: None,
        limit: 100_000,
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

/// Why a transaction stops without being committed.
#[derive(Debug)]
pub enum Stop {
    /// Somebody else changed the same rows first: run the closure again.
    Again,
    /// Give up with this error; nothing is changed.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

pub type TxResult<T> = Result<T, Stop>;

/// One transaction.
pub trait Tx {
    /// Reads a row and holds it until the end, so that what is decided from it stays true.
    fn get(&mut self, kind: Kind, id: &RowId) -> TxResult<Option<Row>>;

    /// Reads a row without holding it: for what never changes, or does not matter if it does.
    fn peek(&mut self, kind: Kind, id: &RowId) -> TxResult<Option<Row>>;

    /// Adds a row. `Stop::Again` if one of that id exists: the rerun will read it.
    fn insert(&mut self, kind: Kind, row: &Row) -> TxResult<()>;

    /// Replaces the row whose version is `row.version - 1`. `Stop::Again` if that is not its version.
    fn update(&mut self, kind: Kind, row: &Row) -> TxResult<()>;

    /// Removes a row; whether there was one. Of parallel removals exactly one is told `true`.
    fn remove(&mut self, kind: Kind, id: &RowId) -> TxResult<bool>;

    /// The rows of an owner.
    fn children(&mut self, kind: Kind, owner: &RowId, page: Page) -> TxResult<Vec<Row>>;

    fn count_children(&mut self, kind: Kind, owner: &RowId) -> TxResult<u64>;

    /// Removes all rows of an owner; how many.
    fn remove_children(&mut self, kind: Kind, owner: &RowId) -> TxResult<u64>;

    /// Rows due at or before `now`, earliest first, held until the end; rows that another
    /// transaction holds are passed over.
    fn due(&mut self, kind: Kind, now: Timestamp, limit: usize) -> TxResult<Vec<Row>>;

    /// Removes rows due at or before `now`; how many, at most `limit`.
    fn remove_due(&mut self, kind: Kind, now: Timestamp, limit: usize) -> TxResult<u64>;

    fn count(&mut self, kind: Kind) -> TxResult<u64>;

    /// All rows in the order of (kind, id), behind `after`: for moving and checking a whole database.
    fn scan(&mut self, after: Option<(&str, RowId)>, limit: usize) -> TxResult<Vec<AnyRow>>;
}

/// A transaction's body. Runs one or more times; only the effects of the last run are kept.
pub type Job = Box<dyn FnMut(&mut dyn Tx) -> TxResult<()> + Send>;

/// A database.
#[async_trait]
pub trait Store: Send + Sync {
    /// Runs `job` in a transaction and commits it durably before returning `Ok`.
    /// Conflicts are retried within a bounded time, then `Error::Unavailable`.
    async fn write(&self, job: Job) -> Result<(), Error>;

    /// Runs `job` on a consistent view of what is committed, on the primary. It must not write.
    async fn read(&self, job: Job) -> Result<(), Error>;

    /// Reads one committed row: the fast way for a call that needs just one.
    async fn row(&self, kind: Kind, id: RowId) -> Result<Option<Row>, Error>;

    /// Whether a write would succeed now.
    async fn ready(&self) -> Result<(), Error>;
}
