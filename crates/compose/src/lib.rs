//! Builds what a configuration names: the database, the root keys, the adapters, and the use cases over them.
//!
//! It opens no listener and knows no front, so that programs which only examine an installation can use it too.

pub mod admission;
pub mod advice;
pub mod anchor;
mod database;
mod gate;
mod keys;
mod retry;

use std::sync::Arc;

use config::{Config, Loaded, courier_options};
use domain::policy::{HashPolicy, Policy};
use domain::port::{Clock, Courier, Random, Roots, Store};
use domain::{Error, Ports, Services};
use outside::{
    ComposerOptions, HttpKeySets, LocalRoots, MovableClock, OutsideCourier, OutsideLiveness,
    SystemRandom, TemplateComposer, WatchedClock,
};
use store::transfer::marks;
use store::{Backend, Migrations};

pub use database::{DATABASE, has_no_file, no_database, open_database};
pub use gate::{Closed, Gate, LOOKED_FOR};
pub use keys::{configured_keys, key_path, stored_check};

/// The file of the development mailbox, in the data directory: a message per line.
pub const MAILBOX: &str = "mailbox.jsonl";

/// What is different in development mode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Production,
    Development { fast_hash: bool },
}

/// Everything that a server works with.
pub struct Composition {
    pub services: Services,
    /// The database itself, without the gate in front of it.
    pub store: Arc<dyn Backend>,
    pub gate: Arc<Gate>,
    /// The clock that is compared with the database's clock; `None` in development mode.
    pub watched: Option<Arc<WatchedClock>>,
    /// The clock that a developer can move; `None` in production.
    pub movable: Option<Arc<MovableClock>>,
    pub random: Arc<dyn Random>,
    /// Where the root keys are, for people.
    pub key_place: String,
    /// Which database it is, for people.
    pub database: String,
}

/// Builds everything for a server. Waits while the database cannot be reached, because new root keys may only be made
/// for a database that is known to be empty.
///
/// `public`: base URL of the public listener, which stands in links unless `server.public_url` is set.
pub async fn compose(loaded: &Loaded, mode: Mode, public: &str) -> Result<Composition, String> {
    let (store, database) = open_database(loaded, Migrations::Apply)?;
    let found = retry::until_available(|| marks(store.as_ref())).await?;
    if let Some(why) = admission::not_here(&found) {
        return Err(why);
    }
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    database::make_folder(&loaded.data)?;
    let clocks = Clocks::of(loaded, mode)?;
    let (keys, key_place) = keys::keys_for_start(
        loaded,
        store.as_ref(),
        clocks.clock.as_ref(),
        random.as_ref(),
    )
    .await?;
    let roots = Arc::new(LocalRoots::new(keys, Arc::clone(&random)));
    keys::check_and_store(store.as_ref(), &roots).await?;
    let gate = Arc::new(Gate::over(
        Arc::clone(&store) as Arc<dyn Store>,
        clocks.watched.clone(),
    ));
    let base = Base {
        store: Arc::clone(&gate) as Arc<dyn Store>,
        clock: clocks.clock,
        random: Arc::clone(&random),
        roots,
    };
    let services = services(loaded, mode, public, base)?;
    services.prepare().await.map_err(|error| cause(&error))?;
    Ok(Composition {
        services,
        store,
        gate,
        watched: clocks.watched,
        movable: clocks.movable,
        random,
        key_place,
        database,
    })
}

struct Clocks {
    clock: Arc<dyn Clock>,
    watched: Option<Arc<WatchedClock>>,
    movable: Option<Arc<MovableClock>>,
}

impl Clocks {
    fn of(loaded: &Loaded, mode: Mode) -> Result<Self, String> {
        if mode == Mode::Production {
            let watched = Arc::new(WatchedClock::default());
            return Ok(Self {
                clock: Arc::clone(&watched) as Arc<dyn Clock>,
                watched: Some(watched),
                movable: None,
            });
        }
        let movable = MovableClock::open(loaded.data.join("clock"))
            .map_err(|error| format!("the development clock: {error}"))?;
        let movable = Arc::new(movable);
        Ok(Self {
            clock: Arc::clone(&movable) as Arc<dyn Clock>,
            watched: None,
            movable: Some(movable),
        })
    }
}

/// What the use cases stand on, besides the adapters that the configuration names.
pub struct Base {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub roots: Arc<LocalRoots>,
}

/// The use cases over a database and its root keys. `public` is as in [`compose`].
pub fn services(loaded: &Loaded, mode: Mode, public: &str, base: Base) -> Result<Services, String> {
    let config = &loaded.config;
    let Base {
        store,
        clock,
        random,
        roots,
    } = base;
    let mailbox = (mode != Mode::Production).then(|| loaded.data.join(MAILBOX));
    let options = courier_options(config, mailbox.as_deref())?;
    let courier = Arc::new(OutsideCourier::new(options, Arc::clone(&clock))?);
    let composer = TemplateComposer::new(&ComposerOptions {
        product: config.mail.product.clone(),
        overrides: config.mail.templates.clone(),
    })?;
    let ports = Ports {
        store,
        clock: Arc::clone(&clock),
        random,
        roots: roots as Arc<dyn Roots>,
        courier: courier as Arc<dyn Courier>,
        composer: Arc::new(composer),
        key_sets: Arc::new(HttpKeySets::new(config.duo.key_sets())?),
        liveness: Arc::new(OutsideLiveness::new(config.duo.liveness()?, clock)?),
    };
    Services::new(ports, policy(config, mode, public)?).map_err(|error| cause(&error))
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

/// What caused an error, in one line for an operator: without the domain's own name for the kind of error.
pub fn cause(error: &Error) -> String {
    match error {
        Error::Bug(source) | Error::Unavailable(source) => domain::error::chain(source.as_ref()),
        other => domain::error::chain(other),
    }
}
