//! The databases that are copied: opened to read or to write, without a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use compose::{DATABASE, cause, no_database, stored_check};
use config::Loaded;
use domain::port::Store;
use domain::secret::SecretText;
use store::transfer::{Source, StoreSource};
use store::{
    Backend, Migrations, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, SqliteView,
};

/// Time limit for a whole database.
const DATABASE_DEADLINE: Duration = Duration::from_secs(7 * 86_400);
/// Time limit for one page of it.
const PAGE_DEADLINE: Duration = Duration::from_secs(120);

/// A database, by its engine and place.
pub(crate) enum Database {
    Sqlite(PathBuf),
    Postgres {
        url: SecretText,
        ca_file: Option<PathBuf>,
    },
}

impl Database {
    /// The database that the configuration names.
    pub(crate) fn configured(loaded: &Loaded) -> Result<Self, String> {
        let storage = &loaded.config.storage;
        Ok(match storage.postgres()? {
            Some(url) => Self::Postgres {
                url,
                ca_file: storage.ca_file.clone(),
            },
            None => Self::Sqlite(loaded.data.join(DATABASE)),
        })
    }

    /// The database that is given as `sqlite:PATH` or a URL, by the flag itself or in a file.
    pub(crate) fn named(
        flag: &str,
        given: Option<String>,
        file: Option<&Path>,
        ca_file: Option<&Path>,
    ) -> Result<Self, String> {
        let text = match (given, file) {
            (Some(text), _) => text,
            (None, Some(file)) => std::fs::read_to_string(file)
                .map_err(|error| format!("{}: {error}", file.display()))?
                .trim()
                .to_owned(),
            (None, None) => return Err(format!("name a database with --{flag} or --{flag}-file")),
        };
        if let Some(path) = text.strip_prefix("sqlite:") {
            return Ok(Self::Sqlite(path.into()));
        }
        if ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            return Ok(Self::Postgres {
                url: SecretText::new(text),
                ca_file: ca_file.map(Path::to_owned),
            });
        }
        Err(format!("--{flag} is sqlite:PATH or postgres://…"))
    }

    /// Its name for people, without a password.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("SQLite {}", path.display()),
            Self::Postgres { url, .. } => {
                let host = url.expose().rsplit('@').next().unwrap_or_default();
                let host = host.split_once("://").map_or(host, |(_, host)| host);
                let host = host.split('?').next().unwrap_or_default();
                format!("PostgreSQL {host}")
            }
        }
    }

    /// Refuses a path in a folder that does not exist, because it is probably mistyped.
    pub(crate) fn has_folder(&self) -> Result<(), String> {
        let folder = match self {
            Self::Sqlite(path) => path.parent(),
            Self::Postgres { .. } => None,
        };
        match folder {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                Err(format!("the folder {} does not exist", folder.display()))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres { .. } => "postgres",
        }
    }

    /// Opens it for reading, also while servers use it. Also returns the approximate number of rows.
    pub(crate) async fn open_to_read(&self) -> Result<(Arc<dyn Store>, u64), String> {
        let sum = |kinds: &[(String, u64)]| kinds.iter().map(|(_, count)| count).sum();
        match self {
            Self::Sqlite(path) if !path.exists() => Err(no_database(path)),
            Self::Sqlite(path) => {
                let view = SqliteView::open(path).map_err(|error| cause(&error))?;
                let rows = sum(view.kinds());
                Ok((Arc::new(view), rows))
            }
            Self::Postgres { url, ca_file } => {
                let store = postgres(url, ca_file.as_deref(), Migrations::Require)?;
                store.ensure_schema().await.map_err(|error| cause(&error))?;
                let kinds = store.count_kinds().await.map_err(|error| cause(&error))?;
                Ok((Arc::new(store), sum(&kinds)))
            }
        }
    }

    /// Opens it for writing. No other process may then use a SQLite database.
    pub(crate) async fn open_to_write(
        &self,
        migrations: Migrations,
    ) -> Result<Arc<dyn Backend>, String> {
        match self {
            Self::Sqlite(path) if migrations == Migrations::Require && !path.exists() => {
                Err(no_database(path))
            }
            Self::Sqlite(path) => {
                let options = SqliteOptions {
                    migrations,
                    ..SqliteOptions::default()
                };
                let store = SqliteStore::open(path, &options).map_err(|error| cause(&error))?;
                Ok(Arc::new(store))
            }
            Self::Postgres { url, ca_file } => {
                let store = postgres(url, ca_file.as_deref(), migrations)?;
                store.ensure_schema().await.map_err(|error| cause(&error))?;
                Ok(Arc::new(store))
            }
        }
    }
}

fn postgres(
    url: &SecretText,
    ca_file: Option<&Path>,
    migrations: Migrations,
) -> Result<PostgresStore, String> {
    let options = PostgresOptions {
        migrations,
        pool_size: 2,
        deadline: DATABASE_DEADLINE,
        statement_timeout: PAGE_DEADLINE,
        ca_file: ca_file.map(Path::to_owned),
        ..PostgresOptions::default()
    };
    PostgresStore::connect(url.expose(), options).map_err(|error| cause(&error))
}

/// The id of the database, from its check of the root keys; `None` if no server has ever used it.
pub(crate) async fn identity(store: &dyn Store) -> Result<Option<String>, String> {
    let check = stored_check(store).await;
    let check = check.map_err(|error| cause(&error))?;
    Ok(check.map(|check| check.split(' ').next().unwrap_or_default().to_owned()))
}

/// Whether the database contains no rows, apart from marks.
pub(crate) async fn is_empty(store: &Arc<dyn Store>) -> Result<bool, String> {
    let first = StoreSource::new(Arc::clone(store)).next().await;
    Ok(first.map_err(|error| cause(&error))?.is_none())
}
