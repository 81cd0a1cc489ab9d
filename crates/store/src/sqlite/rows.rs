//! The port's transaction over one SQLite connection, which already is inside a transaction.

use domain::port::store::{AnyRow, Kind, Order, Page, Row, RowId, Stop, Tx, TxResult};
use domain::{Error, Timestamp};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, params};

use super::fault::stop;
use crate::failure;

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    Read,
    /// Read only what takes about ten microseconds, then stop, because the caller is an async task.
    Glance,
}

/// How much an [`Access::Glance`] may read: the number of rows plus that of pages of long bodies.
const GLANCE: usize = 64;
const PAGE_BYTES: usize = 4096;

pub(super) struct SqliteTx<'c> {
    connection: &'c Connection,
    access: Access,
    seen: usize,
    outcome: Outcome,
}

/// What the methods so far have reported to the closure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Fine,
    Again,
    Failed,
    /// The job reads too much: run it on a blocking thread.
    TooLong,
}

impl<'c> SqliteTx<'c> {
    pub(super) fn new(connection: &'c Connection, access: Access) -> Self {
        Self {
            connection,
            access,
            seen: 0,
            outcome: Outcome::Fine,
        }
    }

    /// Returns the closure's result, unless it has continued after a method told it to stop.
    pub(super) fn verdict(&self, result: TxResult<()>) -> TxResult<()> {
        match (self.outcome, result) {
            (Outcome::Again, Ok(())) => Err(Stop::Again),
            (Outcome::Failed, Ok(())) => Err(Stop::Failed(failure::ignored_stop())),
            (_, result) => result,
        }
    }

    pub(super) fn was_too_long(&self) -> bool {
        self.outcome == Outcome::TooLong
    }

    fn prepare(&mut self, sql: &str) -> TxResult<CachedStatement<'c>> {
        let connection = self.connection;
        connection
            .prepare_cached(sql)
            .map_err(|error| self.failed(error))
    }

    fn change(&mut self, sql: &str, params: impl Params) -> TxResult<usize> {
        if self.access != Access::Write {
            self.outcome = Outcome::Failed;
            return Err(Stop::Failed(failure::wrote_in_read()));
        }
        self.prepare(sql)?
            .execute(params)
            .map_err(|error| self.failed(error))
    }

    fn one(&mut self, kind: Kind, id: &RowId) -> TxResult<Option<Row>> {
        let row = self
            .prepare(ONE)?
            .query_row(params![kind, id.0], columns_of)
            .optional()
            .map_err(|error| self.failed(error))?;
        self.spend(row.as_ref().map_or(0, |row| row.body.len()))?;
        Ok(row)
    }

    fn rows(&mut self, sql: &str, params: impl Params) -> TxResult<Vec<Row>> {
        self.collect(sql, params, columns_of, |row| row.body.len())
    }

    fn collect<T>(
        &mut self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
        size: impl Fn(&T) -> usize,
    ) -> TxResult<Vec<T>> {
        let mut statement = self.prepare(sql)?;
        let mut columns = statement
            .query(params)
            .map_err(|error| self.failed(error))?;
        let mut all = Vec::new();
        while let Some(next) = columns.next().map_err(|error| self.failed(error))? {
            let item = read(next).map_err(|error| self.failed(error))?;
            self.spend(size(&item))?;
            all.push(item);
        }
        Ok(all)
    }

    fn number(&mut self, sql: &str, params: impl Params) -> TxResult<u64> {
        // A count reads as many index entries as it counts.
        self.spend(GLANCE * PAGE_BYTES)?;
        self.prepare(sql)?
            .query_row(params, |columns| columns.get::<_, i64>(0))
            .map(unsigned)
            .map_err(|error| self.failed(error))
    }

    fn spend(&mut self, bytes: usize) -> TxResult<()> {
        self.seen += 1 + bytes / PAGE_BYTES;
        if self.access == Access::Glance && self.seen > GLANCE {
            self.outcome = Outcome::TooLong;
            return Err(Stop::Again);
        }
        Ok(())
    }

    fn failed(&mut self, error: rusqlite::Error) -> Stop {
        self.outcome = Outcome::Failed;
        stop(error)
    }

    fn expect_one(&mut self, changed: usize) -> TxResult<()> {
        if changed == 1 {
            return Ok(());
        }
        self.outcome = Outcome::Again;
        Err(Stop::Again)
    }
}

const ONE: &str =
    "SELECT id, owner, rank, due, version, body FROM sealed_row WHERE kind = ?1 AND id = ?2";

const INSERT: &str = "INSERT INTO sealed_row (kind, id, owner, rank, due, version, body)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";

/// For a row whose indexed columns stay the same. It changes no index, so it takes less than half the time.
const UPDATE_IN_PLACE: &str = "UPDATE sealed_row SET version = ?6, body = ?7
     WHERE kind = ?1 AND id = ?2 AND version = ?6 - 1
     AND owner IS ?3 AND rank = ?4 AND due IS ?5";

const UPDATE: &str =
    "UPDATE sealed_row SET owner = ?3, rank = ?4, due = ?5, version = ?6, body = ?7
     WHERE kind = ?1 AND id = ?2 AND version = ?6 - 1";

const CHILDREN_ASCENDING: &str = "SELECT id, owner, rank, due, version, body FROM sealed_row
     WHERE kind = ?1 AND owner = ?2 ORDER BY rank, id LIMIT ?3";

const CHILDREN_ASCENDING_AFTER: &str = "SELECT id, owner, rank, due, version, body FROM sealed_row
     WHERE kind = ?1 AND owner = ?2 AND (rank, id) > (?4, ?5) ORDER BY rank, id LIMIT ?3";

const CHILDREN_DESCENDING: &str = "SELECT id, owner, rank, due, version, body FROM sealed_row
     WHERE kind = ?1 AND owner = ?2 ORDER BY rank DESC, id DESC LIMIT ?3";

const CHILDREN_DESCENDING_AFTER: &str = "SELECT id, owner, rank, due, version, body FROM sealed_row
     WHERE kind = ?1 AND owner = ?2 AND (rank, id) < (?4, ?5) ORDER BY rank DESC, id DESC LIMIT ?3";

const DUE: &str = "SELECT id, owner, rank, due, version, body FROM sealed_row
     WHERE kind = ?1 AND due <= ?2 ORDER BY due, id LIMIT ?3";

const REMOVE_DUE: &str = "DELETE FROM sealed_row WHERE rowid IN
     (SELECT rowid FROM sealed_row WHERE kind = ?1 AND due <= ?2 ORDER BY due, id LIMIT ?3)";

const SCAN: &str = "SELECT id, owner, rank, due, version, body, kind FROM sealed_row
     ORDER BY kind, id LIMIT ?1";

const SCAN_AFTER: &str = "SELECT id, owner, rank, due, version, body, kind FROM sealed_row
     WHERE (kind, id) > (?2, ?3) ORDER BY kind, id LIMIT ?1";

impl Tx for SqliteTx<'_> {
    // There is only one writer, so nobody else can change what a write transaction has read.
    fn get(&mut self, kind: Kind, id: &RowId) -> TxResult<Option<Row>> {
        self.one(kind, id)
    }

    fn peek(&mut self, kind: Kind, id: &RowId) -> TxResult<Option<Row>> {
        self.one(kind, id)
    }

    fn insert(&mut self, kind: Kind, row: &Row) -> TxResult<()> {
        let changed = self.change(INSERT, all_columns(kind, row)?)?;
        self.expect_one(changed)
    }

    fn update(&mut self, kind: Kind, row: &Row) -> TxResult<()> {
        let changed = match self.change(UPDATE_IN_PLACE, all_columns(kind, row)?)? {
            0 => self.change(UPDATE, all_columns(kind, row)?)?,
            changed => changed,
        };
        self.expect_one(changed)
    }

    fn remove(&mut self, kind: Kind, id: &RowId) -> TxResult<bool> {
        let sql = "DELETE FROM sealed_row WHERE kind = ?1 AND id = ?2";
        Ok(self.change(sql, params![kind, id.0])? == 1)
    }

    fn children(&mut self, kind: Kind, owner: &RowId, page: Page) -> TxResult<Vec<Row>> {
        let limit = signed(page.limit);
        match (page.order, page.after) {
            (Order::Ascending, None) => {
                self.rows(CHILDREN_ASCENDING, params![kind, owner.0, limit])
            }
            (Order::Ascending, Some((rank, id))) => self.rows(
                CHILDREN_ASCENDING_AFTER,
                params![kind, owner.0, limit, rank, id.0],
            ),
            (Order::Descending, None) => {
                self.rows(CHILDREN_DESCENDING, params![kind, owner.0, limit])
            }
            (Order::Descending, Some((rank, id))) => self.rows(
                CHILDREN_DESCENDING_AFTER,
                params![kind, owner.0, limit, rank, id.0],
            ),
        }
    }

    fn count_children(&mut self, kind: Kind, owner: &RowId) -> TxResult<u64> {
        let sql = "SELECT count(*) FROM sealed_row WHERE kind = ?1 AND owner = ?2";
        self.number(sql, params![kind, owner.0])
    }

    fn remove_children(&mut self, kind: Kind, owner: &RowId) -> TxResult<u64> {
        let sql = "DELETE FROM sealed_row WHERE kind = ?1 AND owner = ?2";
        Ok(self.change(sql, params![kind, owner.0])? as u64)
    }

    fn due(&mut self, kind: Kind, now: Timestamp, limit: usize) -> TxResult<Vec<Row>> {
        self.rows(DUE, params![kind, now.millis(), signed(limit)])
    }

    fn remove_due(&mut self, kind: Kind, now: Timestamp, limit: usize) -> TxResult<u64> {
        Ok(self.change(REMOVE_DUE, params![kind, now.millis(), signed(limit)])? as u64)
    }

    fn count(&mut self, kind: Kind) -> TxResult<u64> {
        self.number(
            "SELECT count(*) FROM sealed_row WHERE kind = ?1",
            params![kind],
        )
    }

    fn scan(&mut self, after: Option<(&str, RowId)>, limit: usize) -> TxResult<Vec<AnyRow>> {
        let limit = signed(limit);
        let read = |columns: &rusqlite::Row<'_>| {
            Ok(AnyRow {
                kind: columns.get(6)?,
                row: columns_of(columns)?,
            })
        };
        let size = |any: &AnyRow| any.row.body.len();
        match after {
            None => self.collect(SCAN, params![limit], read, size),
            Some((kind, id)) => self.collect(SCAN_AFTER, params![limit, kind, id.0], read, size),
        }
    }
}

/// One committed row.
pub(super) fn row(connection: &Connection, kind: Kind, id: &RowId) -> Result<Option<Row>, Error> {
    connection
        .prepare_cached(ONE)
        .and_then(|mut statement| {
            statement
                .query_row(params![kind, id.0], columns_of)
                .optional()
        })
        .map_err(super::fault::error)
}

/// How many rows there are of each kind.
pub(super) fn count_kinds(connection: &Connection) -> Result<Vec<(String, u64)>, Error> {
    connection
        .prepare("SELECT kind, count(*) FROM sealed_row GROUP BY kind ORDER BY kind")
        .and_then(|mut statement| {
            statement
                .query_map([], |columns| {
                    Ok((columns.get(0)?, unsigned(columns.get(1)?)))
                })?
                .collect()
        })
        .map_err(super::fault::error)
}

struct Id(RowId);

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = <[u8; 16]>::try_from(value.as_blob()?).map_err(FromSqlError::other)?;
        Ok(Self(RowId(bytes)))
    }
}

fn columns_of(columns: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        id: columns.get::<_, Id>(0)?.0,
        owner: columns.get::<_, Option<Id>>(1)?.map(|id| id.0),
        rank: columns.get(2)?,
        due: columns
            .get::<_, Option<i64>>(3)?
            .map(Timestamp::from_millis),
        version: unsigned(columns.get(4)?),
        body: columns.get(5)?,
    })
}

fn all_columns(kind: Kind, row: &Row) -> TxResult<impl Params + '_> {
    let version = i64::try_from(row.version).map_err(Error::bug)?;
    let owner = row.owner.map(|owner| owner.0);
    let due = row.due.map(Timestamp::millis);
    Ok((
        kind,
        row.id.0,
        owner,
        row.rank,
        due,
        version,
        row.body.as_slice(),
    ))
}

fn signed(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No statement of a running server may scan the table, or sort what an index already has in order.
    #[test]
    fn every_statement_uses_an_index() {
        let connection = Connection::open_in_memory().unwrap();
        let schema = include_str!("../../migrations/sqlite/0001_sealed_rows.sql");
        connection.execute_batch(schema).unwrap();
        let statements = [
            (ONE, "sqlite_autoindex_sealed_row_1 (kind=? AND id=?)"),
            (
                UPDATE_IN_PLACE,
                "sqlite_autoindex_sealed_row_1 (kind=? AND id=?)",
            ),
            (UPDATE, "sqlite_autoindex_sealed_row_1 (kind=? AND id=?)"),
            (CHILDREN_ASCENDING, "sealed_row_owner (kind=? AND owner=?)"),
            (
                CHILDREN_ASCENDING_AFTER,
                "sealed_row_owner (kind=? AND owner=? AND (rank,id)>(?,?))",
            ),
            (CHILDREN_DESCENDING, "sealed_row_owner (kind=? AND owner=?)"),
            (
                CHILDREN_DESCENDING_AFTER,
                "sealed_row_owner (kind=? AND owner=? AND (rank,id)<(?,?))",
            ),
            (DUE, "sealed_row_due (kind=? AND due<?)"),
            (REMOVE_DUE, "sealed_row_due (kind=? AND due<?)"),
            (
                SCAN,
                "SCAN sealed_row USING INDEX sqlite_autoindex_sealed_row_1",
            ),
            (
                SCAN_AFTER,
                "sqlite_autoindex_sealed_row_1 ((kind,id)>(?,?))",
            ),
        ];
        for (sql, expected) in statements {
            let mut explain = connection
                .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
                .unwrap();
            let nulls = vec![rusqlite::types::Null; explain.parameter_count()];
            let lines = explain
                .query_map(rusqlite::params_from_iter(nulls), |row| {
                    row.get::<_, String>(3)
                })
                .unwrap();
            let plan = lines.map(Result::unwrap).collect::<Vec<_>>().join("; ");
            assert!(plan.contains(expected), "{sql}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
    }
}
