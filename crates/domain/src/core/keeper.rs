//! The one service: everything a use case needs, in one place.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::core::error::{Error, Refusal};
use crate::core::port::random::bytes;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::port::{Clock, Composer, Courier, KeySets, Liveness, Random, Roots, Store};
use crate::core::rows::{Rows, Scope};
use crate::core::time::Timestamp;
use crate::letter::outbox::Sending;
use crate::limit::hashing::HashPool;
use crate::limit::quota::Leases;
use crate::limit::turns::Turns;
use crate::policy::Policy;
use crate::proof::signing::Rings;
use crate::trail::audit::Recent;

/// The adapters the domain works with.
pub struct Ports {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub roots: Arc<dyn Roots>,
    pub courier: Arc<dyn Courier>,
    pub composer: Arc<dyn Composer>,
    pub key_sets: Arc<dyn KeySets>,
    pub liveness: Arc<dyn Liveness>,
}

/// Who calls, as far as the front knows: for budgets, messages and the audit trail.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The surface's name, as messages and audit show it.
    pub surface: &'static str,
    /// The client's network: an IPv4 address or an IPv6 /64.
    pub network: String,
    /// The language the caller understands.
    pub language: String,
}

/// Loads, decides and saves. Use cases are methods of `Arc<Keeper>`, one module per concept.
pub struct Keeper {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) roots: Arc<dyn Roots>,
    pub(crate) rows: Arc<Rows>,
    pub(crate) hashes: HashPool,
    pub(crate) turns: Turns,
    pub(crate) leases: Leases,
    pub(crate) logins_ready: tokio::sync::OnceCell<()>,
    pub(crate) sending: Sending,
    pub(crate) rings: Rings,
    /// Events that describe no change, until the next link takes them.
    pub(crate) recent: Recent,
    pub(crate) key_sets: Arc<dyn KeySets>,
    pub(crate) liveness: Arc<dyn Liveness>,
    pub(crate) policy: Policy,
    /// Wakes the jobs when a request left work for them.
    pub(crate) work: Notify,
    /// When this node began.
    pub(crate) started: Timestamp,
}

impl Keeper {
    pub fn new(ports: Ports, policy: Policy) -> Result<Arc<Self>, Error> {
        let rows = Arc::new(Rows::new(
            Arc::clone(&ports.roots),
            Arc::clone(&ports.random),
        )?);
        Ok(Arc::new(Self {
            rows,
            hashes: HashPool::new(policy.hash.threads, policy.hash.queue),
            turns: Turns::new(policy.hash.threads, policy.limits.queue_per_subject),
            leases: Leases::default(),
            started: ports.clock.now(),
            logins_ready: tokio::sync::OnceCell::new(),
            sending: Sending::new(ports.courier, ports.composer),
            store: ports.store,
            clock: ports.clock,
            random: ports.random,
            rings: Rings::default(),
            recent: Recent::default(),
            roots: ports.roots,
            key_sets: ports.key_sets,
            liveness: ports.liveness,
            policy,
            work: Notify::new(),
        }))
    }

    /// Prepares the database for this server: the default tenant's data key.
    pub async fn prepare(&self) -> Result<(), Error> {
        self.rows
            .ensure_scope(self.store.as_ref(), self.tenant())
            .await
    }

    /// The default tenant, which the surfaces without tenants live in.
    pub fn tenant(&self) -> Scope {
        Scope(self.rows.id("tenant", &[b"default"]))
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether a write would succeed now.
    pub async fn ready(&self) -> Result<(), Error> {
        self.store.ready().await
    }

    /// Runs `work` in one transaction and returns its value once that is durable.
    pub(crate) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnMut(&Keeper, &mut dyn Tx) -> TxResult<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (job, result) = self.job(work);
        self.store.write(job).await?;
        take(&result)
    }

    /// Runs `work` on a consistent view.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnMut(&Keeper, &mut dyn Tx) -> TxResult<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (job, result) = self.job(work);
        self.store.read(job).await?;
        take(&result)
    }

    /// Runs `work` in one transaction, lets the letters go that it queued, and then looks at its verdict: a
    /// refusal in it is a decision that is saved.
    pub(crate) async fn decided<T: Send + 'static>(
        self: &Arc<Self>,
        now: Timestamp,
        work: impl FnMut(&Keeper, &mut dyn Tx) -> TxResult<Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Error> {
        let verdict = self.write(work).await?;
        self.posted(now).await;
        verdict.map_err(Error::Refused)
    }

    fn job<T: Send + 'static>(
        self: &Arc<Self>,
        mut work: impl FnMut(&Keeper, &mut dyn Tx) -> TxResult<T> + Send + 'static,
    ) -> (crate::core::port::store::Job, Slot<T>) {
        let keeper = Arc::clone(self);
        let slot: Slot<T> = Arc::default();
        let filled = Arc::clone(&slot);
        let job = Box::new(move |tx: &mut dyn Tx| {
            let value = work(&keeper, tx)?;
            *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            Ok(())
        });
        (job, slot)
    }

    pub(crate) fn random_u64(&self) -> u64 {
        u64::from_be_bytes(bytes(self.random.as_ref()))
    }

    /// The short keyed hash that logs and audit show instead of an id that is itself a secret.
    pub(crate) fn alias(id: &RowId) -> String {
        hex::encode(&id.0[..8])
    }
}

type Slot<T> = Arc<Mutex<Option<T>>>;

fn take<T>(slot: &Slot<T>) -> Result<T, Error> {
    let value = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    value.ok_or_else(|| Error::bug("a transaction was committed without a result"))
}
