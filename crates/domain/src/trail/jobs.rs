//! What happens without a request: reminders, the audit chain, forgetting, sealing anew, and what is left of
//! an older database.
//!
//! Every job claims its rows in a transaction, so any number of nodes may run them side by side.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Trail;
use super::audit::{BATCH, Checkpoint};
use super::rollback::{Freshness, Lost};
use crate::core::error::Error;
use crate::core::layer::Layer as _;
use crate::core::port::Store;
use crate::core::port::store::{Kind, Row, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, RecordKind, WhenDue};
use crate::core::time::Timestamp;

/// What a room above does when the jobs run.
#[async_trait]
pub(crate) trait Chores: Send + Sync {
    /// Does a part of what is due. Whether more is due at once.
    async fn keep_house(self: Arc<Self>) -> Result<bool, Error> {
        Ok(false)
    }

    /// How many messages wait in this room.
    async fn waiting(self: Arc<Self>) -> Result<u64, Error> {
        Ok(0)
    }

    /// Hands over the messages that are due. How many were accepted.
    async fn deliver(self: Arc<Self>) -> Result<usize, Error> {
        Ok(0)
    }

    /// Limits what a row of an older database still allows. Whether `kind` is one of this room's.
    fn after_rollback(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        lost: Lost,
        (kind, id): (Kind, RowId),
    ) -> TxResult<bool> {
        let _ = (tx, now, lost, kind, id);
        Ok(false)
    }

    /// Seals a row that was sealed by a root key with its newest version. `None`: the kind is not this room's.
    fn reseal(&self, tx: &mut dyn Tx, kind: Kind, row: &Row) -> TxResult<Option<bool>> {
        let _ = (tx, kind, row);
        Ok(None)
    }
}

/// The service for everything that happens without a request.
pub struct Upkeep {
    trail: Arc<Trail>,
    /// Every kind of row.
    kinds: Vec<RecordKind>,
    /// The kinds that do not stay as they are after a rollback, in the order of the walk.
    pub(super) walk: &'static [Kind],
    pub(super) rooms: Vec<Arc<dyn Chores>>,
}

impl Deref for Upkeep {
    type Target = Arc<Trail>;

    fn deref(&self) -> &Arc<Trail> {
        &self.trail
    }
}

impl crate::core::layer::Layer for Upkeep {
    fn core(&self) -> &crate::core::Core {
        self.trail.core()
    }
}

impl Upkeep {
    pub(crate) fn new(
        trail: Arc<Trail>,
        kinds: Vec<RecordKind>,
        walk: &'static [Kind],
        rooms: Vec<Arc<dyn Chores>>,
    ) -> Self {
        Self {
            trail,
            kinds,
            walk,
            rooms,
        }
    }

    /// What becomes of rows of `kind` after a rollback.
    pub(super) fn on_rollback(&self, kind: Kind) -> OnRollback {
        on_rollback(&self.kinds, kind)
    }

    /// Runs everything that is due, messages included.
    pub async fn run_jobs(self: &Arc<Self>) -> Result<(), Error> {
        self.keep_house().await?;
        self.deliver().await?;
        while self.link_audit().await? >= BATCH {}
        while self.reseal().await? {}
        Ok(())
    }

    /// Runs what is due and needs nobody outside: reminders are queued, chains linked, old rows forgotten.
    pub async fn keep_house(self: &Arc<Self>) -> Result<(), Error> {
        for room in &self.rooms {
            while Arc::clone(room).keep_house().await? {}
        }
        self.sweep().await?;
        while self.link_audit().await? >= BATCH {}
        Ok(())
    }

    /// Hands over the messages that are due. How many were accepted.
    pub async fn deliver(&self) -> Result<usize, Error> {
        let mut accepted = 0;
        for room in &self.rooms {
            accepted += Arc::clone(room).deliver().await?;
        }
        Ok(accepted)
    }

    /// How many messages wait.
    pub async fn waiting_messages(&self) -> Result<u64, Error> {
        let mut waiting = 0;
        for room in &self.rooms {
            waiting += Arc::clone(room).waiting().await?;
        }
        Ok(waiting)
    }

    /// Links the audit events that wait. How many were linked.
    pub async fn link_audit(&self) -> Result<usize, Error> {
        self.trail.link_audit().await
    }

    /// The signed end of the audit chain, `None` while there is none.
    pub async fn audit_checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        self.trail.audit_checkpoint().await
    }

    /// The same of `store`, which may be this server's without what stands before it.
    pub async fn checkpoint_of(&self, store: &dyn Store) -> Result<Option<Checkpoint>, Error> {
        self.trail.checkpoint_of(store).await
    }

    /// Compares a database with the checkpoint that is kept outside it. `store`: this server's own, without
    /// what stands before it while it is refused.
    pub async fn freshness(
        &self,
        store: &dyn Store,
        anchor: Option<&Checkpoint>,
    ) -> Result<Freshness, Error> {
        self.trail.freshness(store, anchor).await
    }

    /// Begins a new era: an operator accepts an older database.
    pub async fn begin_era(&self, anchor: Option<&Checkpoint>) -> Result<(), Error> {
        self.trail.begin_era(anchor).await
    }

    /// Waits until a request left work for the jobs, or `at_most`.
    pub async fn wait_for_work(&self, at_most: Duration) {
        self.core().wait_for_work(at_most).await;
    }

    /// Removes the rows that are due and whose kind says so.
    async fn sweep(self: &Arc<Self>) -> Result<(), Error> {
        let now = self.now();
        for swept in &self.kinds {
            let kind = swept.kind;
            if swept.when_due != WhenDue::Removed || !self.any_due(kind, now).await? {
                continue;
            }
            while self
                .write(move |_, tx| tx.remove_due(kind, now, 500))
                .await?
                == 500
            {}
        }
        Ok(())
    }
}

/// What becomes of rows of `kind` after a rollback. Rows of a kind that no room knows stay.
fn on_rollback(kinds: &[RecordKind], kind: Kind) -> OnRollback {
    let known = kinds.iter().find(|known| known.kind == kind);
    known.map_or(OnRollback::Stays, |known| known.on_rollback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_what_becomes_of_it_and_an_unknown_kind_stays() {
        let kind = |kind, on_rollback| RecordKind {
            kind,
            when_due: WhenDue::Stays,
            on_rollback,
        };
        let kinds = [
            kind("token", OnRollback::Ended),
            kind("lockout", OnRollback::Limited),
            kind("note", OnRollback::Stays),
        ];
        for (kind, expected) in [
            ("token", OnRollback::Ended),
            ("lockout", OnRollback::Limited),
            ("note", OnRollback::Stays),
            ("unknown", OnRollback::Stays),
        ] {
            assert_eq!(on_rollback(&kinds, kind), expected, "{kind}");
        }
    }
}
