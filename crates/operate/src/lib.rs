//! The commands that work with an installation's root keys and database: doctor, migrate, keys, backup, restore, move.

mod archive;
mod doctor;
mod keys;
mod relocate;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use compose::{cause, no_database};
use config::Place;
use domain::port::Store;
use domain::secret::SecretText;
use store::transfer::{Changes, Source, StoreSource};
use store::{
    Backend, Migrations, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, SqliteView,
};
use terminal::print;

pub use doctor::{DoctorArgs, MigrateArgs, doctor, migrate};
pub use keys::{KeysCommand, keys};

/// Time limit for a whole database.
const PATIENCE: Duration = Duration::from_secs(7 * 86_400);
/// Time limit for one page of it.
const PAGE_PATIENCE: Duration = Duration::from_secs(120);

#[derive(Args)]
pub struct BackupArgs {
    #[command(flatten)]
    place: Place,
    /// The file to write; it must not exist.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    place: Place,
    /// The backup to read.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    #[arg(long)]
    json: bool,
}

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
    #[arg(long)]
    json: bool,
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

pub async fn backup(arguments: &BackupArgs) -> Result<ExitCode, String> {
    let loaded = arguments.place.load()?;
    let database = Database::configured(&loaded)?;
    archive::backup(&database, &arguments.to, arguments.json).await
}

pub async fn restore(arguments: &RestoreArgs) -> Result<ExitCode, String> {
    let loaded = arguments.place.load()?;
    let database = Database::configured(&loaded)?;
    archive::restore(&database, &arguments.from, arguments.json).await
}

pub async fn db(command: DbCommand) -> Result<ExitCode, String> {
    match command {
        DbCommand::Move(arguments) => {
            let ca = arguments.ca_file.as_deref();
            let from = Database::named("from", arguments.from, arguments.from_file.as_deref(), ca)?;
            let to = Database::named("to", arguments.to, arguments.to_file.as_deref(), ca)?;
            relocate::relocate(&from, &to, arguments.json).await
        }
        DbCommand::Release(arguments) => {
            let ca = arguments.ca_file.as_deref();
            let file = arguments.database_file.as_deref();
            let database = Database::named("database", arguments.database, file, ca)?;
            relocate::release(&database).await
        }
    }
}

/// A database, by its engine and place.
enum Database {
    Sqlite(PathBuf),
    Postgres {
        url: SecretText,
        ca_file: Option<PathBuf>,
    },
}

impl Database {
    /// The database that the configuration names.
    fn configured(loaded: &config::Loaded) -> Result<Self, String> {
        let storage = &loaded.config.storage;
        Ok(match storage.postgres()? {
            Some(url) => Self::Postgres {
                url,
                ca_file: storage.ca_file.clone(),
            },
            None => Self::Sqlite(loaded.data.join(compose::DATABASE)),
        })
    }

    fn named(
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
    fn name(&self) -> String {
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
    fn has_folder(&self) -> Result<(), String> {
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

    fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres { .. } => "postgres",
        }
    }

    /// Opens it for reading, also while servers use it. Also returns the approximate number of rows.
    async fn look(&self) -> Result<(Arc<dyn Store>, u64), String> {
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
    async fn own(&self, migrations: Migrations) -> Result<Arc<dyn Backend>, String> {
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
        deadline: PATIENCE,
        statement_timeout: PAGE_PATIENCE,
        ca_file: ca_file.map(Path::to_owned),
        ..PostgresOptions::default()
    };
    PostgresStore::connect(url.expose(), options).map_err(|error| cause(&error))
}

/// The id of the database, from its check of the root keys; `None` if no server has ever used it.
async fn identity(store: &dyn Store) -> Result<Option<String>, String> {
    let check = compose::stored_check(store).await;
    let check = check.map_err(|error| cause(&error))?;
    Ok(check.map(|check| check.split(' ').next().unwrap_or_default().to_owned()))
}

/// Whether the database contains no rows, apart from marks.
async fn is_empty(store: &Arc<dyn Store>) -> Result<bool, String> {
    let first = StoreSource::new(Arc::clone(store)).next().await;
    Ok(first.map_err(|error| cause(&error))?.is_none())
}

/// Reports the progress of a copy and the time left on standard error, about once a second.
struct Progress {
    total: u64,
    watch: std::time::Instant,
    told: Duration,
}

impl Progress {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a copy takes, for the operator who waits"
    )]
    fn of(total: u64) -> Self {
        Self {
            total,
            watch: std::time::Instant::now(),
            told: Duration::ZERO,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how long a copy takes, for the operator who waits"
    )]
    fn elapsed(&self) -> Duration {
        self.watch.elapsed()
    }

    fn tell(&mut self, done: &Changes) {
        let elapsed = self.elapsed();
        if elapsed < self.told + Duration::from_secs(1) {
            return;
        }
        self.told = elapsed;
        let seen = done.seen();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate"
        )]
        let left = (elapsed.as_secs_f64() / seen.max(1) as f64
            * self.total.saturating_sub(seen) as f64) as u64;
        eprintln!("{seen} of about {} rows, about {left} s left", self.total);
    }
}

fn say(json: bool, value: &serde_json::Value, text: &str) -> Result<ExitCode, String> {
    if json {
        print(&value.to_string())
    } else {
        print(text)
    }
}
