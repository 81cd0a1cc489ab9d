//! Challenges for devices: random, short-lived, for one user and one key.

use std::sync::Arc;
use std::time::Duration;

use crypto::device_signature::DeviceId;
use serde::{Deserialize, Serialize};

use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::random::bytes;
use crate::core::port::store::{Kind, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::proof::federated::FederatedUser;
use crate::wallet::Wallets;
use crate::wallet::user::WalletUser;

/// An outstanding challenge. Removing its record uses it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WalletChallenge {
    pub(super) hex: String,
    expires: Timestamp,
}

impl Record for WalletChallenge {
    const KIND: Kind = "wallet_challenge";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

impl WalletChallenge {
    /// Whether a signature over `signed` answers this challenge in time.
    pub(super) fn is_answered_by(&self, signed: &str, now: Timestamp) -> bool {
        self.hex == signed && now < self.expires
    }
}

/// A challenge for its device.
#[derive(Debug)]
pub struct IssuedWalletChallenge {
    pub hex: String,
    pub life: Duration,
}

impl Wallets {
    pub(super) fn pending_challenge(
        &self,
        user: Id<WalletUser>,
        device: &DeviceId,
    ) -> Id<WalletChallenge> {
        self.rows.named(&[user.as_bytes(), device.as_bytes()])
    }

    /// Issues a fresh challenge for this user and this key; it replaces an older one.
    ///
    /// `UnknownSubject`: the user is not registered. `Limited`: the user has asked for too many challenges.
    pub async fn issue_challenge(
        self: &Arc<Self>,
        bearer: FederatedUser,
        device: DeviceId,
    ) -> Result<IssuedWalletChallenge, Error> {
        let now = self.now();
        let user = self.wallet_user(&bearer);
        let row = self.pending_challenge(user, &device);
        let verdict = self
            .write(move |hub, tx| hub.issue_challenge_in(tx, now, user, row))
            .await?;
        verdict.answer()
    }

    fn issue_challenge_in(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        user: Id<WalletUser>,
        row: Id<WalletChallenge>,
    ) -> TxResult<Verdict<IssuedWalletChallenge>> {
        if self.hold_user(tx, user)?.is_none() {
            return Ok(Refusal::UnknownSubject.into());
        }
        let rate = self.policy.challenges;
        if let Err(refusal) = self.spend_call(tx, now, (user, "challenges"), rate)? {
            return Ok(refusal.into());
        }
        let life = self.policy.challenge_life;
        let hex = hex::encode(bytes::<32>(self.random.as_ref()));
        let expires = now.plus(life);
        let challenge = WalletChallenge {
            hex: hex.clone(),
            expires,
        };
        match self.rows.get(tx, row)? {
            Some(mut old) => {
                old.value = challenge;
                old.place.due = Some(expires);
                self.rows.put(tx, &mut old)?;
            }
            None => {
                let place = Place::at(row).of(user).due(expires);
                self.rows.create(tx, self.tenant(), place, challenge)?;
            }
        }
        Ok(Verdict::Done(IssuedWalletChallenge { hex, life }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::device::tests::at;

    fn challenge() -> WalletChallenge {
        WalletChallenge {
            hex: "ab".to_owned(),
            expires: at(300),
        }
    }

    #[test]
    fn a_challenge_is_answered_by_a_signature_over_itself_until_it_expires() {
        assert!(challenge().is_answered_by("ab", at(0)));
        assert!(challenge().is_answered_by("ab", at(299)));
        assert!(!challenge().is_answered_by("ab", at(300)));
    }

    #[test]
    fn a_signature_over_a_replaced_challenge_or_none_answers_nothing() {
        assert!(!challenge().is_answered_by("cd", at(0)));
        assert!(!challenge().is_answered_by("", at(0)));
    }
}
