//! `keyward backup`: everything in the database, as it is at one moment, in a file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use compose::cause;
use config::Place;
use domain::port::Clock;
use outside::SystemClock;
use serde_json::json;
use store::transfer::{marks, write_archive};
use terminal::Output;

use crate::database::{Database, identity};
use crate::progress::Progress;

#[derive(Args)]
pub struct BackupArgs {
    #[command(flatten)]
    place: Place,
    /// The file to write; it must not exist.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// Writes the state of the database at one moment to a file, while servers may use the database.
pub async fn backup(arguments: &BackupArgs) -> Result<ExitCode, String> {
    let database = Database::configured(&arguments.place.load()?)?;
    let (store, _) = database.open_to_read().await?;
    let found = marks(store.as_ref()).await.map_err(|error| cause(&error))?;
    if let Some(copy) = found.unfinished {
        return Err(format!(
            "a copy into this database is not complete ({copy})"
        ));
    }
    let Some(of) = identity(store.as_ref()).await? else {
        return Err(
            "no server has ever used this database: there is nothing to back up".to_owned(),
        );
    };
    let header = json!({
        "made": SystemClock.now().rfc3339(), "version": env!("CARGO_PKG_VERSION"),
        "engine": database.engine(), "database": of,
    });
    let progress = Progress::of(0);
    let to = &arguments.to;
    let info = write_archive(store.as_ref(), to, &header.to_string())
        .await
        .map_err(|error| cause(&error))?;
    let (rows, seconds) = (info.digest.rows(), progress.elapsed().as_secs_f64());
    let sum = hex::encode(info.digest.sha256);
    let value = json!({
        "file": to, "rows": rows, "sha256": sum, "seconds": seconds, "database": of, "kinds": info.digest.kinds,
    });
    let text = format!(
        "{}: {rows} rows in {seconds:.1} s, sha256 {sum}\nThe key file is not in the backup: keep a copy of it in \
         another place.",
        to.display()
    );
    arguments.output.print(&value, &text)
}
