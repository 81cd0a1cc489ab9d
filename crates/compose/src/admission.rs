//! Whether a server may begin to work with a database: it must be complete, not moved away, and the newest there is.

use std::path::Path;

use domain::Services;
use domain::trail::audit::Checkpoint;
use domain::trail::rollback::Freshness;
use store::Backend;
use store::transfer::{Mark, Marks, marks, unset_mark};

use crate::anchor;
use crate::retry::until_available;

const WHAT_TO_DO: &str = "An older database does not contain what was counted and used since: it would give wrong PINs back, \
     and used codes would work again. So the server does not work with it. Put the newest database back.";
const IF_LOST: &str = "If it is lost, start once with --accept-rollback: then every PIN, code and login has one try left at \
     most, and all codes, sessions and running recoveries are ended.";

/// Examines the database before the first request, and waits while it cannot be reached. If `accept` is set, accepts
/// an older database and limits everything in it to one try.
///
/// `path`: the file of the anchor. Returns the anchor to go on from.
pub async fn admit(
    services: &Services,
    store: &dyn Backend,
    path: &Path,
    accept: bool,
) -> Result<Option<Checkpoint>, String> {
    let found = until_available(|| marks(store)).await?;
    let known = match anchor::read(path) {
        Err(why) if !accept => return Err(broken(&why)),
        known => known.ok().flatten(),
    };
    let freshness = until_available(|| services.upkeep.freshness(store, known.as_ref())).await?;
    let is_unknown = known.is_none() && (found.restored.is_some() || accept);
    match freshness {
        Freshness::Current if !is_unknown => {
            if accept {
                tracing::warn!(
                    code = "nothing_to_accept",
                    "the database is the newest there is: --accept-rollback changes nothing"
                );
            }
        }
        Freshness::Limiting => limit_to_one_try(services).await?,
        _ if accept => {
            let before = known.as_ref();
            until_available(|| services.upkeep.begin_era(before)).await?;
            limit_to_one_try(services).await?;
        }
        Freshness::Older { why } => return Err(older(path, &why)),
        Freshness::Current => return Err(unanchored(path)),
    }
    if found.restored.is_some() {
        until_available(|| unset_mark(store, Mark::Restored)).await?;
    }
    let newest = until_available(|| services.upkeep.checkpoint_of(store)).await?;
    if let Some(newest) = &newest
        && let Err(error) = anchor::write(path, newest).await
    {
        tracing::error!(
            code = "anchor",
            error,
            "the anchor is older than the database"
        );
        return Ok(known);
    }
    Ok(newest)
}

/// Why no server may work with a database that is older than the anchor at `path`.
pub fn older(path: &Path, why: &str) -> String {
    format!(
        "the database may be older than what this server has seen: {why} (anchor {}). {WHAT_TO_DO} {IF_LOST}",
        path.display()
    )
}

/// Why no server may work with a database from a backup if there is no anchor at `path`.
pub fn unanchored(path: &Path) -> String {
    format!(
        "the database came out of a backup, and there is no anchor {} to tell whether it is the newest. \
         {WHAT_TO_DO} {IF_LOST}",
        path.display()
    )
}

/// Why no server may work with a database whose anchor cannot be read.
pub fn broken(why: &str) -> String {
    format!(
        "{why}. Without the anchor nobody can tell whether the database is the newest. Put a copy of the anchor back. \
         {IF_LOST}"
    )
}

/// Why no server may work with a database that carries these marks; `None` if it may.
pub fn not_here(marks: &Marks) -> Option<String> {
    if let Some(copy) = &marks.unfinished {
        return Some(format!(
            "a copy into this database is not complete ({copy}): run the same command again"
        ));
    }
    marks.moved.as_ref().map(|to| {
        format!(
            "this database was moved away ({to}): use the other one, or take this one back with `keyward db release`"
        )
    })
}

async fn limit_to_one_try(services: &Services) -> Result<(), String> {
    let mut logged = 0;
    loop {
        let progress = until_available(|| services.upkeep.limit_after_rollback()).await?;
        if progress.done || progress.rows >= logged + 10_000 {
            logged = progress.rows;
            tracing::warn!(
                code = "rollback_burn",
                rows = logged,
                done = progress.done,
                "an older database was accepted: limiting everything in it to one try, and ending codes and sessions"
            );
        }
        if progress.done {
            break;
        }
    }
    // From here on the anchor names the new era.
    while until_available(|| services.upkeep.link_audit()).await? > 0 {}
    Ok(())
}
