//! The port's transaction over one PostgreSQL connection.
//!
//! Changes wait in a buffer and are sent with the next query or with `COMMIT`, so that most transactions take two
//! round trips: the first query, then the changes with `COMMIT`. Therefore a change that does not find what it
//! expects must make the transaction fail by itself: a second row with the same id violates the key, and an update
//! or removal that changes no row divides by zero.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use domain::port::store::{AnyRow, Kind, Order, Page, Row, RowId, Stop, Tx, TxResult};
use domain::{Error, Timestamp};
use tokio::runtime::Handle;

use super::fault::{self, Fault};
use super::pipeline::{Line, Reply, Step, Value};
use super::run::{LOCK_WITHIN, lock_timeout};
use crate::failure;

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    Read,
}

pub(super) struct PgTx<'c> {
    line: &'c Line,
    runtime: &'c Handle,
    access: Access,
    limit: Duration,
    /// Sent before anything else.
    begin: Vec<Step>,
    waiting: Vec<Step>,
    wrote: bool,
    /// Rows that exist and are locked by this transaction, so that a change of them cannot fail.
    held: HashSet<(Kind, RowId)>,
    locks: Locks,
    fault: Option<Fault>,
}

/// The rows that a closure has locked in its runs so far. Two transactions that lock the same rows in different
/// orders block each other, so a rerun first locks these rows in a fixed order.
pub(super) type Locks = BTreeSet<(Kind, RowId)>;

const MOST_LOCKS: usize = 256;

/// What remains to be done after the closure has returned.
pub(super) struct Rest {
    pub(super) steps: Vec<Step>,
    /// Whether anything of this transaction was sent to the server.
    pub(super) begun: bool,
    pub(super) wrote: bool,
    pub(super) locks: Locks,
    pub(super) fault: Option<Fault>,
}

impl<'c> PgTx<'c> {
    pub(super) fn new(
        line: &'c Line,
        runtime: &'c Handle,
        access: Access,
        begin: String,
        locks: Locks,
        limit: Duration,
    ) -> Self {
        let begin = match access {
            Access::Read => vec![Step::Batch(begin)],
            Access::Write if locks.is_empty() => {
                vec![Step::Batch(begin + "; " + &lock_timeout(LOCK_WITHIN))]
            }
            Access::Write => std::iter::once(Step::Batch(begin))
                .chain(
                    locks
                        .iter()
                        .map(|(kind, id)| Step::Read(LOCK, vec![text(kind), bytes(id)])),
                )
                .chain([Step::Batch(lock_timeout(LOCK_WITHIN))])
                .collect(),
        };
        Self {
            line,
            runtime,
            access,
            limit,
            begin,
            waiting: Vec::new(),
            wrote: false,
            held: HashSet::new(),
            locks,
            fault: None,
        }
    }

    pub(super) fn rest(self) -> Rest {
        let begun = self.begin.is_empty();
        let steps = self.begin.into_iter().chain(self.waiting).collect();
        Rest {
            steps,
            begun,
            wrote: self.wrote,
            locks: self.locks,
            fault: self.fault,
        }
    }

    /// Sends the waiting changes and `step`. Returns the answer to `step`.
    fn ask(&mut self, step: Step) -> TxResult<Reply> {
        if self.fault.is_some() {
            return Err(Stop::Again);
        }
        let mut steps = std::mem::take(&mut self.begin);
        steps.append(&mut self.waiting);
        steps.push(step);
        match self.runtime.block_on(self.line.send(&steps, self.limit)) {
            Ok(mut replies) => Ok(replies.pop().unwrap_or(Reply::Nothing)),
            Err(broken) => Err(self.fail(fault::of(broken))),
        }
    }

    /// Remembers the failure. What the closure returns does not matter any more.
    fn fail(&mut self, fault: Fault) -> Stop {
        self.fault = Some(fault);
        Stop::Again
    }

    fn writing(&mut self) -> TxResult<()> {
        if self.access == Access::Read {
            self.fault = Some(Fault::Final(failure::wrote_in_read()));
        }
        if self.fault.is_some() {
            return Err(Stop::Again);
        }
        self.wrote = true;
        Ok(())
    }

    /// Buffers a change whose effect the caller does not need to know.
    fn later(&mut self, sql: &'static str, values: Vec<Value>) -> TxResult<()> {
        self.writing()?;
        self.waiting.push(Step::Change(sql, values));
        Ok(())
    }

    fn now(&mut self, sql: &'static str, values: Vec<Value>) -> TxResult<u64> {
        self.writing()?;
        Ok(self.ask(Step::Change(sql, values))?.changed())
    }

    fn rows(&mut self, sql: &'static str, values: Vec<Value>) -> TxResult<Vec<Row>> {
        let rows = self.ask(Step::Read(sql, values))?.rows();
        rows.iter()
            .map(row_of)
            .collect::<Result<_, _>>()
            .map_err(|error| self.fail(error))
    }

    fn number(&mut self, sql: &'static str, values: Vec<Value>) -> TxResult<u64> {
        let rows = self.ask(Step::Read(sql, values))?.rows();
        let number = rows.first().map(|row| row.try_get::<_, i64>(0));
        let number = number
            .transpose()
            .map_err(|error| self.fail(fault::of_error(error)))?;
        Ok(number.map_or(0, unsigned))
    }

    /// Remembers a row that this run locks, for the next run.
    fn note(&mut self, kind: Kind, id: &RowId) {
        if self.locks.len() < MOST_LOCKS {
            self.locks.insert((kind, *id));
        }
    }

    fn hold(&mut self, kind: Kind, rows: &[Row]) {
        if self.access == Access::Write {
            self.held.extend(rows.iter().map(|row| (kind, row.id)));
        }
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, owner, rank, due, version, body FROM sealed_row WHERE ",
            $rest
        )
    };
}

const PEEK: &str = select!("kind = $1 AND id = $2");
const GET: &str = select!("kind = $1 AND id = $2 FOR UPDATE");

const LOCK: &str = "SELECT 1 FROM sealed_row WHERE kind = $1 AND id = $2 FOR UPDATE";

const INSERT: &str = "INSERT INTO sealed_row (kind, id, owner, rank, due, version, body)
     VALUES ($1, $2, $3, $4, $5, $6, $7)";

const UPDATE: &str = "WITH changed AS (
         UPDATE sealed_row SET owner = $3, rank = $4, due = $5, version = $6, body = $7
         WHERE kind = $1 AND id = $2 AND version = $6 - 1 RETURNING 1)
     SELECT 1 / count(*) FROM changed";

const REMOVE: &str = "DELETE FROM sealed_row WHERE kind = $1 AND id = $2";

const REMOVE_HELD: &str = "WITH removed AS (
         DELETE FROM sealed_row WHERE kind = $1 AND id = $2 RETURNING 1)
     SELECT 1 / count(*) FROM removed";

const ASCENDING: &str = select!("kind = $1 AND owner = $2 ORDER BY rank, id LIMIT $3");
const ASCENDING_AFTER: &str =
    select!("kind = $1 AND owner = $2 AND (rank, id) > ($4, $5) ORDER BY rank, id LIMIT $3");
const DESCENDING: &str = select!("kind = $1 AND owner = $2 ORDER BY rank DESC, id DESC LIMIT $3");
const DESCENDING_AFTER: &str = select!(
    "kind = $1 AND owner = $2 AND (rank, id) < ($4, $5) ORDER BY rank DESC, id DESC LIMIT $3"
);

const DUE: &str = select!("kind = $1 AND due <= $2 ORDER BY due, id LIMIT $3");
const DUE_HELD: &str =
    select!("kind = $1 AND due <= $2 ORDER BY due, id LIMIT $3 FOR UPDATE SKIP LOCKED");

const REMOVE_DUE: &str = "WITH over AS MATERIALIZED (
         SELECT kind, id FROM sealed_row WHERE kind = $1 AND due <= $2
         ORDER BY due, id LIMIT $3 FOR UPDATE SKIP LOCKED)
     DELETE FROM sealed_row USING over
     WHERE sealed_row.kind = over.kind AND sealed_row.id = over.id";

const SCAN: &str = "SELECT id, owner, rank, due, version, body, kind FROM sealed_row
     ORDER BY kind, id LIMIT $1";
const SCAN_AFTER: &str = "SELECT id, owner, rank, due, version, body, kind FROM sealed_row
     WHERE (kind, id) > ($2, $3) ORDER BY kind, id LIMIT $1";

impl Tx for PgTx<'_> {
    fn get(&mut self, kind: Kind, id: &RowId) -> TxResult<Option<Row>> {
        if self.access == Access::Read {
            return self.peek(kind, id);
        }
        self.note(kind, id);
        let rows = self.rows(GET, vec![text(kind), bytes(id)])?;
        self.hold(kind, &rows);
        Ok(rows.into_iter().next())
    }

    fn peek(&mut self, kind: Kind, id: &RowId) -> TxResult<Option<Row>> {
        Ok(self
            .rows(PEEK, vec![text(kind), bytes(id)])?
            .into_iter()
            .next())
    }

    fn insert(&mut self, kind: Kind, row: &Row) -> TxResult<()> {
        let values = self.columns(kind, row)?;
        self.later(INSERT, values)?;
        self.held.insert((kind, row.id));
        Ok(())
    }

    fn update(&mut self, kind: Kind, row: &Row) -> TxResult<()> {
        let values = self.columns(kind, row)?;
        self.note(kind, &row.id);
        self.later(UPDATE, values)
    }

    fn remove(&mut self, kind: Kind, id: &RowId) -> TxResult<bool> {
        let values = vec![text(kind), bytes(id)];
        self.note(kind, id);
        if self.held.remove(&(kind, *id)) {
            return self.later(REMOVE_HELD, values).map(|()| true);
        }
        Ok(self.now(REMOVE, values)? == 1)
    }

    fn children(&mut self, kind: Kind, owner: &RowId, page: Page) -> TxResult<Vec<Row>> {
        let mut values = vec![text(kind), bytes(owner), limit(page.limit)];
        let sql = match (page.order, page.after) {
            (Order::Ascending, None) => ASCENDING,
            (Order::Ascending, Some(_)) => ASCENDING_AFTER,
            (Order::Descending, None) => DESCENDING,
            (Order::Descending, Some(_)) => DESCENDING_AFTER,
        };
        if let Some((rank, id)) = page.after {
            values.extend([Value::Number(rank), bytes(&id)]);
        }
        self.rows(sql, values)
    }

    fn count_children(&mut self, kind: Kind, owner: &RowId) -> TxResult<u64> {
        let sql = "SELECT count(*) FROM sealed_row WHERE kind = $1 AND owner = $2";
        self.number(sql, vec![text(kind), bytes(owner)])
    }

    fn remove_children(&mut self, kind: Kind, owner: &RowId) -> TxResult<u64> {
        self.held.retain(|(other, _)| *other != kind);
        let sql = "DELETE FROM sealed_row WHERE kind = $1 AND owner = $2";
        self.now(sql, vec![text(kind), bytes(owner)])
    }

    fn due(&mut self, kind: Kind, now: Timestamp, count: usize) -> TxResult<Vec<Row>> {
        let sql = if self.access == Access::Write {
            DUE_HELD
        } else {
            DUE
        };
        let values = vec![text(kind), Value::Number(now.millis()), limit(count)];
        let rows = self.rows(sql, values)?;
        self.hold(kind, &rows);
        Ok(rows)
    }

    fn remove_due(&mut self, kind: Kind, now: Timestamp, count: usize) -> TxResult<u64> {
        self.held.retain(|(other, _)| *other != kind);
        let values = vec![text(kind), Value::Number(now.millis()), limit(count)];
        self.now(REMOVE_DUE, values)
    }

    fn count(&mut self, kind: Kind) -> TxResult<u64> {
        self.number(
            "SELECT count(*) FROM sealed_row WHERE kind = $1",
            vec![text(kind)],
        )
    }

    fn scan(&mut self, after: Option<(&str, RowId)>, count: usize) -> TxResult<Vec<AnyRow>> {
        let step = match after {
            None => Step::Read(SCAN, vec![limit(count)]),
            Some((kind, id)) => Step::Read(SCAN_AFTER, vec![limit(count), text(kind), bytes(&id)]),
        };
        let rows = self.ask(step)?.rows();
        let any = |columns: &tokio_postgres::Row| {
            let kind = columns.try_get(6).map_err(fault::of_error)?;
            Ok(AnyRow {
                kind,
                row: row_of(columns)?,
            })
        };
        rows.iter()
            .map(any)
            .collect::<Result<_, _>>()
            .map_err(|error| self.fail(error))
    }
}

impl PgTx<'_> {
    fn columns(&mut self, kind: Kind, row: &Row) -> TxResult<Vec<Value>> {
        let version = i64::try_from(row.version)
            .map_err(|error| self.fail(Fault::Final(Error::bug(error))))?;
        Ok(vec![
            text(kind),
            bytes(&row.id),
            Value::BytesOrNull(row.owner.map(|owner| owner.0.to_vec())),
            Value::Number(row.rank),
            Value::NumberOrNull(row.due.map(Timestamp::millis)),
            Value::Number(version),
            Value::Bytes(row.body.clone()),
        ])
    }
}

/// The query for one committed row, outside any transaction.
pub(super) fn one(kind: Kind, id: &RowId) -> Step {
    Step::Read(PEEK, vec![text(kind), bytes(id)])
}

pub(super) fn row_of(columns: &tokio_postgres::Row) -> Result<Row, Fault> {
    let read = || -> Result<Row, tokio_postgres::Error> {
        Ok(Row {
            id: id_of(columns.try_get(0)?),
            owner: columns.try_get::<_, Option<&[u8]>>(1)?.map(id_of),
            rank: columns.try_get(2)?,
            due: columns
                .try_get::<_, Option<i64>>(3)?
                .map(Timestamp::from_millis),
            version: unsigned(columns.try_get(4)?),
            body: columns.try_get(5)?,
        })
    };
    read().map_err(|error| Fault::Final(Error::bug(error)))
}

/// A CHECK constraint of the table ensures that ids have sixteen bytes.
fn id_of(bytes: &[u8]) -> RowId {
    RowId(bytes.try_into().unwrap_or_default())
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn text(kind: &str) -> Value {
    Value::Text(kind.to_owned())
}

fn bytes(id: &RowId) -> Value {
    Value::Bytes(id.0.to_vec())
}

fn limit(count: usize) -> Value {
    Value::Number(i64::try_from(count).unwrap_or(i64::MAX))
}
