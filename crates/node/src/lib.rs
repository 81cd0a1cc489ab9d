//! `keyward serve`: the fronts on their listeners, and the jobs, over one composition.

mod admin_listener;
mod banner;
mod description;
mod dev;
mod health;
mod jobs;
mod listeners;
mod log;
mod metrics;
mod options;
mod running;
mod server;
mod surface;
mod watch;

use std::process::ExitCode;

use admin_wire::Running;
use clap::Args;
use compose::{Mode, admission, anchor};
use config::{Loaded, Place};
use domain::port::random::bytes;
use domain::secret::SecretText;
use terminal::StopSignals;

use listeners::Listeners;
use metrics::Metrics;
use watch::Watch;

pub use description::openapi;

#[derive(Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the command line, each under its own name"
)]
pub struct ServeArgs {
    #[command(flatten)]
    place: Place,
    /// Address of the public listener; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Address of the admin listener; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    admin_listen: Option<String>,
    /// Development mode: a mailbox instead of providers, and a clock that can be moved. Loopback only.
    #[arg(long)]
    dev: bool,
    /// Development mode with the cheapest hashing, for tests.
    #[arg(long, requires = "dev")]
    dev_fast_hash: bool,
    /// Accept a database that is older than what this server has seen, or that came out of a backup. Every PIN, code
    /// and login then has one try left at most; codes, sessions and running recoveries are ended.
    #[arg(long)]
    accept_rollback: bool,
    /// Log JSON lines. The first line on standard output names the addresses.
    #[arg(long)]
    json_log: bool,
}

impl ServeArgs {
    fn load(&self) -> Result<Loaded, String> {
        let mut loaded = self.place.load()?;
        let config = &mut loaded.config;
        if let Some(listen) = &self.listen {
            config.server.listen.clone_from(listen);
        }
        if let Some(listen) = &self.admin_listen {
            config.admin.listen.clone_from(listen);
        }
        Ok(loaded)
    }

    fn mode(&self) -> Mode {
        if self.dev {
            Mode::Development {
                fast_hash: self.dev_fast_hash,
            }
        } else {
            Mode::Production
        }
    }
}

/// Serves until it is told to stop.
pub async fn serve(arguments: &ServeArgs) -> Result<ExitCode, String> {
    let loaded = arguments.load()?;
    let mode = arguments.mode();
    let json = arguments.json_log || loaded.config.server.log == "json";
    log::start(&loaded.config.server.log_filter, json)?;
    // Before anybody can see that the server runs, so that a signal right after its start stops it in order too.
    let mut signals = StopSignals::listen()?;
    let listeners = Listeners::bind(&loaded, mode).await?;
    let composition = tokio::select! {
        composition = compose::compose(&loaded, mode, &listeners.public.url) => composition?,
        () = signals.come() => return Ok(ExitCode::SUCCESS),
    };
    let anchor = anchor::path(&loaded);
    let (services, store) = (&composition.services, composition.store.as_ref());
    let known = tokio::select! {
        known = admission::admit(services, store, &anchor, arguments.accept_rollback) => known?,
        () = signals.come() => return Ok(ExitCode::SUCCESS),
    };
    let running = Running {
        pid: std::process::id(),
        public: listeners.public.url.clone(),
        admin: listeners.admin.url.clone(),
        hooks: listeners.hooks.as_ref().map(|hooks| hooks.url.clone()),
        token: hex::encode(bytes::<32>(composition.random.as_ref())),
        dev: mode != Mode::Production,
    };
    running::write(&running, &loaded.data)?;
    banner::show(&loaded, &composition, &running, json)?;
    let watch = Watch::new(&composition, Metrics::new(), anchor, known);
    let token = SecretText::new(running.token.clone());
    let served = server::run(
        &loaded,
        &composition,
        watch,
        listeners,
        &token,
        &mut signals,
    );
    let outcome = served.await;
    running::remove(&loaded.data);
    outcome.map(|()| ExitCode::SUCCESS)
}
