//! The root keys that the configuration names, and the check by which a database knows its own.

use std::path::PathBuf;
use std::sync::Arc;

use config::Loaded;
use domain::Error;
use domain::error::chain;
use domain::port::store::{Row, RowId, Stop, Tx};
use domain::port::{Clock, Random, Store};
use outside::{KeyFile, LocalRoots};
use store::Backend;

use crate::database::make_folder;
use crate::retry::until_available;

/// Kind and id of the row with the check of the root keys. Its body is not sealed, because it is read before the keys
/// are known.
const SERVER: &str = "server";
const KEYS: RowId = RowId(*b"keys of this db.");

/// Where the key file is.
pub fn key_path(loaded: &Loaded) -> PathBuf {
    let configured = loaded.config.keys.file.clone();
    configured.unwrap_or_else(|| loaded.data.join("keyward.keys"))
}

/// The root keys that the configuration names, and where they are, for people.
pub fn configured_keys(loaded: &Loaded) -> Result<(KeyFile, String), String> {
    match loaded.config.keys.kind.as_str() {
        "env" => keys_of_environment(loaded),
        "file" => {
            let path = key_path(loaded);
            let keys = KeyFile::load(&path).map_err(|error| chain(&error))?;
            Ok((keys, path.display().to_string()))
        }
        other => Err(format!(
            "configuration: [keys] kind {other} is not file or env"
        )),
    }
}

fn keys_of_environment(loaded: &Loaded) -> Result<(KeyFile, String), String> {
    let name = &loaded.config.keys.env;
    #[expect(
        clippy::disallowed_methods,
        reason = "the configuration says that the keys are in this variable"
    )]
    let text = std::env::var(name).map_err(|_| {
        format!(
            "[keys] kind is env, but {name} is not set: put the content of a key file into it; \
             the first start with kind = \"file\" makes one"
        )
    })?;
    let keys = KeyFile::parse(&text).map_err(|error| chain(&error))?;
    Ok((keys, format!("environment variable {name}")))
}

/// The configured root keys, or new ones in a new key file if no server has worked with the database yet.
pub(crate) async fn keys_for_start(
    loaded: &Loaded,
    store: &dyn Backend,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<(KeyFile, String), String> {
    let path = key_path(loaded);
    let in_file = loaded.config.keys.kind == "file";
    if !in_file || until_available(|| stored_check(store)).await?.is_some() {
        return configured_keys(loaded);
    }
    if path.exists() {
        tracing::warn!(
            code = "empty_database",
            "the key file is older than this database, which is empty: if the keys belong to another database, stop \
             the server and put that database back"
        );
        return configured_keys(loaded);
    }
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let id = domain::port::random::uuid(random);
    let keys = KeyFile::create(&path, id, clock.now(), random).map_err(|error| chain(&error))?;
    Ok((keys, path.display().to_string()))
}

/// Refuses the root keys of another database, and stores the check of these.
pub(crate) async fn check_and_store(
    store: &dyn Backend,
    roots: &Arc<LocalRoots>,
) -> Result<(), String> {
    until_available(|| {
        let roots = Arc::clone(roots);
        store.write(Box::new(move |tx: &mut dyn Tx| check_in(tx, &roots)))
    })
    .await
}

fn check_in(tx: &mut dyn Tx, roots: &LocalRoots) -> Result<(), Stop> {
    let check = roots.check().into_bytes();
    let Some(mut row) = tx.get(SERVER, &KEYS)? else {
        let row = Row {
            id: KEYS,
            owner: None,
            rank: 0,
            due: None,
            version: 1,
            body: check,
        };
        return tx.insert(SERVER, &row);
    };
    let stored = String::from_utf8_lossy(&row.body).into_owned();
    roots
        .verify(&stored)
        .map_err(|error| Stop::Failed(Error::bug(error)))?;
    if row.body != check {
        row.body = check;
        row.version += 1;
        tx.update(SERVER, &row)?;
    }
    Ok(())
}

/// The check of the root keys that the last server worked with; `None` if no server has worked with this database yet.
pub async fn stored_check(store: &dyn Store) -> Result<Option<String>, Error> {
    let row = store.row(SERVER, KEYS).await?;
    Ok(row.map(|row| String::from_utf8_lossy(&row.body).into_owned()))
}
