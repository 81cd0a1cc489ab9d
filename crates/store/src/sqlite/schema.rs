//! SQLite's migrations, applied in one transaction by the writer.

use domain::Error;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::fault;
use crate::schema::{
    Applied, Extent, History, Migration, NEEDS, Phase, Plan, needs_after, pending, within,
};

static MIGRATIONS: [Migration; 1] = [Migration {
    number: 1,
    name: "sealed_rows",
    phase: Phase::Expand,
    sql: include_str!("../../migrations/sqlite/0001_sealed_rows.sql"),
}];

const REMEMBER: &str = "CREATE TABLE IF NOT EXISTS migration (
    number   INTEGER NOT NULL PRIMARY KEY,
    name     TEXT    NOT NULL,
    checksum BLOB    NOT NULL
) STRICT";

pub(super) fn plan(connection: &Connection) -> Result<Plan, Error> {
    let history = history(connection).map_err(fault::error)?;
    pending(&MIGRATIONS, &history)
        .map(|(plan, _)| plan)
        .map_err(Error::unavailable)
}

pub(super) fn migrate(connection: &mut Connection, extent: Extent) -> Result<Plan, Error> {
    apply(connection, &MIGRATIONS, extent)
}

fn apply(
    connection: &mut Connection,
    known: &'static [Migration],
    extent: Extent,
) -> Result<Plan, Error> {
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(fault::error)?;
    let history = history(&tx).map_err(fault::error)?;
    let (plan, left) = pending(known, &history).map_err(Error::unavailable)?;
    let left = within(left, extent);
    let done = plan.within(extent);
    if left.is_empty() {
        return Ok(done);
    }
    let work = || -> rusqlite::Result<()> {
        tx.execute(REMEMBER, [])?;
        for step in left {
            tx.execute_batch(step.sql)?;
            let row = params![step.number, step.name, step.checksum()];
            let remember = "INSERT INTO migration (number, name, checksum) VALUES (?1, ?2, ?3)";
            tx.execute(remember, row)?;
        }
        if let Some(needs) = needs_after(known, left) {
            let keep = "INSERT INTO meta (name, value) VALUES (?1, ?2)
                ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)";
            tx.execute(keep, params![NEEDS, needs])?;
        }
        Ok(())
    };
    work().map_err(fault::error)?;
    tx.commit().map_err(fault::error)?;
    Ok(done)
}

fn history(connection: &Connection) -> rusqlite::Result<History> {
    let applied = applied(connection)?;
    let needs = if applied.is_empty() {
        None
    } else {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        connection
            .query_row(sql, params![NEEDS], |row| row.get(0))
            .optional()?
    };
    Ok(History { applied, needs })
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

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    const FIRST: Migration = MIGRATIONS[0];
    static NEXT: [Migration; 3] = [
        FIRST,
        Migration {
            number: 2,
            name: "more",
            phase: Phase::Expand,
            sql: "CREATE TABLE more (a INTEGER) STRICT",
        },
        Migration {
            number: 3,
            name: "less",
            phase: Phase::Contract,
            sql: "DROP TABLE more",
        },
    ];

    #[test]
    fn two_releases_share_a_database_until_the_newer_one_contracts() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, Extent::Expand).unwrap();
        let done = apply(&mut connection, &NEXT, Extent::Expand).unwrap();
        assert_eq!(done.to_string(), "schema 1 to 2: 0002_more");
        assert!(plan(&connection).unwrap().is_current(), "the older release");
        assert!(
            migrate(&mut connection, Extent::All)
                .unwrap()
                .steps
                .is_empty()
        );
        let done = apply(&mut connection, &NEXT, Extent::All).unwrap();
        assert_eq!(done.to_string(), "schema 2 to 3: 0003_less (contracts)");
        assert!(plan(&connection).is_err(), "the older release");
    }

    #[test]
    fn a_step_that_fails_leaves_everything_as_it_was() {
        static BAD: [Migration; 3] = [
            FIRST,
            NEXT[1],
            Migration {
                number: 3,
                name: "bad",
                phase: Phase::Expand,
                sql: "DROP TABLE nothing",
            },
        ];
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, Extent::Expand).unwrap();
        assert!(apply(&mut connection, &BAD, Extent::Expand).is_err());
        assert!(!connection.table_exists(None::<&str>, "more").unwrap());
        assert_eq!(plan(&connection).unwrap().from, 1);
    }
}
