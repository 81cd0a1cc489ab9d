//! `keyward serve`: listeners, jobs, and a stop that loses no request.

mod banner;
mod dev;
mod log;
mod metrics;
mod options;
mod running;
mod surface;
mod watch;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use admin_wire::Running;
use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use clap::Args;
use compose::{Composition, MAILBOX, Mode};
use compose::{admission, anchor};
use config::{Loaded, Place};
use domain::Keeper;
use domain::audit::Checkpoint;
use domain::port::random::bytes;
use domain::secret::SecretText;
use terminal::StopSignals;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use web::{ServeOptions, TrustedProxies};

use metrics::{Listener, Metrics};
use watch::Watch;

pub use surface::openapi;

/// How long the jobs wait when nobody wakes them. The audit chain is never further behind.
const JOB_PAUSE: Duration = Duration::from_millis(500);
/// Between two pages of what is sealed anew: requests come first.
const BREATH: Duration = Duration::from_millis(20);
/// Letters that may be on their way at a time, in so many batches: one slow provider must not hold the rest.
const DISPATCHERS: usize = 4;

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
    /// Development mode: a mailbox instead of providers, a movable clock. Loopback only.
    #[arg(long)]
    dev: bool,
    /// Development mode with the cheapest hashing, for tests.
    #[arg(long, requires = "dev")]
    dev_fast_hash: bool,
    /// Work with a database that is older than what this server has seen, or that came out of a backup. Every
    /// PIN, code and login keeps one try at most; codes, sessions and running recoveries are ended.
    #[arg(long)]
    accept_rollback: bool,
    /// Log JSON lines; the first names the addresses.
    #[arg(long)]
    json_log: bool,
}

pub async fn serve(arguments: ServeArgs) -> Result<ExitCode, String> {
    let mut loaded = arguments.place.load()?;
    if let Some(listen) = arguments.listen {
        loaded.config.server.listen = listen;
    }
    if let Some(listen) = arguments.admin_listen {
        loaded.config.admin.listen = listen;
    }
    let fast_hash = arguments.dev_fast_hash;
    let mode = if arguments.dev {
        Mode::Development { fast_hash }
    } else {
        Mode::Production
    };
    let json = arguments.json_log || loaded.config.server.log == "json";
    log::start(&loaded.config.server.log_filter, json)?;
    // Before anybody can know that the server runs: a stop right after its start must be an orderly one too.
    let mut signals = StopSignals::listen()?;
    let listeners = Listeners::bind(&loaded, mode).await?;
    let composition = tokio::select! {
        composition = compose::compose(&loaded, mode, &listeners.public_url) => composition?,
        () = signals.come() => return Ok(ExitCode::SUCCESS),
    };
    let anchor = anchor::path(&loaded);
    let known = tokio::select! {
        known = admission::admit(
            &composition.keeper,
            composition.store.as_ref(),
            &anchor,
            arguments.accept_rollback,
        ) => known?,
        () = signals.come() => return Ok(ExitCode::SUCCESS),
    };
    let running = Running {
        pid: std::process::id(),
        public: listeners.public_url.clone(),
        admin: listeners.admin_url.clone(),
        hooks: listeners.hooks_url()?,
        token: hex::encode(bytes::<32>(composition.random.as_ref())),
        dev: mode != Mode::Production,
    };
    running::write(&running, &loaded.data)?;
    banner::show(&loaded, &composition, &running, json)?;
    let served = listen(&loaded, (composition, known), &running, listeners, signals).await;
    running::remove(&loaded.data);
    served.map(|()| ExitCode::SUCCESS)
}

/// The bound sockets, and how they are reached.
struct Listeners {
    public: TcpListener,
    admin: TcpListener,
    hooks: Option<TcpListener>,
    public_url: String,
    admin_url: String,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Listeners {
    async fn bind(loaded: &Loaded, mode: Mode) -> Result<Self, String> {
        let server = &loaded.config.server;
        let tls = match (&server.tls_cert, &server.tls_key) {
            (Some(cert), Some(key)) => Some(web::tls::server_config(&read(cert)?, &read(key)?)?),
            _ => None,
        };
        let public = bind("server", &server.listen).await?;
        let admin = bind("admin", &loaded.config.admin.listen).await?;
        let duo = &loaded.config.duo;
        let hooks = if duo.is_configured() {
            Some(bind("duo.hooks", &duo.hooks.listen).await?)
        } else {
            None
        };
        let (at, admin_at) = (address(&public)?, address(&admin)?);
        if mode != Mode::Production && !(at.ip().is_loopback() && admin_at.ip().is_loopback()) {
            return Err("--dev listens on loopback only: its mailbox and clock are open to whoever reaches them".to_owned());
        }
        if !at.ip().is_loopback() && tls.is_none() && !server.behind_proxy {
            return Err(format!(
                "{at} is not loopback and there is no TLS: set [server] tls_cert and tls_key, \
                 or behind_proxy = true when a TLS-terminating proxy stands in front"
            ));
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        Ok(Self {
            public,
            admin,
            hooks,
            public_url: format!("{scheme}://{at}"),
            admin_url: format!("http://{admin_at}"),
            tls,
        })
    }
}

impl Listeners {
    fn hooks_url(&self) -> Result<Option<String>, String> {
        let at = self.hooks.as_ref().map(address).transpose()?;
        Ok(at.map(|at| format!("http://{at}")))
    }
}

async fn listen(
    loaded: &Loaded,
    (composition, known): (Composition, Option<Checkpoint>),
    running: &Running,
    listeners: Listeners,
    mut signals: StopSignals,
) -> Result<(), String> {
    let metrics = Metrics::new();
    let proxies = TrustedProxies::parse(&loaded.config.server.trusted_proxies)
        .map_err(|error| format!("configuration: [server] trusted_proxies: {error}"))?;
    let limits = options::limits(&loaded.config);
    let stop = CancellationToken::new();
    let public = watched(
        "public",
        health(
            surface::public(
                &composition.keeper,
                &loaded.config,
                limits.request_seconds.saturating_sub(5).max(1),
            ),
            &composition.keeper,
        ),
        &metrics,
    );
    let admin = watched(
        "admin",
        admin_router(loaded, &composition, running, &metrics),
        &metrics,
    );
    let mut served = vec![
        (listeners.public, public, listeners.tls),
        (listeners.admin, admin, None),
    ];
    if let Some(listener) = listeners.hooks {
        let secret = loaded.config.duo.hooks_secret()?;
        let hooks = duo::hooks(Arc::clone(&composition.keeper), secret.as_deref());
        served.push((listener, watched("hooks", hooks, &metrics), None));
    }
    let mut watch = Watch {
        keeper: Arc::clone(&composition.keeper),
        store: Arc::clone(&composition.store),
        gate: Arc::clone(&composition.gate),
        clock: composition.watched.clone(),
        metrics: Arc::clone(&metrics),
        path: anchor::path(loaded),
        known,
    };
    watch.look_and_tell().await;
    let mut listening = JoinSet::new();
    for (listener, router, tls) in served {
        let options = ServeOptions {
            listener,
            router,
            tls,
            limits: limits.clone(),
            proxies: proxies.clone(),
            shutdown: stop.clone(),
        };
        listening.spawn(web::serve(options));
    }
    let jobs_stop = CancellationToken::new();
    let mut jobs = jobs(&composition.keeper, &metrics, &jobs_stop);
    let watch_stop = CancellationToken::new();
    let watching = tokio::spawn(watch.run(watch_stop.clone()));
    let outcome = tokio::select! {
        () = signals.come() => Ok(()),
        Some(ended) = listening.join_next() => Err(format!("a listener ended by itself: {ended:?}")),
    };
    tracing::info!(code = "stopping", "finishing running requests");
    stop.cancel();
    while listening.join_next().await.is_some() {}
    jobs_stop.cancel();
    while jobs.join_next().await.is_some() {}
    watch_stop.cancel();
    // A panic in it has been printed; there is nothing left that it could hurt.
    let _ = watching.await;
    tracing::info!(code = "stopped", "stopped");
    outcome
}

fn admin_router(
    loaded: &Loaded,
    composition: &Composition,
    running: &Running,
    metrics: &Arc<Metrics>,
) -> Router {
    let anchor = anchor::path(loaded);
    let admin = Arc::new(admin::Admin {
        keeper: Arc::clone(&composition.keeper),
        token: SecretText::new(running.token.clone()),
        version: env!("CARGO_PKG_VERSION"),
        anchor: Box::new(move || anchor::read(&anchor).ok().flatten()),
    });
    let shown = Arc::clone(metrics);
    let keeper = Arc::clone(&composition.keeper);
    let metrics_page = move || async move {
        shown.ready.set(i64::from(keeper.ready().await.is_ok()));
        let headers = [(
            http::header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )];
        (headers, shown.text()).into_response()
    };
    let mut router = admin::routes(admin).route("/metrics", get(metrics_page));
    router = surface::described(router, "admin", "Keyward admin");
    if let Some(clock) = &composition.movable {
        let mailbox = loaded
            .config
            .mail
            .path
            .clone()
            .unwrap_or_else(|| loaded.data.join(MAILBOX));
        let tools = dev::Tools {
            keeper: Arc::clone(&composition.keeper),
            clock: Arc::clone(clock),
            mailbox,
            token: SecretText::new(running.token.clone()),
        };
        router = router.merge(dev::routes(Arc::new(tools)));
    }
    health(
        router.fallback(|| async { admin::not_found() }),
        &composition.keeper,
    )
}

fn health(router: Router, keeper: &Arc<Keeper>) -> Router {
    let keeper = Arc::clone(keeper);
    router
        .route("/healthz", get(surface::alive))
        .route("/readyz", get(move || surface::ready(keeper)))
}

fn watched(name: &'static str, router: Router, metrics: &Arc<Metrics>) -> Router {
    let observer = Arc::new(Listener {
        name,
        metrics: Arc::clone(metrics),
    });
    let panicked = match name {
        "admin" => admin::panicked,
        "hooks" => duo::panicked,
        _ => surface::panicked,
    };
    web::observe::layer(web::observe::catch_panic(router, panicked), observer)
}

/// Letters, reminders, the audit chain, forgetting and sealing anew, until `stop`.
fn jobs(keeper: &Arc<Keeper>, metrics: &Arc<Metrics>, stop: &CancellationToken) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    for _ in 0..DISPATCHERS {
        let (keeper, metrics, stop) = (Arc::clone(keeper), Arc::clone(metrics), stop.clone());
        jobs.spawn(async move {
            while !stop.is_cancelled() {
                let outcome = keeper.dispatch(keeper.now()).await;
                note("dispatch", outcome.map(|_| ()), &metrics);
                tokio::select! {
                    () = keeper.wait_for_work(JOB_PAUSE) => {}
                    () = stop.cancelled() => {}
                }
            }
        });
    }
    jobs.spawn(resealing(
        Arc::clone(keeper),
        Arc::clone(metrics),
        stop.clone(),
    ));
    let (keeper, metrics, stop) = (Arc::clone(keeper), Arc::clone(metrics), stop.clone());
    jobs.spawn(async move {
        let mut pause = tokio::time::interval(JOB_PAUSE);
        pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let last = stop.is_cancelled();
            note("housekeeping", keeper.keep_house().await, &metrics);
            if let Ok(waiting) = keeper.waiting_letters().await {
                #[expect(clippy::cast_precision_loss, reason = "a gauge of letters")]
                metrics.waiting_letters.set(waiting as f64);
            }
            if last {
                return;
            }
            tokio::select! {
                _ = pause.tick() => {}
                () = stop.cancelled() => {}
            }
        }
    });
    jobs
}

/// Apart from the others: after a rotation it has a whole database to go through, and the trail must not wait.
async fn resealing(keeper: Arc<Keeper>, metrics: Arc<Metrics>, stop: CancellationToken) {
    loop {
        let outcome = keeper.reseal().await;
        let pause = match outcome {
            Ok(true) => BREATH,
            Ok(false) | Err(_) => JOB_PAUSE,
        };
        note("resealing", outcome.map(|_| ()), &metrics);
        if tokio::time::timeout(pause, stop.cancelled()).await.is_ok() {
            return;
        }
    }
}

fn note(job: &'static str, outcome: Result<(), domain::Error>, metrics: &Metrics) {
    if let Err(error) = outcome {
        metrics.job_failures.inc();
        tracing::warn!(
            code = error.code(),
            job,
            error = domain::error::chain(&error),
            "a job will be tried again"
        );
    }
}

async fn bind(section: &str, listen: &str) -> Result<TcpListener, String> {
    TcpListener::bind(listen).await.map_err(|error| {
        format!("cannot listen on {listen}: {error}; change [{section}] listen, or use port 0")
    })
}

fn address(listener: &TcpListener) -> Result<SocketAddr, String> {
    listener.local_addr().map_err(|error| error.to_string())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
