//! Whether a server may begin to work with a database: it must be whole, here, and the newest there is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::audit::Checkpoint;
use domain::error::chain;
use domain::rollback::Standing;
use domain::{Error, Keeper};
use store::transfer::{Mark, Marks, marks, unset_mark};
use store::{Backend, SchemaError};

use crate::{anchor, chain as cause};

const WHAT_TO_DO: &str = "What was counted and used since is forgotten in it: wrong PINs would be given back, used codes \
     would work again. So the server does not work with it. Put the newest database back.";
const IF_LOST: &str = "If that is lost, start once with --accept-rollback: then every PIN, code and login keeps one try at \
     most, and all codes, sessions and running recoveries are ended.";

/// Looks at the database before the first request, waits while it is away, and burns what must be burned.
/// Gives the anchor to go on from.
pub async fn admit(
    keeper: &Arc<Keeper>,
    store: &dyn Backend,
    path: &Path,
    accept: bool,
) -> Result<Option<Checkpoint>, String> {
    let found = patiently(|| marks(store)).await?;
    let known = match anchor::read(path) {
        Err(why) if !accept => return Err(broken(&why)),
        known => known.ok().flatten(),
    };
    let standing = patiently(|| keeper.standing(store, known.as_ref())).await?;
    let unknown = known.is_none() && (found.restored.is_some() || accept);
    match standing {
        Standing::Current if !unknown => {
            if accept {
                tracing::warn!(
                    code = "nothing_to_accept",
                    "the database is the newest there is: --accept-rollback has nothing to do"
                );
            }
        }
        Standing::Burning => burn(keeper).await?,
        _ if accept => {
            let before = known.as_ref();
            patiently(|| keeper.begin_era(before)).await?;
            burn(keeper).await?;
        }
        Standing::Older { why } => return Err(older(path, &why)),
        Standing::Current => return Err(unanchored(path)),
    }
    if found.restored.is_some() {
        patiently(|| unset_mark(store, Mark::Restored)).await?;
    }
    let end = patiently(|| keeper.checkpoint_of(store)).await?;
    if let Some(end) = &end
        && let Err(error) = anchor::keep(path, end).await
    {
        tracing::error!(code = "anchor", error, "the anchor lags");
        return Ok(known);
    }
    Ok(end)
}

/// Why nobody may work with a database that is not as new as the anchor at `path`.
pub fn older(path: &Path, why: &str) -> String {
    format!(
        "the database may be older than what this server has seen: {why} (anchor {}). {WHAT_TO_DO} {IF_LOST}",
        path.display()
    )
}

/// Why nobody may work with a database out of a backup, when there is no anchor at `path`.
pub fn unanchored(path: &Path) -> String {
    format!(
        "the database came out of a backup, and there is no anchor {} that tells whether it is the newest. \
         {WHAT_TO_DO} {IF_LOST}",
        path.display()
    )
}

/// Why nobody may work with a database whose anchor cannot be read.
pub fn broken(why: &str) -> String {
    format!(
        "{why}. Without it nobody can tell whether the database is the newest. Put the anchor's own copy back. \
         {IF_LOST}"
    )
}

/// Why nobody may work with a database that carries these marks.
pub fn not_here(marks: &Marks) -> Option<String> {
    if let Some(copy) = &marks.unfinished {
        return Some(format!(
            "a copy into this database is not at its end ({copy}): run the same command again"
        ));
    }
    marks.moved.as_ref().map(|to| {
        format!(
            "this database was moved away ({to}): work with the other one, or take it back with `keyward db release`"
        )
    })
}

async fn burn(keeper: &Arc<Keeper>) -> Result<(), String> {
    let mut told = 0;
    loop {
        let burned = patiently(|| keeper.burn_some()).await?;
        if burned.done || burned.rows >= told + 10_000 {
            told = burned.rows;
            tracing::warn!(
                code = "rollback_burn",
                rows = told,
                done = burned.done,
                "an older database was accepted: tries, codes and sessions of before are ended"
            );
        }
        if burned.done {
            break;
        }
    }
    // The anchor tells of the new era from here on.
    while patiently(|| keeper.link_audit()).await? > 0 {}
    Ok(())
}

/// Asks again, once a second, while the database is away. One that this release cannot work with is no such one.
pub(crate) async fn patiently<T, F>(mut ask: impl FnMut() -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, Error>>,
{
    loop {
        match ask().await {
            Ok(value) => return Ok(value),
            Err(Error::Unavailable(error)) => {
                if let Some(why) = SchemaError::lasting(error.as_ref()) {
                    return Err(why.to_string());
                }
                let error = chain(error.as_ref());
                tracing::warn!(code = "database_away", error, "waiting for the database");
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a database that is away is asked once a second"
                )]
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(cause(&error)),
        }
    }
}
