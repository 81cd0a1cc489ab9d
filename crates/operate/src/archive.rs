//! `keyward backup` and `keyward restore`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use compose::cause;
use domain::port::{Clock, Store};
use outside::SystemClock;
use serde_json::json;
use store::Migrations;
use store::transfer::{
    Archive, Digest, Mark, StoreSource, digest, marks, set_mark, sync, unset_mark, write_archive,
};

use crate::{Database, Progress, identity, is_empty, say};

/// Writes the state of the database at one moment to a file, while servers may use the database.
pub(crate) async fn backup(
    database: &Database,
    to: &Path,
    as_json: bool,
) -> Result<ExitCode, String> {
    let (store, _) = database.look().await?;
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
    let info = write_archive(store.as_ref(), to, &header.to_string())
        .await
        .map_err(|error| cause(&error))?;
    let (rows, seconds) = (info.digest.rows(), progress.elapsed().as_secs_f64());
    let sum = hex::encode(info.digest.sha256);
    let value = json!({
        "file": to, "rows": rows, "sha256": sum, "seconds": seconds, "database": of, "kinds": info.digest.kinds,
    });
    let text = format!(
        "{}: {rows} rows in {seconds:.1} s, sha256 {sum}\nThe key file is not in the backup: keep a copy of it in another place.",
        to.display()
    );
    say(as_json, &value, &text)
}

/// Restores a backup into an empty database. A server that starts on it checks whether it is the newest.
pub(crate) async fn restore(
    database: &Database,
    from: &Path,
    as_json: bool,
) -> Result<ExitCode, String> {
    let archive = Archive::open(from).map_err(|error| cause(&error))?;
    let sum = hex::encode(archive.info.digest.sha256);
    let target = database.own(Migrations::Apply).await?;
    let plain = Arc::clone(&target) as Arc<dyn Store>;
    let run = async {
        let told = format!("restore {sum}");
        let found = marks(plain.as_ref()).await?;
        if found.unfinished.as_ref() != Some(&told) {
            return Ok(None);
        }
        Ok::<_, domain::Error>(Some(()))
    };
    let resumed = run.await.map_err(|error| cause(&error))?.is_some();
    if !resumed && !is_empty(&plain).await? {
        return Err(format!(
            "{} is not empty: a restore overwrites nothing. Move it away first; for SQLite, also the files -wal and -shm \
             beside it if there are any",
            database.name()
        ));
    }
    let mut progress = Progress::of(archive.info.digest.rows());
    let there = fill(&archive, &plain, &sum, &mut progress)
        .await
        .map_err(|error| cause(&error))?;
    if there != archive.info.digest {
        return Err("the restored database differs from the backup: run this again".to_owned());
    }
    unset_mark(plain.as_ref(), Mark::Unfinished)
        .await
        .map_err(|error| cause(&error))?;
    let (rows, seconds) = (there.rows(), progress.elapsed().as_secs_f64());
    let value = json!({
        "file": from, "rows": rows, "sha256": sum, "seconds": seconds, "kinds": there.kinds,
    });
    let text = format!(
        "{}: {rows} rows in {seconds:.1} s, compared\nIf a newer state was ever used, the server refuses to start \
         with it: then start once with --accept-rollback.",
        database.name()
    );
    say(as_json, &value, &text)
}

async fn fill(
    archive: &Archive,
    target: &Arc<dyn Store>,
    sum: &str,
    progress: &mut Progress,
) -> Result<Digest, domain::Error> {
    set_mark(target.as_ref(), Mark::Unfinished, &format!("restore {sum}")).await?;
    set_mark(target.as_ref(), Mark::Restored, sum).await?;
    sync(&mut archive.rows()?, target, &mut |done| {
        progress.tell(done);
    })
    .await?;
    digest(&mut StoreSource::new(Arc::clone(target))).await
}
