//! Numbers for Prometheus.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use web::observe::{Observer, Report};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    listener: &'static str,
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    listener: &'static str,
    route: String,
}

type Times = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// All metrics of this process.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    seconds: Times,
    pub(crate) ready: Gauge<i64>,
    pub(crate) waiting_letters: Gauge<f64, AtomicU64>,
    pub(crate) job_failures: Counter,
    pub(crate) clock_skew: Gauge<i64>,
}

impl Metrics {
    pub(crate) fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("keyward");
        let requests = Family::default();
        let seconds =
            Times::new_with_constructor(|| Histogram::new(exponential_buckets(0.0005, 2.0, 15)));
        let (ready, waiting_letters) = (Gauge::default(), Gauge::default());
        let job_failures = Counter::default();
        let clock_skew = Gauge::default();
        registry.register("requests", "Requests answered", requests.clone());
        registry.register(
            "request_seconds",
            "Time until an answer begins",
            seconds.clone(),
        );
        registry.register("ready", "Whether a write would succeed", ready.clone());
        registry.register(
            "waiting_letters",
            "Messages that no provider has accepted yet",
            waiting_letters.clone(),
        );
        registry.register(
            "job_failures",
            "Runs of the jobs that failed",
            job_failures.clone(),
        );
        registry.register(
            "clock_skew_milliseconds",
            "How far this node's clock is ahead of the database's",
            clock_skew.clone(),
        );
        Arc::new(Self {
            registry,
            requests,
            seconds,
            ready,
            waiting_letters,
            job_failures,
            clock_skew,
        })
    }

    /// All metrics in the text format of Prometheus; empty if they cannot be written.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        match encode(&mut out, &self.registry) {
            Ok(()) => out,
            Err(_) => String::new(),
        }
    }
}

/// Counts the requests of one listener.
pub(crate) struct Listener {
    pub(crate) name: &'static str,
    pub(crate) metrics: Arc<Metrics>,
}

impl Observer for Listener {
    fn request(&self, report: &Report<'_>) {
        let route = report.route.to_owned();
        let by_route = RouteLabels {
            listener: self.name,
            route: route.clone(),
        };
        let labels = Labels {
            listener: self.name,
            method: report.method,
            route,
            status: report.status,
        };
        self.metrics.requests.get_or_create(&labels).inc();
        self.metrics
            .seconds
            .get_or_create(&by_route)
            .observe(report.seconds);
    }

    fn listener(&self) -> &'static str {
        self.name
    }
}
