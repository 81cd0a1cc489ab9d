//! What rooms above the outbox add to it, and what they hear from it.

use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::time::Timestamp;

/// The recovery lock that a message alerts an owner of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    pub contact: [u8; 16],
    pub lock: u64,
}

impl Alert {
    pub(crate) fn contact(&self) -> RowId {
        RowId(self.contact)
    }
}

/// Called by the outbox inside its own transactions.
pub(crate) trait Listener: Send + Sync {
    /// The anti-phishing code of whoever an e-mail address belongs to, if messages show one. Always costs the
    /// same reads, so that timing does not reveal which addresses have one.
    fn phrase(&self, core: &Core, tx: &mut dyn Tx, address: &str) -> TxResult<Option<String>>;

    /// A provider accepted a message that alerts an owner; it counts from `at`.
    fn alert_accepted(
        &self,
        core: &Core,
        tx: &mut dyn Tx,
        at: Timestamp,
        alert: &Alert,
    ) -> TxResult<()>;
}
