//! `keyward restore`: reads a backup into an empty database. A server that starts with it then decides whether it is
//! the newest.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use compose::cause;
use config::Place;
use domain::Error;
use domain::port::Store;
use serde_json::json;
use store::Migrations;
use store::transfer::{
    Archive, Digest, Mark, StoreSource, digest, marks, set_mark, sync, unset_mark,
};
use terminal::Output;

use crate::database::{Database, is_empty};
use crate::progress::Progress;

#[derive(Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    place: Place,
    /// The backup to read.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// Restores, or goes on with a restore of the same backup that was interrupted.
pub async fn restore(arguments: &RestoreArgs) -> Result<ExitCode, String> {
    let database = Database::configured(&arguments.place.load()?)?;
    let from = &arguments.from;
    let archive = Archive::open(from).map_err(|error| cause(&error))?;
    let sum = hex::encode(archive.info.digest.sha256);
    let target = database.open_to_write(Migrations::Apply).await?;
    let target = target as Arc<dyn Store>;
    let found = marks(target.as_ref())
        .await
        .map_err(|error| cause(&error))?;
    let is_resumed = found.unfinished == Some(unfinished(&sum));
    if !is_resumed && !is_empty(&target).await? {
        return Err(format!(
            "{} is not empty: a restore overwrites nothing. Move it away first; for SQLite, also the files -wal and \
             -shm beside it if they exist",
            database.name()
        ));
    }
    let mut progress = Progress::of(archive.info.digest.rows());
    let written = fill(&archive, &target, &sum, &mut progress)
        .await
        .map_err(|error| cause(&error))?;
    if written != archive.info.digest {
        return Err("the restored database differs from the backup: run this again".to_owned());
    }
    unset_mark(target.as_ref(), Mark::Unfinished)
        .await
        .map_err(|error| cause(&error))?;
    let (rows, seconds) = (written.rows(), progress.elapsed().as_secs_f64());
    let value = json!({
        "file": from, "rows": rows, "sha256": sum, "seconds": seconds, "kinds": written.kinds,
    });
    let text = format!(
        "{}: {rows} rows in {seconds:.1} s, compared\nIf a newer state was ever used, the server refuses to start \
         with this database: then start it once with --accept-rollback.",
        database.name()
    );
    arguments.output.print(&value, &text)
}

/// The mark of a database into which this backup is being restored.
fn unfinished(sum: &str) -> String {
    format!("restore {sum}")
}

/// Copies the rows of the backup, and returns the digest of what is in the database then.
async fn fill(
    archive: &Archive,
    target: &Arc<dyn Store>,
    sum: &str,
    progress: &mut Progress,
) -> Result<Digest, Error> {
    set_mark(target.as_ref(), Mark::Unfinished, &unfinished(sum)).await?;
    set_mark(target.as_ref(), Mark::Restored, sum).await?;
    let mut tell = |done: &_| progress.tell(done);
    sync(&mut archive.rows()?, target, &mut tell).await?;
    digest(&mut StoreSource::new(Arc::clone(target))).await
}
