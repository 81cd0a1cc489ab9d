//! Giving shares back: step 2.

use std::sync::{Arc, Mutex};

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::liveness::{Evidence, Judged, Purpose};
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::limit::attempt::{Attempt, Begun, OpenTry, Opening, Settled};
use crate::limit::hashing::{HashQueue, Ticket};
use crate::proof::federated::FederatedUser;
use crate::wallet::SteppedUp;
use crate::wallet::Wallets;
use crate::wallet::enrolment::outcome;
use crate::wallet::key::{Backup, WalletKey};
use crate::wallet::key_id::WalletKeyId;
use crate::wallet::notice::ShareRecovery;
use crate::wallet::step_up::passkey::Step;
use crate::wallet::step_up::{Asked, Attempts, Begin, Shown, StepUpRefusal, Wish};
use crate::wallet::user::WalletUser;

/// One share that was asked for: the key as it was named, and the share if its owner has one.
#[derive(Debug)]
pub struct RecoveredShare {
    pub key: WalletKeyId,
    pub share: Option<String>,
}

/// A recovery, and how the owner steps up for it.
struct ShareRecoveryAttempt {
    recovery: ShareRecovery,
    now: Timestamp,
    wish: Wish,
    /// Taken out when the verifier is asked.
    evidence: Mutex<Option<Evidence>>,
}

impl Attempt<Wallets> for ShareRecoveryAttempt {
    type Counter = Attempts;
    type Loaded = Asked;
    type Judged = (Asked, Judged);
    /// What the verifier wants its client part to know.
    type Done = Option<String>;

    const QUEUE: Option<HashQueue> = None;

    fn line(&self) -> Option<RowId> {
        None
    }

    /// The rate is counted once, however long the attempt waits.
    fn begin(
        &self,
        hub: &Wallets,
        tx: &mut dyn Tx,
        opening: &Opening<'_>,
    ) -> TxResult<Begun<Attempts, Asked, Option<String>>> {
        hub.begin_recovery(tx, opening, self)
    }

    async fn check(
        &self,
        hub: &Arc<Wallets>,
        asked: Asked,
        _place: Option<&Ticket>,
    ) -> Result<(Asked, Judged), Error> {
        let judged = hub.ask_verifier(&asked, &self.evidence).await?;
        Ok((asked, judged))
    }

    fn settle(
        &self,
        hub: &Wallets,
        tx: &mut dyn Tx,
        open: OpenTry<'_, Attempts>,
        (asked, judged): &(Asked, Judged),
    ) -> TxResult<Settled<Option<String>>> {
        if hub.hold_user(tx, self.recovery.user)?.is_none() {
            return Ok(open.abandon().answer(Refusal::UnknownSubject));
        }
        let (closed, verdict) = hub.settle_step_up(tx, open, asked, judged)?;
        hub.note_recovery(tx, self.now, &self.recovery, outcome(&verdict, judged))?;
        Ok(closed.answer(verdict.map_err(Refusal::from)))
    }
}

/// Each key once, in the order of its first mention.
fn each_once(keys: Vec<WalletKeyId>) -> Vec<WalletKeyId> {
    let mut once: Vec<WalletKeyId> = Vec::with_capacity(keys.len());
    for key in keys {
        if !once.contains(&key) {
            once.push(key);
        }
    }
    once
}

/// The share to give back: only of the user's own key.
fn backup_of(key: &WalletKey, user: Id<WalletUser>) -> Option<Backup> {
    key.backup.filter(|_| key.user == user)
}

/// Whether the owner gets a notice of a recovery with this outcome: only one that was allowed gave shares away.
fn tells_owner(outcome: &str) -> bool {
    outcome == "done"
}

impl Wallets {
    /// Step 2. Answers each key once, in the order of its first mention.
    ///
    /// `UnknownSubject`: the user is not registered. `StepUp`: the owner must step up, and did not. `Limited`: too
    /// many calls, or too many refused step-ups.
    pub async fn recover_shares(
        self: &Arc<Self>,
        caller: Caller,
        bearer: FederatedUser,
        keys: Vec<WalletKeyId>,
        shown: Shown,
    ) -> Result<SteppedUp<Vec<RecoveredShare>>, Error> {
        let now = self.now();
        let user = self.wallet_user(&bearer);
        self.known_user(user).await?;
        let step = Step::Recovery(&keys);
        let wish = self.wish(user, Purpose::Recovery, step, &shown).await?;
        let recovery = ShareRecovery {
            caller,
            user,
            keys: keys.len(),
        };
        let attempt = ShareRecoveryAttempt {
            recovery,
            now,
            wish,
            evidence: Mutex::new(shown.evidence),
        };
        let for_client = self.attempt(self, attempt).await?;
        let keys = each_once(keys);
        let done = self
            .read(move |hub, tx| hub.shares_in(tx, user, &keys))
            .await?;
        Ok(SteppedUp { done, for_client })
    }

    /// The first transaction: decides what needs no verifier.
    fn begin_recovery(
        &self,
        tx: &mut dyn Tx,
        opening: &Opening<'_>,
        attempt: &ShareRecoveryAttempt,
    ) -> TxResult<Begun<Attempts, Asked, Option<String>>> {
        let (now, recovery) = (attempt.now, &attempt.recovery);
        let user = recovery.user;
        if self.hold_user(tx, user)?.is_none() {
            return Ok(Begun::Refused(Refusal::UnknownSubject));
        }
        if !opening.waited {
            let rate = self.policy.share_calls;
            if let Err(refusal) = self.spend_call(tx, now, (user, "shares"), rate)? {
                return Ok(Begun::Refused(refusal));
            }
        }
        if !self.has_verifier() {
            let refusal = Refusal::from(StepUpRefusal::NoVerifier);
            return Ok(Begun::Decided(refusal.into()));
        }
        Ok(match self.begin_step_up(tx, opening, &attempt.wish)? {
            Begin::Ask(reserved, asked) => Begun::Reserved(reserved, asked),
            Begin::Wait => Begun::Wait,
            Begin::Passed => {
                self.note_recovery(tx, now, recovery, "done")?;
                Begun::Decided(Verdict::Done(None))
            }
            Begin::Refused(refusal) => {
                self.note_recovery(tx, now, recovery, "refused")?;
                Begun::Decided(refusal.into())
            }
        })
    }

    /// Records the end of a recovery, and tells the operator of each and the owner of one that was allowed.
    fn note_recovery(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        recovery: &ShareRecovery,
        outcome: &str,
    ) -> TxResult<()> {
        let ShareRecovery { caller, user, keys } = recovery;
        let event = Self::wallet_event(caller, now, "share.recover", *user)
            .outcome(outcome)
            .fact("keys", keys.to_string());
        self.record(tx, event)?;
        self.tell_operator(tx, now, recovery, outcome)?;
        if tells_owner(outcome) {
            self.tell_holder(tx, now, caller, *user, "shares_recovered")?;
        }
        Ok(())
    }

    fn shares_in(
        &self,
        tx: &mut dyn Tx,
        user: Id<WalletUser>,
        keys: &[WalletKeyId],
    ) -> TxResult<Vec<RecoveredShare>> {
        let mut answered = Vec::with_capacity(keys.len());
        for key in keys {
            answered.push(RecoveredShare {
                key: key.clone(),
                share: self.share_in(tx, user, key)?,
            });
        }
        Ok(answered)
    }

    fn share_in(
        &self,
        tx: &mut dyn Tx,
        user: Id<WalletUser>,
        key: &WalletKeyId,
    ) -> TxResult<Option<String>> {
        let mut found: Option<Stored<WalletKey>> = self.rows.peek(tx, self.wallet_key_row(key))?;
        if let (None, Some(other)) = (&found, key.respelled()) {
            found = self.rows.peek(tx, self.wallet_key_row(&other))?;
        }
        let Some(key) = found else { return Ok(None) };
        let Some(backup) = backup_of(&key, user) else {
            return Ok(None);
        };
        let row = self.share_row(key.key(), backup.revision);
        let share = self.rows.peek(tx, row)?;
        Ok(share.map(|share| share.value.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::device::tests::{at, user};
    use crate::wallet::key::tests::key;

    fn ids(names: &[&str]) -> Vec<WalletKeyId> {
        let parsed = names.iter().map(|name| WalletKeyId::parse(name));
        parsed.map(Option::unwrap).collect()
    }

    #[test]
    fn each_key_is_answered_once_in_the_order_of_its_first_mention() {
        assert_eq!(
            each_once(ids(&["b", "a", "b", "c", "a"])),
            ids(&["b", "a", "c"])
        );
        assert_eq!(each_once(Vec::new()), Vec::new());
    }

    #[test]
    fn spellings_of_one_key_are_answered_each() {
        assert_eq!(each_once(ids(&["AB", "ab"])), ids(&["AB", "ab"]));
    }

    #[test]
    fn a_share_is_given_back_only_to_the_owner_of_its_key() {
        let backup = Backup {
            revision: 2,
            stored: at(0),
            chars: 3,
        };
        let mut key = key(1);
        key.backup = Some(backup);
        assert_eq!(backup_of(&key, user(1)), Some(backup));
        assert_eq!(backup_of(&key, user(2)), None);
    }

    #[test]
    fn a_key_without_a_share_gives_nothing_back() {
        assert_eq!(backup_of(&key(1), user(1)), None);
    }

    #[test]
    fn the_owner_is_told_only_of_a_recovery_that_was_allowed() {
        assert!(tells_owner("done"));
        for outcome in ["refused", "verifier untrustworthy", "verifier unreachable"] {
            assert!(!tells_owner(outcome), "{outcome}");
        }
    }
}
