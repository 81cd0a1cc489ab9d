//! Looks at the database while the server runs: whether it is still the newest, still here, and what its
//! clock tells. Keeps the anchor.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use compose::Gate;
use compose::{admission, anchor};
use domain::audit::Checkpoint;
use domain::rollback::Standing;
use domain::{Error, Keeper};
use outside::WatchedClock;
use outside::clock::Asked;
use store::Backend;
use store::transfer::marks;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// How often it looks: so long, and no longer, the anchor lags, and an older database is not noticed.
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) struct Watch {
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) store: Arc<dyn Backend>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) clock: Option<Arc<WatchedClock>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) path: PathBuf,
    /// The anchor as it was last written or found.
    pub(crate) known: Option<Checkpoint>,
}

impl Watch {
    /// Looks until `stop`, and once more then.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut pause = tokio::time::interval(PAUSE);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let last = stop.is_cancelled();
            self.look_and_tell().await;
            if last {
                return;
            }
            tokio::select! {
                _ = pause.tick() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// One look. When it fails the database was away for seconds, and another may come back in its place: the
    /// gate is closed until the next look.
    pub(crate) async fn look_and_tell(&mut self) {
        if let Err(error) = self.look().await {
            self.gate
                .close("the database is away, or could not be looked at".to_owned());
            self.metrics.job_failures.inc();
            tracing::warn!(
                code = error.code(),
                job = "watch",
                error = domain::error::chain(&error),
                "a job will be tried again"
            );
        }
        if let Some(clock) = &self.clock {
            self.metrics.clock_skew.set(clock.skew_millis());
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
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
        // Read before it is compared: if another database takes the place of this one in between, it is the
        // comparison that meets it.
        let end = self.keeper.checkpoint_of(store).await?;
        match self.keeper.standing(store, self.known.as_ref()).await? {
            Standing::Current => self.gate.open(),
            Standing::Burning => {
                self.gate
                    .close("an older database was accepted and is being looked through".to_owned());
                return Ok(());
            }
            Standing::Older { why } => {
                self.gate
                    .close(format!("the database became an older one: {why}"));
                return Ok(());
            }
        }
        let Some(end) = end else { return Ok(()) };
        let newer = |known: &Checkpoint| (end.era, end.number) > (known.era, known.number);
        if self.known.as_ref().is_none_or(newer) {
            match anchor::write(&self.path, &end).await {
                Ok(()) => self.known = Some(end),
                Err(error) => {
                    self.metrics.job_failures.inc();
                    tracing::error!(code = "anchor", error, "the anchor lags");
                }
            }
        }
        Ok(())
    }
}
