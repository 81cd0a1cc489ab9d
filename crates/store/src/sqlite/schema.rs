//! SQLite's migrations, applied in one transaction by the writer.

use domain::Error;
use rusqlite::{Connection, TransactionBehavior, params};

use super::fault;
use crate::schema::{Applied, Migration, Plan, pending};

static MIGRATIONS: [Migration; 1] = [Migration {
    number: 1,
    name: "sealed_rows",
    sql: include_str!("../../migrations/sqlite/0001_sealed_rows.sql"),
}];

const REMEMBER: &str = "CREATE TABLE IF NOT EXISTS migration (
    number   INTEGER NOT NULL PRIMARY KEY,
    name     TEXT    NOT NULL,
    checksum BLOB    NOT NULL
) STRICT";

pub(super) fn plan(connection: &Connection) -> Result<Plan, Error> {
    let applied = applied(connection).map_err(fault::error)?;
    pending(&MIGRATIONS, &applied)
        .map(|(plan, _)| plan)
        .map_err(Error::unavailable)
}

pub(super) fn migrate(connection: &mut Connection) -> Result<Plan, Error> {
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(fault::error)?;
    let (plan, left) =
        pending(&MIGRATIONS, &applied(&tx).map_err(fault::error)?).map_err(Error::unavailable)?;
    if plan.is_current() {
        return Ok(plan);
    }
    tx.execute(REMEMBER, []).map_err(fault::error)?;
    for step in left {
        tx.execute_batch(step.sql).map_err(fault::error)?;
        let row = params![step.number, step.name, step.checksum()];
        tx.execute(
            "INSERT INTO migration (number, name, checksum) VALUES (?1, ?2, ?3)",
            row,
        )
        .map_err(fault::error)?;
    }
    tx.commit().map_err(fault::error)?;
    Ok(plan)
}

fn applied(connection: &Connection) -> rusqlite::Result<Vec<Applied>> {
    if !connection.table_exists(None::<&str>, "migration")? {
        return Ok(Vec::new());
    }
    let mut statement =
        connection.prepare("SELECT number, checksum FROM migration ORDER BY number")?;
    let rows = statement.query_map([], |row| {
        Ok(Applied {
            number: row.get(0)?,
            checksum: row.get(1)?,
        })
    })?;
    rows.collect()
}
