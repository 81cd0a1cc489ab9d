//! What happens without a request: letters, reminders, the audit chain, forgetting, and sealing anew.
//!
//! Every job claims its rows in a transaction, so any number of nodes may run them side by side.

use std::sync::Arc;
use std::time::Duration;

use crate::core::error::Error;
use crate::core::keeper::Keeper;
use crate::core::port::store::Kind;
use crate::core::time::Timestamp;
use crate::trail::audit::BATCH;

/// Kinds whose rows are removed when they are due. A row that is late to go is never trusted meanwhile.
const SWEPT: [Kind; 26] = [
    "rate",
    "owner_link",
    "device_challenge",
    "spent_assertion",
    "signing_key",
    "quota",
    "guess_budget",
    "vault_handshake",
    "vault_session",
    "vault_web_pass",
    "vault_application",
    "vault_approval",
    "vault_approval_link",
    "vault_notice",
    "wallet_challenge",
    "wallet_evidence",
    "wallet_setup",
    "wallet_passkey_call",
    "wallet_share",
    "wallet_decision",
    "token",
    "process",
    "session",
    "lockout",
    "decoy",
    "address_change",
];

impl Keeper {
    /// Runs everything that is due, letters included.
    pub async fn run_jobs(self: &Arc<Self>) -> Result<(), Error> {
        self.keep_house().await?;
        self.dispatch(self.now()).await?;
        while self.link_audit().await? >= BATCH {}
        while self.reseal().await? {}
        Ok(())
    }

    /// Runs what is due and needs nobody outside: reminders are queued, chains linked, old rows forgotten.
    pub async fn keep_house(self: &Arc<Self>) -> Result<(), Error> {
        while self.remind().await? > 0 {}
        self.sweep().await?;
        while self.remove_leftovers().await? {}
        while self.link_audit().await? >= BATCH {}
        Ok(())
    }

    /// Waits until a request left work for the jobs, or `at_most`.
    pub async fn wait_for_work(&self, at_most: Duration) {
        // Elapsing is the ordinary case: the jobs look anyway.
        let _elapsed = tokio::time::timeout(at_most, self.work.notified())
            .await
            .is_err();
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

    async fn sweep(self: &Arc<Self>) -> Result<(), Error> {
        let now = self.now();
        for kind in SWEPT {
            if !self.any_due(kind, now).await? {
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
