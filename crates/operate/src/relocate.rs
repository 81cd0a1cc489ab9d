//! `keyward db move`: from one engine to the other, and back.
//!
//! 1. Copy most of the data while servers use the old database, and report the time left.
//! 2. Stop the use of the old database. This process takes the lock of a SQLite file, so its server must have
//!    ended. PostgreSQL gets a mark; every running server sees it within a second and then refuses requests.
//! 3. Copy the few rows that have changed since.
//! 4. Compare both: the number of rows of each kind, and one hash over every column and every sealed body.
//! 5. Remove the mark from the new database. The old one keeps its mark, so that no server uses it by mistake.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use compose::{LOOKED_FOR, cause};
use domain::port::Store;
use serde_json::json;
use store::transfer::{
    Changes, Digest, Mark, StoreSource, digest, marks, set_mark, sync, unset_mark,
};
use store::{Backend, Migrations};
use terminal::{Output, print};

use crate::database::{Database, identity, is_empty};
use crate::progress::Progress;

#[derive(Subcommand)]
pub enum DbCommand {
    /// Move a database to another one, for example from SQLite to PostgreSQL.
    ///
    /// Copies while servers run, then stops the use of the old database for the last changes, and compares both.
    /// To continue an interrupted move, run the same command again.
    Move(MoveArgs),
    /// Let servers use a database again that was moved away.
    Release(ReleaseArgs),
}

#[derive(Args)]
pub struct MoveArgs {
    /// `sqlite:PATH` of the database file, or `postgres://…`.
    #[arg(long, value_name = "DATABASE")]
    from: Option<String>,
    /// File that contains it; use this if the URL contains a password.
    #[arg(long, value_name = "F", conflicts_with = "from")]
    from_file: Option<PathBuf>,
    /// `sqlite:PATH` of the database file, or `postgres://…`: an empty one.
    #[arg(long, value_name = "DATABASE")]
    to: Option<String>,
    /// File that contains it; use this if the URL contains a password.
    #[arg(long, value_name = "F", conflicts_with = "to")]
    to_file: Option<PathBuf>,
    /// PostgreSQL: certificate authority of the servers, a PEM file.
    #[arg(long, value_name = "F")]
    ca_file: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub struct ReleaseArgs {
    /// `sqlite:PATH` of the database file, or `postgres://…`.
    #[arg(long, value_name = "DATABASE")]
    database: Option<String>,
    /// File that contains it; use this if the URL contains a password.
    #[arg(long, value_name = "F", conflicts_with = "database")]
    database_file: Option<PathBuf>,
    /// PostgreSQL: certificate authority of the servers, a PEM file.
    #[arg(long, value_name = "F")]
    ca_file: Option<PathBuf>,
}

pub async fn db(command: DbCommand) -> Result<ExitCode, String> {
    match command {
        DbCommand::Move(arguments) => {
            let ca = arguments.ca_file.as_deref();
            let from = Database::named("from", arguments.from, arguments.from_file.as_deref(), ca)?;
            let to = Database::named("to", arguments.to, arguments.to_file.as_deref(), ca)?;
            relocate(&from, &to, &arguments.output).await
        }
        DbCommand::Release(arguments) => {
            let ca = arguments.ca_file.as_deref();
            let file = arguments.database_file.as_deref();
            let database = Database::named("database", arguments.database, file, ca)?;
            release(&database).await
        }
    }
}

/// How long to wait until every server has seen the mark and ended its last transaction: the time for which one
/// check counts, and the deadline of a call.
const STOPPING: Duration = Duration::from_secs(LOOKED_FOR.as_secs() + 6);

async fn relocate(from: &Database, to: &Database, output: &Output) -> Result<ExitCode, String> {
    let (source, rows) = from.open_to_read().await?;
    let Some(of) = identity(source.as_ref()).await? else {
        return Err(format!("no server has ever used {}", from.name()));
    };
    to.has_folder()?;
    let target = to.open_to_write(Migrations::Apply).await?;
    let target = target as Arc<dyn Store>;
    let told = format!("move of {of}");
    admit(&source, &target, &of, &told, to).await?;
    set_mark(target.as_ref(), Mark::Unfinished, &told)
        .await
        .map_err(|error| cause(&error))?;
    let mut progress = Progress::of(rows);
    let first = copy(&source, &target, &mut progress).await?;
    let online = progress.elapsed().as_secs_f64();
    eprintln!(
        "copied {} rows in {online:.1} s, while servers may run; now the last changes",
        first.seen()
    );
    drop(source);
    let mut progress = Progress::of(first.seen());
    let old = stop(from, to).await.map_err(|error| {
        let name = from.name();
        let again = online.max(1.0);
        format!(
            "{name} is in use: {error}. Stop its server and run this again. The rest will take at most about {again:.0} s"
        )
    })?;
    let source = old as Arc<dyn Store>;
    let last = copy(&source, &target, &mut progress).await?;
    let moved = compare(&source, &target).await?;
    for mark in [Mark::Moved, Mark::Unfinished] {
        unset_mark(target.as_ref(), mark)
            .await
            .map_err(|error| cause(&error))?;
    }
    let stopped = progress.elapsed().as_secs_f64();
    let (rows, sum) = (moved.rows(), hex::encode(moved.sha256));
    let value = json!({
        "from": from.name(), "to": to.name(), "rows": rows, "kinds": moved.kinds, "sha256": sum,
        "online_seconds": online, "stopped_seconds": stopped, "changed_while_stopped": last.changed(),
    });
    let text = format!(
        "{rows} rows moved from {} to {}, equal by count and by content (sha256 {sum})\n\
         {online:.1} s beside running servers, {stopped:.1} s with them stopped. Set [storage] url and start them; keep \
         the key file and the anchor.",
        from.name(),
        to.name()
    );
    output.print(&value, &text)
}

/// The digest that both databases have.
async fn compare(source: &Arc<dyn Store>, target: &Arc<dyn Store>) -> Result<Digest, String> {
    let old = digest(&mut StoreSource::new(Arc::clone(source))).await;
    let new = digest(&mut StoreSource::new(Arc::clone(target))).await;
    let old = old.map_err(|error| cause(&error))?;
    if old == new.map_err(|error| cause(&error))? {
        Ok(old)
    } else {
        Err("the two databases differ. Is a server still running? Run this again".to_owned())
    }
}

/// Checks the target: it must be empty, or the target of this interrupted move, or the database from which the
/// source once came.
async fn admit(
    source: &Arc<dyn Store>,
    target: &Arc<dyn Store>,
    of: &str,
    told: &str,
    to: &Database,
) -> Result<(), String> {
    let there = marks(target.as_ref())
        .await
        .map_err(|error| cause(&error))?;
    let here = marks(source.as_ref())
        .await
        .map_err(|error| cause(&error))?;
    if let Some(copy) = here.unfinished {
        return Err(format!(
            "the database to move is itself an incomplete copy ({copy})"
        ));
    }
    let begun = there.unfinished.as_deref() == Some(told);
    if let (Some(where_to), false) = (&here.moved, begun) {
        return Err(format!(
            "this database was already moved away ({where_to}): it is not the newest"
        ));
    }
    if begun {
        return Ok(());
    }
    let once_here = there.moved.is_some()
        && there.unfinished.is_none()
        && identity(target.as_ref()).await?.as_deref() == Some(of);
    if once_here || is_empty(target).await? {
        return Ok(());
    }
    Err(format!(
        "{} is not empty: a move overwrites nothing",
        to.name()
    ))
}

/// Makes sure that no server works with the old database any more, and opens it to write.
async fn stop(from: &Database, to: &Database) -> Result<Arc<dyn Backend>, String> {
    let old = from.open_to_write(Migrations::Require).await?;
    set_mark(old.as_ref(), Mark::Moved, &format!("to {}", to.name()))
        .await
        .map_err(|error| cause(&error))?;
    if matches!(from, Database::Postgres { .. }) {
        eprintln!(
            "waiting {} s until every server has stopped using the old database",
            STOPPING.as_secs()
        );
        #[expect(
            clippy::disallowed_methods,
            reason = "there is no signal when the last server has seen the mark"
        )]
        tokio::time::sleep(STOPPING).await;
    }
    Ok(old)
}

async fn copy(
    source: &Arc<dyn Store>,
    target: &Arc<dyn Store>,
    progress: &mut Progress,
) -> Result<Changes, String> {
    let mut rows = StoreSource::new(Arc::clone(source));
    sync(&mut rows, target, &mut |done| progress.tell(done))
        .await
        .map_err(|error| cause(&error))
}

/// Removes the mark of a move.
async fn release(database: &Database) -> Result<ExitCode, String> {
    let store = database.open_to_write(Migrations::Require).await?;
    unset_mark(store.as_ref(), Mark::Moved)
        .await
        .map_err(|error| cause(&error))?;
    print(&format!(
        "{} may be used again. If the other database was used meanwhile, the servers detect with their anchors that this \
         one is older.",
        database.name()
    ))
}
