//! Checks the database while the server runs: whether it is still the newest, still here, and what its clock says.
//! Opens and closes the gate accordingly, and keeps the anchor up to date.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use compose::{Composition, Gate, admission, anchor};
use domain::trail::audit::Checkpoint;
use domain::trail::rollback::Freshness;
use domain::{Error, Services};
use outside::WatchedClock;
use outside::clock::Asked;
use store::Backend;
use store::transfer::marks;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// The time between two checks. The anchor is never further behind than this, and an older database is noticed
/// within it.
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) struct Watch {
    services: Services,
    store: Arc<dyn Backend>,
    gate: Arc<Gate>,
    clock: Option<Arc<WatchedClock>>,
    pub(crate) metrics: Arc<Metrics>,
    /// The file of the anchor.
    path: PathBuf,
    /// The anchor as it was last read or written.
    known: Option<Checkpoint>,
}

impl Watch {
    pub(crate) fn new(
        composition: &Composition,
        metrics: Arc<Metrics>,
        path: PathBuf,
        known: Option<Checkpoint>,
    ) -> Self {
        Self {
            services: composition.services.clone(),
            store: Arc::clone(&composition.store),
            gate: Arc::clone(&composition.gate),
            clock: composition.watched.clone(),
            metrics,
            path,
            known,
        }
    }

    /// Checks until `stop` is cancelled, and once more after that.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut pause = tokio::time::interval(PAUSE);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_last = stop.is_cancelled();
            self.check().await;
            if is_last {
                return;
            }
            tokio::select! {
                _ = pause.tick() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// One check. If it fails, the database could not be reached for seconds, and an older one may take its place:
    /// the gate stays closed until a check succeeds.
    pub(crate) async fn check(&mut self) {
        if let Err(error) = self.try_check().await {
            self.gate
                .close("the database cannot be reached or checked".to_owned());
            self.metrics.job_failures.inc();
            tracing::warn!(
                code = error.code(),
                job = "watch",
                error = domain::error::chain(&error),
                "a job failed and will run again"
            );
        }
        if let Some(clock) = &self.clock {
            self.metrics.clock_skew.set(clock.skew_millis());
        }
    }

    async fn try_check(&mut self) -> Result<(), Error> {
        let store = self.store.as_ref();
        if let Some(clock) = &self.clock {
            let asked = Asked::now();
            if let Some(time) = store.clock().await? {
                clock.note(time, asked);
            }
        }
        if let Some(why) = admission::not_here(&marks(store).await?) {
            self.gate.close(why);
            return Ok(());
        }
        // Read before the comparison: if another database takes the place of this one in between, the comparison
        // sees the new one, and this checkpoint does not become the anchor.
        let newest = self.services.upkeep.checkpoint_of(store).await?;
        match self
            .services
            .upkeep
            .freshness(store, self.known.as_ref())
            .await?
        {
            Freshness::Current => self.gate.open(),
            Freshness::Limiting => {
                let why = "an older database was accepted, and is still being limited to one try";
                self.gate.close(why.to_owned());
                return Ok(());
            }
            Freshness::Older { why } => {
                self.gate
                    .close(format!("the database was replaced by an older one: {why}"));
                return Ok(());
            }
        }
        if let Some(newest) = newest {
            self.advance_anchor(newest).await;
        }
        Ok(())
    }

    async fn advance_anchor(&mut self, newest: Checkpoint) {
        let is_newer = |known: &Checkpoint| (newest.era, newest.number) > (known.era, known.number);
        if !self.known.as_ref().is_none_or(is_newer) {
            return;
        }
        match anchor::write(&self.path, &newest).await {
            Ok(()) => self.known = Some(newest),
            Err(error) => {
                self.metrics.job_failures.inc();
                tracing::error!(
                    code = "anchor",
                    error,
                    "the anchor is older than the database"
                );
            }
        }
    }
}
