//! Storing shares: step 1.

use std::sync::Arc;

use super::{EncryptedShare, KeyshareRevision};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::proof::federated::FederatedUser;
use crate::wallet::Wallets;
use crate::wallet::key::{Backup, WalletKey};
use crate::wallet::step_up::StepUpRefusal;
use crate::wallet::user::WalletUser;

/// Replaced revisions that are kept beside the current one.
const REPLACED: u32 = 3;

/// Which revisions of a share change when a new one is stored. The first revision is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Revisions {
    new: u32,
    /// The current one so far; it is kept for a while.
    replaced: u32,
    /// There are too many replaced ones: this one goes at once.
    removed: Option<u32>,
}

impl Revisions {
    fn after(backup: Option<Backup>) -> Self {
        let replaced = backup.map_or(0, |backup| backup.revision);
        let new = replaced + 1;
        Self {
            new,
            replaced,
            removed: new.checked_sub(REPLACED + 1),
        }
    }
}

/// Whether the user may store shares for keys of these owners; `None`: nobody owns the key yet.
fn may_keep(
    owners: impl IntoIterator<Item = Option<Id<WalletUser>>>,
    user: Id<WalletUser>,
    known_keys_only: bool,
) -> Result<(), Refusal> {
    let mine = |owner: Option<Id<WalletUser>>| match owner {
        Some(owner) => owner == user,
        None => !known_keys_only,
    };
    if owners.into_iter().all(mine) {
        Ok(())
    } else {
        Err(Refusal::Forbidden { need: "key" })
    }
}

impl Wallets {
    /// Step 1: stores shares, all or none.
    ///
    /// `Forbidden { need: "key" }`: some key is not the user's, whether it exists or not. `StepUp(NotEnrolled)`: the
    /// user could never get a share back. `Limited`: too many calls.
    pub async fn keep_shares(
        self: &Arc<Self>,
        caller: Caller,
        bearer: FederatedUser,
        shares: Vec<EncryptedShare>,
    ) -> Result<(), Error> {
        let now = self.now();
        let user = self.wallet_user(&bearer);
        self.known_user(user).await?;
        let verdict = self
            .write(move |hub, tx| hub.keep_shares_in(tx, (now, &caller), user, &shares))
            .await?;
        verdict.answer()
    }

    fn keep_shares_in(
        &self,
        tx: &mut dyn Tx,
        (now, caller): (Timestamp, &Caller),
        user: Id<WalletUser>,
        shares: &[EncryptedShare],
    ) -> TxResult<Verdict<()>> {
        if self.hold_user(tx, user)?.is_none() {
            return Ok(Refusal::UnknownSubject.into());
        }
        let policy = &self.policy;
        if let Err(refusal) = self.spend_call(tx, now, (user, "shares"), policy.share_calls)? {
            return Ok(refusal.into());
        }
        if policy.enrolled_only && !self.can_step_up(tx, user)? {
            return Ok(Refusal::from(StepUpRefusal::NotEnrolled).into());
        }
        let mut keys: Vec<Option<Stored<WalletKey>>> = Vec::with_capacity(shares.len());
        for share in shares {
            keys.push(self.rows.get(tx, self.wallet_key_row(&share.key))?);
        }
        let owners = keys.iter().map(|key| key.as_ref().map(|key| key.user));
        if let Err(refusal) = may_keep(owners, user, policy.known_keys_only) {
            return Ok(refusal.into());
        }
        let mut total = 0;
        for (share, key) in shares.iter().zip(keys) {
            let mut key = match key {
                Some(key) => key,
                None => self.own_key(tx, now, user, &share.key, None)?,
            };
            total += share.text.len();
            self.keep_share(tx, now, &mut key, &share.text)?;
        }
        let event = Self::wallet_event(caller, now, "share.keep", user)
            .fact("keys", shares.len().to_string())
            .fact("chars", total.to_string());
        self.record(tx, event)?;
        Ok(Verdict::Done(()))
    }

    fn keep_share(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        key: &mut Stored<WalletKey>,
        text: &str,
    ) -> TxResult<()> {
        let row = key.key();
        let revisions = Revisions::after(key.backup);
        if let Some(mut old) = self.rows.get(tx, self.share_row(row, revisions.replaced))? {
            old.place.due = Some(now.plus(self.policy.replaced_shares));
            self.rows.put(tx, &mut old)?;
        }
        if let Some(oldest) = revisions.removed {
            self.rows.remove(tx, self.share_row(row, oldest))?;
        }
        let place = Place::at(self.share_row(row, revisions.new))
            .of(row)
            .ranked(i64::from(revisions.new));
        let share = KeyshareRevision {
            text: text.to_owned(),
            stored: now,
        };
        self.rows.create(tx, self.tenant(), place, share)?;
        key.backup = Some(Backup {
            revision: revisions.new,
            stored: now,
            chars: text.len() as u64,
        });
        self.rows.put(tx, key)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::{option, prelude::*};

    use super::*;
    use crate::wallet::device::tests::{at, user};

    fn after(revision: u32) -> Revisions {
        Revisions::after(Some(Backup {
            revision,
            stored: at(0),
            chars: 1,
        }))
    }

    #[test]
    fn a_user_may_store_shares_of_keys_that_are_all_the_users() {
        let mine = [Some(user(1)), Some(user(1))];
        assert_eq!(may_keep(mine, user(1), true), Ok(()));
        assert_eq!(may_keep([], user(1), true), Ok(()));
    }

    #[test]
    fn one_key_of_another_user_refuses_all_whatever_the_policy() {
        let refused = Err(Refusal::Forbidden { need: "key" });
        for known_keys_only in [false, true] {
            let owners = [Some(user(1)), Some(user(2))];
            assert_eq!(may_keep(owners, user(1), known_keys_only), refused);
        }
    }

    #[test]
    fn a_key_that_nobody_owns_is_taken_only_where_the_operator_allows_that() {
        let refused = Err(Refusal::Forbidden { need: "key" });
        assert_eq!(may_keep([None], user(1), false), Ok(()));
        assert_eq!(may_keep([None], user(1), true), refused);
    }

    #[test]
    fn the_first_share_is_revision_one_and_replaces_nothing_that_exists() {
        let first = Revisions {
            new: 1,
            replaced: 0,
            removed: None,
        };
        assert_eq!(Revisions::after(None), first);
    }

    #[test]
    fn three_replaced_revisions_are_kept_and_the_next_removes_the_oldest() {
        assert_eq!((after(2).new, after(2).removed), (3, None));
        assert_eq!(
            (after(3).new, after(3).removed),
            (4, Some(0)),
            "there is no revision 0"
        );
        let fifth = Revisions {
            new: 5,
            replaced: 4,
            removed: Some(1),
        };
        assert_eq!(after(4), fifth);
    }

    proptest! {
        /// However many shares are stored: the current one and at most three replaced ones are there.
        #[test]
        fn no_more_than_four_revisions_are_ever_there(stored in 1_u32..40) {
            let mut there: Vec<u32> = Vec::new();
            let mut backup = None;
            for number in 1..=stored {
                let revisions = Revisions::after(backup);
                prop_assert_eq!(revisions.new, number, "no number is used twice");
                prop_assert_eq!(revisions.replaced, number - 1);
                there.retain(|revision| Some(*revision) != revisions.removed);
                there.push(revisions.new);
                prop_assert!(there.len() <= 4);
                backup = Some(Backup { revision: revisions.new, stored: at(0), chars: 1 });
            }
            let oldest = stored.saturating_sub(REPLACED).max(1);
            prop_assert_eq!(there, (oldest..=stored).collect::<Vec<u32>>());
        }

        /// Shares are stored only where every key is the user's, or is nobody's and that is allowed.
        #[test]
        fn no_mixture_of_owners_lets_another_users_key_through(owners in vec(option::of(1_u8..4), 0..6), known in any::<bool>()) {
            let keys: Vec<_> = owners.iter().map(|owner| owner.map(user)).collect();
            let allowed = owners.iter().all(|owner| match owner {
                Some(owner) => *owner == 1,
                None => !known,
            });
            prop_assert_eq!(may_keep(keys, user(1), known).is_ok(), allowed);
        }
    }
}
