//! Shares of signing keys, encrypted by their owner's app and opaque to us: kept, and given back only to
//! the owner in person.
//!
//! 1. [`Wallets::keep_shares`]: all or nothing, in one transaction. What is replaced stays for a while, for
//!    the operator, because a stolen token could destroy a share with garbage.
//! 2. [`Wallets::recover_shares`]: always a step-up; only then keys are looked at, and nothing tells an
//!    unknown key from another user's or from one without a share. Every way in hears of it.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::liveness::{Evidence, Judged, Purpose};
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, undo};
use crate::limit::attempt::{Attempt, Begun, OpenTry, Opening, Settled};
use crate::limit::hashing::{HashQueue, Ticket};
use crate::proof::federated::FederatedUser;
use crate::wallet::SteppedUp;
use crate::wallet::Wallets;
use crate::wallet::enrolment::outcome;
use crate::wallet::key::{Backup, WalletKey, WalletKeyId};
use crate::wallet::step_up::passkey::Step;
use crate::wallet::step_up::{Asked, Attempts, Begin, Shown, StepUpRefusal, Wish};
use crate::wallet::user::WalletUser;

/// Replaced revisions that are kept beside the current one.
const REPLACED: u32 = 3;

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

/// One asked-for share: the key as it was named, and the share if its owner has one.
#[derive(Debug)]
pub struct RecoveredShare {
    pub key: WalletKeyId,
    pub share: Option<String>,
}

/// One revision of a share. Sealed under its key's row and its revision.
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

/// One recovery: who wants which keys' shares, and how the owner shows itself.
struct ShareRecovery {
    caller: Caller,
    now: Timestamp,
    /// How many keys were named.
    count: usize,
    wish: Wish,
    /// Taken out when the verifier is asked.
    evidence: Mutex<Option<Evidence>>,
}

impl Attempt<Wallets> for ShareRecovery {
    type Counter = Attempts;
    type Loaded = Asked;
    type Judged = (Asked, Judged);
    /// What the verifier told its client part.
    type Done = Option<String>;

    const QUEUE: Option<HashQueue> = None;

    fn line(&self) -> Option<RowId> {
        None
    }

    /// The rate is spent once, however long the attempt waits.
    fn begin(
        &self,
        hub: &Wallets,
        tx: &mut dyn Tx,
        opening: &Opening<'_>,
    ) -> TxResult<Begun<Attempts, Asked, Option<String>>> {
        let user = self.wish.user;
        hub.hold_user(tx, user)?;
        if !opening.waited {
            let rate = hub.policy.share_calls;
            hub.spend_call(tx, self.now, (user, "shares"), rate)?
                .map_err(undo)?;
        }
        if !hub.has_verifier() {
            let refusal = StepUpRefusal::NoVerifier.into();
            return Ok(Begun::KeyUseRecord(Verdict::Refused(refusal)));
        }
        Ok(match hub.begin_step_up(tx, opening, &self.wish)? {
            Begin::Ask(reserved, asked) => Begun::Reserved(reserved, asked),
            Begin::Wait => Begun::Wait,
            Begin::Passed => {
                hub.note_recovery(tx, self, "done")?;
                Begun::KeyUseRecord(Verdict::Done(None))
            }
            Begin::Refused(refusal) => {
                hub.note_recovery(tx, self, "refused")?;
                Begun::KeyUseRecord(Verdict::Refused(refusal))
            }
        })
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
        if hub.rows.get::<WalletUser>(tx, self.wish.user)?.is_none() {
            return Ok(open.abandon().answer(Refusal::UnknownSubject));
        }
        let (closed, verdict) = hub.settle_step_up(tx, open, asked, judged)?;
        hub.note_recovery(tx, self, outcome(&verdict, judged))?;
        Ok(closed.answer(verdict.map_err(Refusal::from)))
    }
}

impl Wallets {
    fn share_row(&self, key: RowId, revision: u32) -> RowId {
        self.rows
            .id(KeyshareRevision::KIND, &[&key.0, &revision.to_be_bytes()])
    }

    /// Most characters of a share.
    pub fn longest_share(&self) -> usize {
        self.policy.longest_share
    }

    /// Step 1. `Forbidden { need: "key" }`: some key is not the user's, whether it exists or not.
    pub async fn keep_shares(
        self: &Arc<Self>,
        caller: Caller,
        bearer: FederatedUser,
        shares: Vec<EncryptedShare>,
    ) -> Result<(), Error> {
        let now = self.now();
        let user = self.wallet_user(&bearer);
        self.known_user(user).await?;
        self.write(move |hub, tx| {
            hub.hold_user(tx, user)?;
            let policy = &hub.policy;
            hub.spend_call(tx, now, (user, "shares"), policy.share_calls)?
                .map_err(undo)?;
            if policy.enrolled_only && !hub.can_step_up(tx, user)? {
                return Ok(Err(StepUpRefusal::NotEnrolled.into()));
            }
            let mut keys = Vec::with_capacity(shares.len());
            for share in &shares {
                keys.push(
                    hub.rows
                        .get::<WalletKey>(tx, &hub.wallet_key_row(&share.key))?,
                );
            }
            let mine = |key: &Option<crate::core::rows::Stored<WalletKey>>| match key {
                Some(key) => key.user == user.0,
                None => !policy.known_keys_only,
            };
            if !keys.iter().all(mine) {
                return Ok(Err(Refusal::Forbidden { need: "key" }));
            }
            let mut total = 0;
            for (share, key) in shares.iter().zip(keys) {
                let mut key = match key {
                    Some(key) => key,
                    None => hub.own_key(tx, now, user, &share.key, None)?,
                };
                total += share.text.len();
                hub.keep_share(tx, now, &mut key, &share.text)?;
            }
            let event = Self::wallet_event(&caller, now, "share.keep", user)
                .fact("keys", shares.len().to_string())
                .fact("chars", total.to_string());
            hub.record(tx, event)?;
            Ok(Ok(()))
        })
        .await?
        .map_err(Error::Refused)
    }

    fn keep_share(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        key: &mut crate::core::rows::Stored<WalletKey>,
        text: &str,
    ) -> TxResult<()> {
        let last = key.backup.map_or(0, |backup| backup.revision);
        let revision = last + 1;
        if let Some(mut old) = self
            .rows
            .get::<KeyshareRevision>(tx, &self.share_row(key.id(), last))?
        {
            old.place.due = Some(now.plus(self.policy.replaced_shares));
            self.rows.put(tx, &mut old)?;
        }
        if let Some(oldest) = revision.checked_sub(REPLACED + 1) {
            self.rows
                .remove::<KeyshareRevision>(tx, &self.share_row(key.id(), oldest))?;
        }
        let place = Place::at(self.share_row(key.id(), revision))
            .of(key.id())
            .ranked(i64::from(revision));
        let share = KeyshareRevision {
            text: text.to_owned(),
            stored: now,
        };
        self.rows.create(tx, self.tenant(), place, share)?;
        key.backup = Some(Backup {
            revision,
            stored: now,
            chars: text.len() as u64,
        });
        self.rows.put(tx, key)
    }

    /// Step 2. Answers each key once, in the order of its first mention.
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
        let count = keys.len();
        let recovery = ShareRecovery {
            caller,
            now,
            count,
            wish,
            evidence: Mutex::new(shown.evidence),
        };
        let for_client = self.attempt(self, recovery).await?;
        let done = self
            .read(move |hub, tx| hub.shares_in(tx, user, &keys))
            .await?;
        Ok(SteppedUp { done, for_client })
    }

    /// Audits the end of a recovery, and tells the owner of one that was allowed.
    fn note_recovery(
        &self,
        tx: &mut dyn Tx,
        recovery: &ShareRecovery,
        outcome: &str,
    ) -> TxResult<()> {
        let ShareRecovery {
            caller, now, count, ..
        } = recovery;
        let (now, count, user) = (*now, *count, recovery.wish.user);
        let event = Self::wallet_event(caller, now, "share.recover", user)
            .outcome(outcome)
            .fact("keys", count.to_string());
        self.record(tx, event)?;
        self.tell_operator(tx, now, (caller, user, count), outcome)?;
        if outcome == "done" {
            self.tell_holder(tx, now, caller, user, "shares_recovered")?;
        }
        Ok(())
    }

    fn shares_in(
        &self,
        tx: &mut dyn Tx,
        user: RowId,
        keys: &[WalletKeyId],
    ) -> TxResult<Vec<RecoveredShare>> {
        let mut answered: Vec<RecoveredShare> = Vec::with_capacity(keys.len());
        for key in keys {
            if answered.iter().any(|done| done.key == *key) {
                continue;
            }
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
        user: RowId,
        key: &WalletKeyId,
    ) -> TxResult<Option<String>> {
        let mut found = self.rows.peek::<WalletKey>(tx, &self.wallet_key_row(key))?;
        if let (None, Some(other)) = (&found, key.respelled()) {
            found = self
                .rows
                .peek::<WalletKey>(tx, &self.wallet_key_row(&other))?;
        }
        let Some(key) = found.filter(|key| key.user == user.0) else {
            return Ok(None);
        };
        let Some(backup) = key.backup else {
            return Ok(None);
        };
        let row = self.share_row(key.id(), backup.revision);
        let share = self.rows.peek::<KeyshareRevision>(tx, &row)?;
        Ok(share.map(|share| share.value.text))
    }
}

/// The kind of a share's rows, for whoever removes a user.
pub(crate) const SHARES: &str = KeyshareRevision::KIND;
