//! The jobs that run in every node. Each claims its rows in a transaction, so any number of nodes may run them.

use std::sync::Arc;
use std::time::Duration;

use domain::Services;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// How long a job waits for new work before it looks for some. The audit chain is never further behind than this.
const PAUSE: Duration = Duration::from_millis(500);
/// The pause between two pages of rows that are sealed again, so that requests come first.
const RESEALING_PAUSE: Duration = Duration::from_millis(20);
/// How many batches of messages are sent at a time, so that one slow provider does not delay the others.
const DISPATCHERS: usize = 4;

/// Starts all jobs. They end after `stop` is cancelled, the housekeeping after one more run.
pub(crate) fn start(
    services: &Services,
    metrics: &Arc<Metrics>,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    let each = || (services.clone(), Arc::clone(metrics), stop.clone());
    for _ in 0..DISPATCHERS {
        let (services, metrics, stop) = each();
        jobs.spawn(dispatch(services, metrics, stop));
    }
    let (services, metrics, stop) = each();
    jobs.spawn(reseal(services, metrics, stop));
    let (services, metrics, stop) = each();
    jobs.spawn(keep_house(services, metrics, stop));
    jobs
}

/// Sends the messages of the outbox.
async fn dispatch(services: Services, metrics: Arc<Metrics>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let outcome = services.upkeep.deliver().await;
        note("dispatch", outcome.map(|_| ()), &metrics);
        tokio::select! {
            () = services.upkeep.wait_for_work(PAUSE) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Reminders, the audit chain, and the removal of old rows. Runs once more after the stop, so that the audit chain
/// contains everything that this node has committed.
async fn keep_house(services: Services, metrics: Arc<Metrics>, stop: CancellationToken) {
    let mut pause = tokio::time::interval(PAUSE);
    pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let is_last = stop.is_cancelled();
        note("housekeeping", services.upkeep.keep_house().await, &metrics);
        if let Ok(waiting) = services.upkeep.waiting_messages().await {
            #[expect(clippy::cast_precision_loss, reason = "a gauge of messages")]
            metrics.waiting_letters.set(waiting as f64);
        }
        if is_last {
            return;
        }
        tokio::select! {
            _ = pause.tick() => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Seals rows again after a rotation of root keys. It has a loop of its own, because it goes through the whole
/// database then, and the other jobs must not wait for it.
async fn reseal(services: Services, metrics: Arc<Metrics>, stop: CancellationToken) {
    loop {
        let outcome = services.upkeep.reseal().await;
        let pause = match outcome {
            Ok(true) => RESEALING_PAUSE,
            Ok(false) | Err(_) => PAUSE,
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
            "a job failed and will run again"
        );
    }
}
