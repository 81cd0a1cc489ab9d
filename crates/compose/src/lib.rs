//! Builds the adapters and the keeper out of the configuration.

pub mod admission;
pub mod advice;
pub mod anchor;
mod gate;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::{Config, Loaded, courier_options};
use domain::policy::{HashPolicy, Policy};
use domain::port::store::{Row, RowId, Stop, Tx};
use domain::port::{Clock, Courier, Random, Roots, Store};
use domain::{Error, Keeper, Ports};
use outside::{
    ComposerOptions, HttpKeySets, KeyFile, LocalRoots, MovableClock, OutsideCourier,
    OutsideLiveness, SystemRandom, TemplateComposer, WatchedClock,
};
use store::transfer::marks;
use store::{
    Backend, Migrations, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Statements,
};

pub use gate::{Closed, Gate, LOOKED_FOR};

/// Where the lines of the development mailbox lie.
pub const MAILBOX: &str = "mailbox.jsonl";
/// The database file of SQLite, in the data directory.
pub const DATABASE: &str = "keyward.db";

/// What is different in development mode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Production,
    Development { fast_hash: bool },
}

/// Everything the commands work with.
pub struct House {
    pub keeper: Arc<Keeper>,
    /// The database without the gate before it.
    pub store: Arc<dyn Backend>,
    pub gate: Arc<Gate>,
    /// The clock that is compared with the database's, where that has one.
    pub watched: Option<Arc<WatchedClock>>,
    pub clock: Option<Arc<MovableClock>>,
    pub random: Arc<dyn Random>,
    pub key_place: String,
    pub database: String,
}

/// The database that the configuration names.
pub fn database(
    loaded: &Loaded,
    migrations: Migrations,
) -> Result<(Arc<dyn Backend>, String), String> {
    match loaded.config.storage.postgres()? {
        Some(url) => {
            let storage = &loaded.config.storage;
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
            let store =
                PostgresStore::connect(url.expose(), options).map_err(|error| chain(&error))?;
            Ok((Arc::new(store), "PostgreSQL".to_owned()))
        }
        None => {
            make_folder(&loaded.data)?;
            let path = loaded.data.join(DATABASE);
            let options = SqliteOptions {
                migrations,
                ..SqliteOptions::default()
            };
            let store = SqliteStore::open(&path, &options).map_err(|error| chain(&error))?;
            Ok((Arc::new(store), format!("SQLite {}", path.display())))
        }
    }
}

/// Builds everything. Waits for a database that is away, because keys are made only for an empty one.
pub async fn house(loaded: &Loaded, mode: Mode, public: &str) -> Result<House, String> {
    let (store, database) = database(loaded, Migrations::Apply)?;
    let found = admission::patiently(|| marks(store.as_ref())).await?;
    if let Some(why) = admission::not_here(&found) {
        return Err(why);
    }
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    make_folder(&loaded.data)?;
    let watched = (mode == Mode::Production).then(|| Arc::new(WatchedClock::default()));
    let (clock, movable): (Arc<dyn Clock>, _) = match (mode, &watched) {
        (_, Some(watched)) => (Arc::clone(watched) as Arc<dyn Clock>, None),
        (_, None) => {
            let clock = MovableClock::open(loaded.data.join("clock"))
                .map_err(|error| format!("the development clock: {error}"))?;
            let clock = Arc::new(clock);
            (Arc::clone(&clock) as Arc<dyn Clock>, Some(clock))
        }
    };
    let (keys, key_place) = keys(loaded, store.as_ref(), clock.as_ref(), random.as_ref()).await?;
    let roots = Arc::new(LocalRoots::new(keys, Arc::clone(&random)));
    recognise(store.as_ref(), &roots).await?;
    let gate = Arc::new(Gate::over(
        Arc::clone(&store) as Arc<dyn Store>,
        watched.clone(),
    ));
    let over = Arc::clone(&gate) as Arc<dyn Store>;
    let keeper = keeper(
        loaded,
        mode,
        public,
        (over, clock, Arc::clone(&random), roots),
    )?;
    keeper.prepare().await.map_err(|error| chain(&error))?;
    Ok(House {
        keeper,
        store,
        gate,
        watched,
        clock: movable,
        random,
        key_place,
        database,
    })
}

/// What a keeper works with besides what the configuration names.
pub type Base = (
    Arc<dyn Store>,
    Arc<dyn Clock>,
    Arc<dyn Random>,
    Arc<LocalRoots>,
);

/// The keeper over a database and its keys.
pub fn keeper(
    loaded: &Loaded,
    mode: Mode,
    public: &str,
    (store, clock, random, roots): Base,
) -> Result<Arc<Keeper>, String> {
    let mailbox = (mode != Mode::Production).then(|| loaded.data.join(MAILBOX));
    let options = courier_options(&loaded.config, mailbox.as_deref())?;
    let courier = Arc::new(OutsideCourier::new(options, Arc::clone(&clock))?);
    let composer = TemplateComposer::new(&ComposerOptions {
        product: loaded.config.mail.product.clone(),
        overrides: loaded.config.mail.templates.clone(),
    })?;
    let ports = Ports {
        store,
        clock: Arc::clone(&clock),
        random,
        roots: roots as Arc<dyn Roots>,
        courier: courier as Arc<dyn Courier>,
        composer: Arc::new(composer),
        key_sets: Arc::new(HttpKeySets::new(loaded.config.duo.key_sets())?),
        liveness: Arc::new(OutsideLiveness::new(loaded.config.duo.liveness()?, clock)?),
    };
    let policy = policy(&loaded.config, mode, public)?;
    Keeper::new(ports, policy).map_err(|error| chain(&error))
}

fn policy(config: &Config, mode: Mode, public: &str) -> Result<Policy, String> {
    let cost = match mode {
        Mode::Development { fast_hash: true } => crypto::password::Cost::CHEAPEST,
        _ => config.security.cost(),
    };
    let public = match config.server.public_url.as_str() {
        "" => public,
        url => url,
    };
    Ok(Policy {
        hash: HashPolicy {
            cost,
            threads: config.security.threads(),
            queue: config.security.hash_queue,
        },
        limits: config.limits.policy(),
        guarded_key: config.photon.policy(),
        person: config.profile.policy(&config.mail.product),
        device_keys: config.cis.policy(public),
        vault: config.enceeper.policy(public),
        wallet: config.duo.policy()?,
        public_url: public.to_owned(),
    })
}

/// The root keys: those configured, or new ones for an empty database.
async fn keys(
    loaded: &Loaded,
    store: &dyn Backend,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<(KeyFile, String), String> {
    let path = key_path(loaded);
    let in_file = loaded.config.keys.kind == "file";
    if !in_file || !is_new(store).await? {
        return held_keys(loaded);
    }
    if path.exists() {
        tracing::warn!(
            code = "empty_database",
            "the key file was there before this database, which is empty: if there was another one, stop and \
             put all of it back"
        );
        return held_keys(loaded);
    }
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let id = domain::port::random::uuid(random);
    let keys = KeyFile::create(&path, id, clock.now(), random);
    let keys = keys.map_err(|error| domain::error::chain(&error))?;
    Ok((keys, path.display().to_string()))
}

/// The root keys that the configuration names, and where they are.
pub fn held_keys(loaded: &Loaded) -> Result<(KeyFile, String), String> {
    match loaded.config.keys.kind.as_str() {
        "env" => keys_of_environment(loaded),
        "file" => {
            let path = key_path(loaded);
            let keys = KeyFile::load(&path).map_err(|error| domain::error::chain(&error))?;
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
        reason = "the binary is the one that reads the environment"
    )]
    let text = std::env::var(name).map_err(|_| {
        format!(
            "[keys] kind is env and {name} is not set: it takes the content of a key file; \
             the first start with kind = \"file\" makes one"
        )
    })?;
    let keys = KeyFile::parse(&text).map_err(|error| domain::error::chain(&error))?;
    Ok((keys, format!("environment variable {name}")))
}

/// Whether the configuration names a SQLite file that is not there.
pub fn has_no_file(loaded: &Loaded) -> Result<bool, String> {
    let of_sqlite = loaded.config.storage.postgres()?.is_none();
    Ok(of_sqlite && !loaded.data.join(DATABASE).exists())
}

/// What to say where there is no database yet, and no server is being started.
pub fn no_database(path: &Path) -> String {
    format!(
        "there is no database {}: `keyward serve` makes one at its first start; another folder is named with \
         --data, a configuration with --config",
        path.display()
    )
}

/// Where the key file lies.
pub fn key_path(loaded: &Loaded) -> PathBuf {
    loaded
        .config
        .keys
        .file
        .clone()
        .unwrap_or_else(|| loaded.data.join("keyward.keys"))
}

const SERVER: &str = "server";
const KEYS: RowId = RowId(*b"keys of this db.");
/// Where the mark of a database's keys lies.
pub const KEYS_ROW: (&str, RowId) = (SERVER, KEYS);

/// Whether no server has ever worked with this database. Waits while it is away.
async fn is_new(store: &dyn Backend) -> Result<bool, String> {
    loop {
        match kept(store).await {
            Ok(kept) => return Ok(kept.is_none()),
            Err(Error::Unavailable(error)) => {
                tracing::warn!(
                    code = "database_away",
                    error = domain::error::chain(error.as_ref()),
                    "waiting for the database"
                );
                pause().await;
            }
            Err(error) => return Err(chain(&error)),
        }
    }
}

/// Refuses the keys of another database, and keeps the mark of these.
async fn recognise(store: &dyn Backend, roots: &Arc<LocalRoots>) -> Result<(), String> {
    loop {
        let known = Arc::clone(roots);
        let job = move |tx: &mut dyn Tx| {
            let mark = known.check().into_bytes();
            match tx.get(SERVER, &KEYS)? {
                None => {
                    let row = Row {
                        id: KEYS,
                        owner: None,
                        rank: 0,
                        due: None,
                        version: 1,
                        body: mark,
                    };
                    tx.insert(SERVER, &row)
                }
                Some(mut row) => {
                    let kept = String::from_utf8_lossy(&row.body).into_owned();
                    known
                        .verify(&kept)
                        .map_err(|error| Stop::Failed(Error::bug(error)))?;
                    if row.body != mark {
                        row.body = mark;
                        row.version += 1;
                        tx.update(SERVER, &row)?;
                    }
                    Ok(())
                }
            }
        };
        match store.write(Box::new(job)).await {
            Ok(()) => return Ok(()),
            Err(Error::Unavailable(error)) => {
                tracing::warn!(
                    code = "database_away",
                    error = domain::error::chain(error.as_ref()),
                    "waiting for the database"
                );
                pause().await;
            }
            Err(Error::Bug(error)) => return Err(domain::error::chain(error.as_ref())),
            Err(error) => return Err(chain(&error)),
        }
    }
}

/// The mark of the keys that this database was last opened with.
pub async fn kept(store: &dyn Backend) -> Result<Option<String>, Error> {
    let row = store.row(SERVER, KEYS).await?;
    Ok(row.map(|row| String::from_utf8_lossy(&row.body).into_owned()))
}

async fn pause() {
    #[expect(
        clippy::disallowed_methods,
        reason = "a database that is away is asked once a second"
    )]
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// Makes a folder that only its owner can read.
fn make_folder(path: &Path) -> Result<(), String> {
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

pub fn chain(error: &Error) -> String {
    match error {
        Error::Bug(source) | Error::Unavailable(source) => domain::error::chain(source.as_ref()),
        other => domain::error::chain(other),
    }
}
