//! PostgreSQL's migrations run in one transaction that locks a row. If many servers start at the same time, one
//! migrates and the others find nothing left to do.

use domain::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, types::Type};

use crate::failure::Failure;
use crate::schema::{
    Applied, Extent, History, Migration, NEEDS, Phase, Plan, needs_after, pending, within,
};

static MIGRATIONS: [Migration; 1] = [Migration {
    number: 1,
    name: "sealed_rows",
    phase: Phase::Expand,
    sql: include_str!("../../migrations/postgres/0001_sealed_rows.sql"),
}];

/// Autocommitted, so that the row exists before it is locked.
const REMEMBER: &str = "
    CREATE TABLE IF NOT EXISTS migration (
        number   BIGINT NOT NULL PRIMARY KEY,
        name     TEXT   NOT NULL,
        checksum BYTEA  NOT NULL
    );
    CREATE TABLE IF NOT EXISTS migration_lock (name TEXT NOT NULL PRIMARY KEY);
    INSERT INTO migration_lock (name) VALUES ('schema') ON CONFLICT DO NOTHING";

const LOCK: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '15s';
    SET LOCAL statement_timeout = 0;
    SELECT name FROM migration_lock WHERE name = 'schema' FOR UPDATE";

/// Slots of servers that ended long ago.
const SWEEP: &str = "DELETE FROM commit_mark WHERE seen < now() - interval '7 days'";

/// Servers that create the same tables at the same time conflict; the next attempt finds the tables.
const TRIES: usize = 5;

pub(super) async fn plan(client: &Client) -> Result<Plan, Error> {
    let history = history(client).await?;
    pending(&MIGRATIONS, &history)
        .map(|(plan, _)| plan)
        .map_err(Error::unavailable)
}

pub(super) async fn migrate(client: &Client, extent: Extent) -> Result<Plan, Error> {
    let plan = plan(client).await?;
    if plan.within(extent).steps.is_empty() {
        if let Err(error) = client.batch_execute(SWEEP).await {
            // They are small, so the next start can remove them.
            tracing::warn!(
                error = domain::error::chain(&error),
                "old commit marks could not be removed"
            );
        }
        return Ok(plan.within(extent));
    }
    apply(client, &MIGRATIONS, extent).await
}

async fn apply(
    client: &Client,
    known: &'static [Migration],
    extent: Extent,
) -> Result<Plan, Error> {
    remember(client).await?;
    client.batch_execute(LOCK).await.map_err(cannot)?;
    let done = apply_locked(client, known, extent).await;
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = client.batch_execute(end).await.map_err(cannot);
    let plan = done?;
    ended?;
    Ok(plan)
}

async fn remember(client: &Client) -> Result<(), Error> {
    let raced = |error: &tokio_postgres::Error| {
        let codes = [
            SqlState::UNIQUE_VIOLATION,
            SqlState::DUPLICATE_TABLE,
            SqlState::DUPLICATE_OBJECT,
            SqlState::T_R_DEADLOCK_DETECTED,
        ];
        error.code().is_some_and(|code| codes.contains(code))
    };
    for _ in 1..TRIES {
        match client.batch_execute(REMEMBER).await {
            Err(error) if raced(&error) => {}
            result => return result.map_err(cannot),
        }
    }
    client.batch_execute(REMEMBER).await.map_err(cannot)
}

/// Runs in the transaction that holds the lock, because another server may have migrated while this one waited.
async fn apply_locked(
    client: &Client,
    known: &'static [Migration],
    extent: Extent,
) -> Result<Plan, Error> {
    let (plan, left) = pending(known, &history(client).await?).map_err(Error::unavailable)?;
    let left = within(left, extent);
    for step in left {
        client.batch_execute(step.sql).await.map_err(cannot)?;
        client
            .execute_typed(
                "INSERT INTO migration (number, name, checksum) VALUES ($1, $2, $3)",
                &[
                    (&step.number, Type::INT8),
                    (&step.name, Type::TEXT),
                    (&step.checksum(), Type::BYTEA),
                ],
            )
            .await
            .map_err(cannot)?;
    }
    if let Some(needs) = needs_after(known, left) {
        client
            .execute_typed(
                "INSERT INTO meta (name, value) VALUES ($1, $2)
                 ON CONFLICT (name) DO UPDATE SET value = greatest(meta.value, excluded.value)",
                &[(&NEEDS, Type::TEXT), (&needs, Type::INT8)],
            )
            .await
            .map_err(cannot)?;
    }
    Ok(plan.within(extent))
}

async fn history(client: &Client) -> Result<History, Error> {
    let applied = applied(client).await?;
    if applied.is_empty() {
        return Ok(History::default());
    }
    let sql = "SELECT value FROM meta WHERE name = $1";
    let rows = client
        .query_typed(sql, &[(&NEEDS, Type::TEXT)])
        .await
        .map_err(cannot)?;
    Ok(History {
        applied,
        needs: rows.first().map(|row| row.get(0)),
    })
}

async fn applied(client: &Client) -> Result<Vec<Applied>, Error> {
    let known = client
        .query_typed("SELECT to_regclass('migration') IS NOT NULL", &[])
        .await
        .map_err(cannot)?;
    if !known.first().is_some_and(|row| row.get(0)) {
        return Ok(Vec::new());
    }
    let sql = "SELECT number, checksum FROM migration ORDER BY number";
    let rows = client.query_typed(sql, &[]).await.map_err(cannot)?;
    Ok(rows
        .iter()
        .map(|row| Applied {
            number: row.get(0),
            checksum: row.get(1),
        })
        .collect())
}

fn cannot(error: tokio_postgres::Error) -> Error {
    Failure::because("PostgreSQL's schema cannot be read or changed", error).unavailable()
}
