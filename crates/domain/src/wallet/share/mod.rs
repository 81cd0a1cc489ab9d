//! Shares of signing keys, encrypted by their owner's app and opaque to this server: stored, and given back only after
//! a step-up.
//!
//! 1. [`Wallets::keep_shares`]: all or nothing, in one transaction. What is replaced stays for a while, for the
//!    operator, because a stolen token could replace a share with garbage.
//! 2. [`Wallets::recover_shares`]: always a step-up. Only then keys are looked at, and the answer does not tell an
//!    unknown key from another user's or from one without a share. Every address of the owner gets a notice.

mod keep;
mod recover;

pub use self::recover::RecoveredShare;

use serde::{Deserialize, Serialize};

use crate::core::id::Id;
use crate::core::port::store::Kind;
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::time::Timestamp;
use crate::wallet::Wallets;
use crate::wallet::key::WalletKey;
use crate::wallet::key_id::WalletKeyId;

/// A share as its owner's app encrypted it.
#[derive(Clone)]
pub struct EncryptedShare {
    pub key: WalletKeyId,
    pub text: String,
}

impl std::fmt::Debug for EncryptedShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncryptedShare")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// One revision of a share. Its id is a keyed hash of the key's row and the revision.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KeyshareRevision {
    text: String,
    stored: Timestamp,
}

impl Record for KeyshareRevision {
    const KIND: Kind = "wallet_share";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

impl Wallets {
    fn share_row(&self, key: Id<WalletKey>, revision: u32) -> Id<KeyshareRevision> {
        self.rows.named(&[key.as_bytes(), &revision.to_be_bytes()])
    }

    /// Most characters of a share.
    pub fn longest_share(&self) -> usize {
        self.policy.longest_share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_printed() {
        let share = EncryptedShare {
            key: WalletKeyId::parse("key-1").unwrap(),
            text: "encrypted text".to_owned(),
        };
        let printed = format!("{share:?}");
        assert!(
            printed.contains("key-1") && !printed.contains("encrypted text"),
            "{printed}"
        );
    }
}
