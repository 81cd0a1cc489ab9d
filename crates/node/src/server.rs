//! A server from its first request to its last. It stops in this order, so that nothing is lost:
//!
//! 1. The listeners accept no new request, and answer those that are running.
//! 2. The jobs end. Housekeeping runs once more, so that the audit chain contains those requests.
//! 3. The watch checks the database once more, so that the anchor contains the end of that chain.

use std::sync::Arc;

use axum::Router;
use compose::Composition;
use config::Loaded;
use domain::secret::SecretText;
use terminal::StopSignals;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use web::{ServeOptions, TrustedProxies};

use crate::health::with_health;
use crate::listeners::{Bound, Listeners};
use crate::metrics::{Listener, Metrics};
use crate::watch::Watch;
use crate::{admin_listener, jobs, options, surface};

/// A handler is dropped this many seconds before the connection would be, so that its surface can still answer.
const ANSWER_SECONDS: u64 = 5;

/// Serves until a stop signal comes, or until a listener fails.
pub(crate) async fn run(
    loaded: &Loaded,
    composition: &Composition,
    mut watch: Watch,
    listeners: Listeners,
    token: &SecretText,
    signals: &mut StopSignals,
) -> Result<(), String> {
    let metrics = Arc::clone(&watch.metrics);
    let routed = routed(loaded, composition, listeners, token, &metrics)?;
    watch.check().await;
    let stop = CancellationToken::new();
    let mut listening = listen(loaded, routed, &stop)?;
    let jobs_stop = CancellationToken::new();
    let mut jobs = jobs::start(&composition.services, &metrics, &jobs_stop);
    let watch_stop = CancellationToken::new();
    let watching = tokio::spawn(watch.run(watch_stop.clone()));
    let outcome = tokio::select! {
        () = signals.come() => Ok(()),
        Some(ended) = listening.join_next() => Err(format!("a listener ended by itself: {ended:?}")),
    };
    tracing::info!(
        code = "stopping",
        "stopping: running requests are answered first"
    );
    stop.cancel();
    while listening.join_next().await.is_some() {}
    jobs_stop.cancel();
    while jobs.join_next().await.is_some() {}
    watch_stop.cancel();
    // If the watch has panicked, that was printed, and nothing depends on it any more.
    let _ = watching.await;
    tracing::info!(code = "stopped", "stopped");
    outcome
}

/// A socket, and what is served on it.
type Routed = (Bound, Router);

fn routed(
    loaded: &Loaded,
    composition: &Composition,
    listeners: Listeners,
    token: &SecretText,
    metrics: &Arc<Metrics>,
) -> Result<Vec<Routed>, String> {
    let services = &composition.services;
    let seconds = options::limits(&loaded.config).request_seconds;
    let seconds = seconds.saturating_sub(ANSWER_SECONDS).max(1);
    let public = with_health(surface::public(services, &loaded.config, seconds), services);
    let admin = with_health(
        admin_listener::routes(loaded, composition, token, metrics),
        services,
    );
    let mut routed = vec![
        (listeners.public, observed("public", public, metrics)),
        (listeners.admin, observed("admin", admin, metrics)),
    ];
    if let Some(bound) = listeners.hooks {
        let secret = loaded.config.duo.hooks_secret()?;
        let hooks = duo::hooks(Arc::clone(&services.wallets).clone(), secret.as_deref());
        routed.push((bound, observed("hooks", hooks, metrics)));
    }
    Ok(routed)
}

/// Counts and logs the requests of a listener, and turns a panic of a handler into an answer.
fn observed(name: &'static str, router: Router, metrics: &Arc<Metrics>) -> Router {
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

fn listen(
    loaded: &Loaded,
    routed: Vec<Routed>,
    stop: &CancellationToken,
) -> Result<JoinSet<std::io::Result<()>>, String> {
    let proxies = TrustedProxies::parse(&loaded.config.server.trusted_proxies)
        .map_err(|error| format!("configuration: [server] trusted_proxies: {error}"))?;
    let limits = options::limits(&loaded.config);
    let mut listening = JoinSet::new();
    for (bound, router) in routed {
        let options = ServeOptions {
            listener: bound.listener,
            router,
            tls: bound.tls,
            limits: limits.clone(),
            proxies: proxies.clone(),
            shutdown: stop.clone(),
        };
        listening.spawn(web::serve(options));
    }
    Ok(listening)
}
