//! What every room stands on: the parts of a transaction, the ports to the outside, errors, times and secrets.

pub(crate) mod caller;
pub mod error;
pub(crate) mod id;
pub(crate) mod layer;
pub mod message;
pub mod port;
pub(crate) mod record;
pub(crate) mod rows;
pub mod secret;
pub mod time;
pub(crate) mod verdict;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use self::error::Error;
use self::layer::Layer;
use self::port::random::bytes;
use self::port::store::Kind;
use self::port::{Clock, Random, Roots, Store};
use self::rows::{Rows, Scope};
use self::time::Timestamp;

/// The database, the clock, randomness, the root keys, and what is made of them.
pub struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) roots: Arc<dyn Roots>,
    pub(crate) rows: Arc<Rows>,
    /// Wakes the jobs when a request left work for them.
    pub(crate) work: Notify,
    /// When this node began.
    pub(crate) started: Timestamp,
    /// Where owners reach this server, without a slash at the end.
    pub(crate) public_url: String,
}

impl Layer for Core {
    fn core(&self) -> &Core {
        self
    }
}

impl Core {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        roots: Arc<dyn Roots>,
        public_url: String,
    ) -> Result<Self, Error> {
        let rows = Arc::new(Rows::new(Arc::clone(&roots), Arc::clone(&random))?);
        Ok(Self {
            rows,
            started: clock.now(),
            store,
            clock,
            random,
            roots,
            work: Notify::new(),
            public_url,
        })
    }

    /// The default tenant, which the surfaces without tenants live in.
    pub fn tenant(&self) -> Scope {
        Scope(self.rows.id("tenant", &[b"default"]))
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether a write would succeed now.
    pub(crate) async fn ready(&self) -> Result<(), Error> {
        self.store.ready().await
    }

    pub(crate) fn random_u64(&self) -> u64 {
        u64::from_be_bytes(bytes(self.random.as_ref()))
    }

    /// Whether a job has anything to do: a read, so that idle jobs write nothing.
    pub(crate) async fn any_due(
        self: &Arc<Self>,
        kind: Kind,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.read(move |_, tx| Ok(!tx.due(kind, now, 1)?.is_empty()))
            .await
    }

    /// Waits until a request left work for the jobs, or `at_most`.
    pub(crate) async fn wait_for_work(&self, at_most: Duration) {
        // Elapsing is the ordinary case: the jobs look anyway.
        let _elapsed = tokio::time::timeout(at_most, self.work.notified())
            .await
            .is_err();
    }
}
