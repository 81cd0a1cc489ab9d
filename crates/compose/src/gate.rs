//! The gate between the use cases and the database. It is closed while nothing may be decided from the database.
//!
//! It closes if an older database was put in place under the running server, if the database was moved away, if this
//! node's clock disagrees with the database's, and while none of this could be checked. A closed gate refuses every
//! call as if the database could not be reached, so nothing is checked, counted or sent.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::Error;
use domain::port::Store;
use domain::port::store::{Job, Kind, Row, RowId};
use outside::WatchedClock;

/// How long one successful check of the database counts.
pub const LOOKED_FOR: Duration = Duration::from_secs(15);

/// Why the gate is closed, in words for the operator.
#[derive(Debug)]
pub struct Closed(pub String);

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Closed {}

/// The database behind the gate.
pub struct Gate {
    store: Arc<dyn Store>,
    clock: Option<Arc<WatchedClock>>,
    state: Mutex<State>,
}

enum State {
    /// The server is being built, and nobody checks the database yet. The gate lets everything pass.
    Building,
    Open {
        checked: Instant,
    },
    Closed {
        why: String,
    },
}

impl Gate {
    pub(crate) fn over(store: Arc<dyn Store>, clock: Option<Arc<WatchedClock>>) -> Self {
        Self {
            store,
            clock,
            state: Mutex::new(State::Building),
        }
    }

    /// Opens the gate after a check that found nothing wrong.
    pub fn open(&self) {
        let mut state = self.lock();
        if let State::Closed { why } = &*state {
            tracing::info!(
                code = "gate_open",
                was = why,
                "the gate is open again: this node serves requests"
            );
        }
        *state = State::Open { checked: now() };
    }

    /// Closes the gate after a check that found a reason, or that failed.
    pub fn close(&self, why: String) {
        let mut state = self.lock();
        if !matches!(&*state, State::Closed { why: known } if *known == why) {
            tracing::error!(
                code = "gate_closed",
                why,
                "the gate is closed: this node refuses every request that needs the database"
            );
        }
        *state = State::Closed { why };
    }

    fn pass(&self) -> Result<(), Error> {
        self.refusal()
            .map_or(Ok(()), |why| Err(Error::unavailable(Closed(why))))
    }

    fn refusal(&self) -> Option<String> {
        match &*self.lock() {
            State::Building => return None,
            State::Closed { why } => return Some(why.clone()),
            State::Open { checked } if now().duration_since(*checked) > LOOKED_FOR => {
                let why = "the state of the database could not be checked for some seconds";
                return Some(why.to_owned());
            }
            State::Open { .. } => {}
        }
        let skew = self.clock.as_ref()?.too_far()?;
        let (seconds, side) = (
            skew.unsigned_abs() / 1000,
            if skew > 0 { "ahead of" } else { "behind" },
        );
        Some(format!(
            "this node's clock is {seconds} s {side} the database's: set it right"
        ))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long ago the database was checked, on this machine"
)]
fn now() -> Instant {
    Instant::now()
}

#[async_trait]
impl Store for Gate {
    async fn write(&self, job: Job) -> Result<(), Error> {
        self.pass()?;
        self.store.write(job).await
    }

    async fn read(&self, job: Job) -> Result<(), Error> {
        self.pass()?;
        self.store.read(job).await
    }

    async fn row(&self, kind: Kind, id: RowId) -> Result<Option<Row>, Error> {
        self.pass()?;
        self.store.row(kind, id).await
    }

    async fn ready(&self) -> Result<(), Error> {
        self.pass()?;
        self.store.ready().await
    }
}
