//! The database that the configuration names.

use std::path::Path;
use std::sync::Arc;

use config::Loaded;
use store::{
    Backend, Migrations, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Statements,
};

use crate::cause;

/// The database file of SQLite, in the data directory.
pub const DATABASE: &str = "keyward.db";

/// Opens the configured database, and makes a SQLite file that does not exist yet. Also returns its name for people.
pub fn open_database(
    loaded: &Loaded,
    migrations: Migrations,
) -> Result<(Arc<dyn Backend>, String), String> {
    let storage = &loaded.config.storage;
    if let Some(url) = storage.postgres()? {
        let options = PostgresOptions {
            migrations,
            pool_size: storage.pool_size,
            statements: if storage.prepared_statements {
                Statements::Prepared
            } else {
                Statements::Unnamed
            },
            ca_file: storage.ca_file.clone(),
            ..PostgresOptions::default()
        };
        let store = PostgresStore::connect(url.expose(), options).map_err(|error| cause(&error))?;
        return Ok((Arc::new(store), "PostgreSQL".to_owned()));
    }
    make_folder(&loaded.data)?;
    let path = loaded.data.join(DATABASE);
    let options = SqliteOptions {
        migrations,
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(&path, &options).map_err(|error| cause(&error))?;
    Ok((Arc::new(store), format!("SQLite {}", path.display())))
}

/// Whether the configuration names a SQLite file that does not exist.
pub fn has_no_file(loaded: &Loaded) -> Result<bool, String> {
    let is_sqlite = loaded.config.storage.postgres()?.is_none();
    Ok(is_sqlite && !loaded.data.join(DATABASE).exists())
}

/// What a program other than `serve` says when there is no database yet.
pub fn no_database(path: &Path) -> String {
    format!(
        "there is no database {}: `keyward serve` makes one at its first start. If it is elsewhere, name its folder \
         with --data, or the configuration with --config",
        path.display()
    )
}

/// Makes a folder that only its owner can read, with the folders above it.
pub(crate) fn make_folder(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::DirBuilderExt;
    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| format!("cannot make the folder {}: {error}", path.display()))
}
