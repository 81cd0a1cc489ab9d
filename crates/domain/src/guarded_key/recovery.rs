//! Recovery of a key whose PIN is forgotten: delayed, told to every way in, and stoppable by each.
//!
//! 1. [`GuardedKeys::start_recovery`] sends a code to a verified contact.
//! 2. [`GuardedKeys::recover`] with that code arms the contact's time lock and alerts all contacts.
//! 3. Reminders leave seven days and one day before it opens; every letter links to a page that stops it.
//! 4. When it has opened, a fresh code to the same contact replaces the PIN.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::random::bytes;
use crate::core::port::store::Kind;
use crate::core::port::store::{Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::secret::SecretText;
use crate::core::time::{Timestamp, days};
use crate::guarded_key::GuardedKeys;
use crate::guarded_key::contact::{
    CodePurpose, Contact, ContactAddress, ContactCode, ContactNotice, binding,
};
use crate::guarded_key::lock::{self, Alerts, LockState, RecoveryLock};
use crate::guarded_key::{GuardedKey, GuardedKeyId, Pin};
use crate::letter::alert::Alert;
use crate::limit::budget::GuessBudget;
use crate::limit::counter::Counter as _;
use crate::limit::hashing::HashQueue;
use crate::limit::rate::RateLog;
use crate::trail::audit::Event;

/// How long before the opening owners are reminded.
const REMINDERS: [u64; 2] = [7, 1];

/// A reminder that is to be sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Reminder {
    key: [u8; 16],
    contact: [u8; 16],
    lock: u64,
    surface: String,
}

impl Record for Reminder {
    const KIND: Kind = "reminder";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// A link in a letter, to the page that can stop a recovery. Found by a keyed hash of its token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OwnerLink {
    key: [u8; 16],
    contact: [u8; 16],
    lock: u64,
    language: String,
}

impl Record for OwnerLink {
    const KIND: Kind = "owner_link";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// What the page behind an owner's link shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningRecovery {
    pub armed: Timestamp,
    pub opens: Timestamp,
    pub language: String,
}

/// What a right code came to.
enum RecoveryStep {
    Refused(Refusal),
    /// The lock is open: everything is ready for a new PIN, and nothing was spent yet.
    WantsPin,
    Done,
}

impl GuardedKeys {
    pub(crate) fn alerts(&self) -> Alerts {
        if self.policy.store_addresses {
            Alerts::Needed
        } else {
            Alerts::Impossible
        }
    }

    /// RecoveryStep 1.
    pub async fn start_recovery(
        self: &Arc<Self>,
        caller: Caller,
        key: GuardedKeyId,
        address: ContactAddress,
    ) -> Result<(), Error> {
        let row = self.key_row(key);
        let contact = self.locate_contact(row, &address).await?;
        let now = self.now();
        let verdict = self
            .write(move |hub, tx| {
                if hub.rows.get::<GuardedKey>(tx, &row)?.is_none() {
                    return Ok(Err(Refusal::UnknownSubject));
                }
                let found = hub.rows.get::<Contact>(tx, &contact)?;
                let Some(mut found) = found.filter(|contact| contact.verified.is_some()) else {
                    return hub.count_probe(tx, now, row).map(Err);
                };
                let limits = hub.policy.code_guesses();
                let budget = hub.rows.get::<GuessBudget>(tx, &hub.budget_row(contact))?;
                if let Some(until) = budget.and_then(|budget| budget.exhausted(now, &limits)) {
                    return Ok(Err(Refusal::Exhausted { until }));
                }
                if let Err(refusal) = hub.spend_sends(tx, now, &caller, contact, &address)? {
                    return Ok(Err(refusal));
                }
                let life = hub.policy.code_life;
                let (code, text) =
                    hub.issue_code(now, life, &binding(&contact, CodePurpose::Recover))?;
                found.waiting = Some(ContactCode {
                    purpose: CodePurpose::Recover,
                    code,
                    pending: None,
                });
                hub.rows.put(tx, &mut found)?;
                // Whoever asks here has proved nothing: the owner is addressed in the owner's language.
                let reader = Caller {
                    language: found.language.clone(),
                    ..caller.clone()
                };
                hub.post_code(
                    tx,
                    now,
                    &reader,
                    (contact, &address),
                    CodePurpose::Recover,
                    &text,
                )?;
                let event =
                    Event::new(caller.surface, now, "recovery.start", row.alias()).by(&caller);
                hub.record(tx, event.fact("contact", contact.alias()))?;
                Ok(Ok(()))
            })
            .await?;
        self.posted(now).await;
        verdict.map_err(Error::Refused)
    }

    /// Steps 2 and 4. `new` is looked at only when the lock has opened; then `None` is refused as
    /// `Invalid { field: "new_pin" }`, and the code stays usable.
    pub async fn recover(
        self: &Arc<Self>,
        caller: Caller,
        key: GuardedKeyId,
        address: ContactAddress,
        code: SecretText,
        new: Option<Pin>,
    ) -> Result<(), Error> {
        let row = self.key_row(key);
        let contact = self.locate_contact(row, &address).await?;
        let now = self.now();
        let id = self.random_u64();
        let first = PresentedCode {
            caller: caller.clone(),
            row,
            contact,
            code: code.clone(),
            now,
            id,
        };
        let step = self
            .write(move |hub, tx| hub.prove_recovery(tx, &first, None))
            .await?;
        let step = match (step, new) {
            (RecoveryStep::WantsPin, None) => {
                return Err(Refusal::Invalid {
                    field: "new_pin",
                    why: "missing or malformed",
                }
                .into());
            }
            (RecoveryStep::WantsPin, Some(new)) => {
                let ticket = self.hashes.admit(HashQueue::Pin)?;
                let recipe = self.pin_recipe(row);
                let roots = Arc::clone(&self.roots);
                let hashed = ticket
                    .run(move |memory| recipe.hash(roots.as_ref(), &new, memory))
                    .await??;
                let second = PresentedCode {
                    caller,
                    row,
                    contact,
                    code,
                    now,
                    id,
                };
                self.write(move |hub, tx| hub.prove_recovery(tx, &second, Some(&hashed)))
                    .await?
            }
            (step, _) => step,
        };
        self.posted(now).await;
        match step {
            RecoveryStep::Refused(refusal) => Err(refusal.into()),
            RecoveryStep::Done => Ok(()),
            RecoveryStep::WantsPin => Err(Error::bug("a recovery with a new PIN wants a PIN")),
        }
    }

    fn prove_recovery(
        &self,
        tx: &mut dyn Tx,
        proof: &PresentedCode,
        hashed: Option<&crate::guarded_key::HashedPin>,
    ) -> TxResult<RecoveryStep> {
        let PresentedCode {
            caller,
            row,
            contact,
            code,
            now,
            id,
        } = proof;
        let (mut key, mut found) = match self.awaiting(tx, *row, *contact, CodePurpose::Recover)? {
            Ok(found) => found,
            Err(refusal) => return Ok(RecoveryStep::Refused(refusal)),
        };
        let policy = &self.policy;
        let turn = lock::proved(
            found.lock.as_ref(),
            *now,
            (policy.lock, policy.lock_use),
            self.alerts(),
            *id,
        );
        if turn == LockState::Open && hashed.is_none() && self.is_right(*now, &found, code)? {
            // The code is judged, but neither counted nor spent, until the new PIN is there.
            let until = self
                .rows
                .get::<GuessBudget>(tx, &self.budget_row(*contact))?;
            let until = until.and_then(|budget| budget.exhausted(*now, &policy.code_guesses()));
            return Ok(until.map_or(RecoveryStep::WantsPin, |until| {
                RecoveryStep::Refused(Refusal::Exhausted { until })
            }));
        }
        let event = Event::new(caller.surface, *now, "recovery.prove", row.alias()).by(caller);
        let event = event.fact("contact", contact.alias());
        if let Err(refusal) = self.judge_code(tx, *now, &mut found, code)? {
            if !matches!(refusal, Refusal::Exhausted { .. }) {
                self.record(tx, event.outcome("refused"))?;
            }
            return Ok(RecoveryStep::Refused(refusal));
        }
        found.waiting = None;
        let step = match turn {
            LockState::Armed(lock) => {
                let until = lock.opens;
                self.arm(tx, proof, &mut found, lock)?;
                self.record(tx, event.outcome("locked").fact("until", until.rfc3339()))?;
                RecoveryStep::Refused(Refusal::TimeLocked { until })
            }
            LockState::Locked { until } => {
                self.rows.put(tx, &mut found)?;
                self.record(tx, event.outcome("locked").fact("until", until.rfc3339()))?;
                RecoveryStep::Refused(Refusal::TimeLocked { until })
            }
            LockState::Open => {
                let hashed = hashed
                    .ok_or_else(|| Error::bug("an open lock was proved without a new PIN"))?;
                self.rows.put(tx, &mut found)?;
                self.replace_by_recovery(tx, proof, &mut key, hashed)?;
                self.record(tx, event.outcome("recovered"))?;
                RecoveryStep::Done
            }
        };
        Ok(step)
    }

    fn is_right(
        &self,
        now: Timestamp,
        contact: &Stored<Contact>,
        code: &SecretText,
    ) -> Result<bool, Error> {
        let Some(waiting) = &contact.waiting else {
            return Ok(false);
        };
        let presented = self.present_code(
            now,
            &waiting.code,
            &binding(&contact.id(), waiting.purpose),
            code,
        )?;
        Ok(presented == crate::proof::challenge::CodeMatch::Right)
    }

    fn arm(
        &self,
        tx: &mut dyn Tx,
        proof: &PresentedCode,
        contact: &mut Stored<Contact>,
        lock: RecoveryLock,
    ) -> TxResult<()> {
        let PresentedCode {
            caller, row, now, ..
        } = proof;
        contact.lock = Some(lock.clone());
        self.rows.put(tx, contact)?;
        for days_before in REMINDERS {
            let at = lock.opens.minus(days(days_before));
            if at > *now {
                let reminder = Reminder {
                    key: row.0,
                    contact: contact.id().0,
                    lock: lock.id,
                    surface: caller.surface.to_owned(),
                };
                let place = Place::at(self.rows.random_id()).due(at);
                self.rows.create(tx, self.tenant(), place, reminder)?;
            }
        }
        let mut notice = ContactNotice::of("recovery_started");
        notice
            .facts
            .insert("until".to_owned(), lock.opens.rfc3339());
        notice.lock = Some((contact.id(), lock));
        self.notify_contacts(tx, *now, caller.surface, *row, &notice)
    }

    fn replace_by_recovery(
        &self,
        tx: &mut dyn Tx,
        proof: &PresentedCode,
        key: &mut Stored<GuardedKey>,
        hashed: &crate::guarded_key::HashedPin,
    ) -> TxResult<()> {
        let PresentedCode {
            caller, row, now, ..
        } = proof;
        let sealed = key.recovery_envelope.clone();
        let sealed = sealed
            .ok_or_else(|| Error::bug("a key with a verified contact has no recovery envelope"))?;
        let content = self.open_by_recovery(*row, &sealed)?;
        self.replace_pin(key, hashed, *row, &content);
        self.rows.put(tx, key)?;
        let mut budget = self.budget(tx, *row)?;
        budget.clear();
        self.rows.put(tx, &mut budget)?;
        self.stop_recoveries(tx, *row)?;
        self.notify_contacts(
            tx,
            *now,
            caller.surface,
            *row,
            &ContactNotice::of("pin_reset"),
        )
    }

    /// Ends every running recovery of a key, and the codes that are out for one.
    pub(crate) fn stop_recoveries(&self, tx: &mut dyn Tx, key: RowId) -> TxResult<()> {
        for listed in self.rows.children::<Contact>(tx, &key, Page::ALL)? {
            let armed = listed.lock.is_some();
            let waiting = listed
                .waiting
                .as_ref()
                .is_some_and(|waiting| waiting.purpose == CodePurpose::Recover);
            if armed || waiting {
                self.stop_recovery(tx, listed.id())?;
            }
        }
        Ok(())
    }

    fn stop_recovery(&self, tx: &mut dyn Tx, contact: RowId) -> TxResult<()> {
        let Some(mut contact) = self.rows.get::<Contact>(tx, &contact)? else {
            return Ok(());
        };
        contact.lock = None;
        contact.waiting = contact
            .waiting
            .take()
            .filter(|waiting| waiting.purpose != CodePurpose::Recover);
        self.rows.put(tx, &mut contact)
    }

    /// RecoveryStep 3: sends the reminders that are due. Returns how many were looked at.
    pub async fn remind(self: &Arc<Self>) -> Result<usize, Error> {
        let now = self.now();
        if !self.any_due(Reminder::KIND, now).await? {
            return Ok(0);
        }
        let seen = self
            .write(move |hub, tx| {
                let reminders = hub.rows.due::<Reminder>(tx, now, 64)?;
                for reminder in &reminders {
                    hub.rows.remove::<Reminder>(tx, &reminder.id())?;
                    let contact = hub.rows.get::<Contact>(tx, &RowId(reminder.contact))?;
                    let lock = contact.and_then(|contact| contact.value.lock);
                    let Some(lock) =
                        lock.filter(|lock| lock.id == reminder.lock && lock.is_live(now))
                    else {
                        continue;
                    };
                    let opens = lock.opens_at(now, hub.alerts());
                    let mut notice = ContactNotice::of("recovery_reminder");
                    notice.facts.insert("until".to_owned(), opens.rfc3339());
                    notice
                        .facts
                        .insert("left".to_owned(), days_left(now, opens).to_string());
                    notice.lock = Some((RowId(reminder.contact), lock));
                    hub.notify_contacts(tx, now, &reminder.surface, RowId(reminder.key), &notice)?;
                }
                Ok(reminders.len())
            })
            .await?;
        if seen > 0 {
            self.posted(now).await;
        }
        Ok(seen)
    }

    /// A fresh link to the page that can stop `lock`.
    pub(crate) fn owner_link(
        &self,
        tx: &mut dyn Tx,
        key: RowId,
        contact: RowId,
        lock: &RecoveryLock,
        language: &str,
    ) -> TxResult<String> {
        let token = hex::encode(bytes::<32>(self.random.as_ref()));
        let link = OwnerLink {
            key: key.0,
            contact: contact.0,
            lock: lock.id,
            language: language.to_owned(),
        };
        let place = Place::at(self.link_row(&token)).due(lock.void);
        self.rows.create(tx, self.tenant(), place, link)?;
        Ok(format!("{}/recovery/{token}", self.public_url))
    }

    fn link_row(&self, token: &str) -> RowId {
        self.rows.id(OwnerLink::KIND, &[token.as_bytes()])
    }

    /// What the page behind `token` shows; changes nothing.
    pub async fn running_recovery(
        self: &Arc<Self>,
        token: String,
    ) -> Result<RunningRecovery, Error> {
        let now = self.now();
        let row = self.link_row(&token);
        self.read(move |hub, tx| {
            let found = hub.linked(tx, now, row)?;
            let Some((link, lock)) = found else {
                return Err(Refusal::UnknownSubject.into());
            };
            let opens = lock.opens_at(now, hub.alerts());
            Ok(RunningRecovery {
                armed: lock.armed,
                opens,
                language: link.language,
            })
        })
        .await
    }

    /// Stops the recovery that `token` is about. It can be armed again only with a fresh code.
    pub async fn cancel_recovery(
        self: &Arc<Self>,
        surface: &'static str,
        token: String,
    ) -> Result<RunningRecovery, Error> {
        let now = self.now();
        let row = self.link_row(&token);
        let stopped = self
            .write(move |hub, tx| {
                let Some((link, lock)) = hub.linked(tx, now, row)? else {
                    return Err(Refusal::UnknownSubject.into());
                };
                hub.stop_recovery(tx, RowId(link.contact))?;
                let key = RowId(link.key);
                hub.notify_contacts(
                    tx,
                    now,
                    surface,
                    key,
                    &ContactNotice::of("recovery_cancelled"),
                )?;
                let event = Event::new(surface, now, "recovery.cancel", key.alias());
                hub.record(
                    tx,
                    event
                        .fact("contact", RowId(link.contact).alias())
                        .fact("by", "owner link"),
                )?;
                Ok(RunningRecovery {
                    armed: lock.armed,
                    opens: lock.opens,
                    language: link.language,
                })
            })
            .await?;
        self.posted(now).await;
        Ok(stopped)
    }

    fn linked(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        row: RowId,
    ) -> TxResult<Option<(OwnerLink, RecoveryLock)>> {
        let Some(link) = self.rows.get::<OwnerLink>(tx, &row)? else {
            return Ok(None);
        };
        let contact = self.rows.get::<Contact>(tx, &RowId(link.contact))?;
        let lock = contact.and_then(|contact| contact.value.lock);
        Ok(lock
            .filter(|lock| lock.id == link.lock && lock.is_live(now))
            .map(|lock| (link.value, lock)))
    }

    /// Bounds how often a key is probed for contacts that it does not have.
    fn count_probe(&self, tx: &mut dyn Tx, now: Timestamp, key: RowId) -> TxResult<Refusal> {
        let rates = [self.policy.unknown_contacts_per_key];
        let row = self.rows.id(RateLog::KIND, &[b"unknown contacts", &key.0]);
        let spent = self.spend_rates(tx, now, &[(row, &rates)])?;
        Ok(spent.err().unwrap_or(Refusal::UnknownSubject))
    }
}

/// A code that arrived for a recovery.
struct PresentedCode {
    caller: Caller,
    row: RowId,
    contact: RowId,
    code: SecretText,
    now: Timestamp,
    id: u64,
}

fn days_left(now: Timestamp, until: Timestamp) -> u64 {
    until.since(now).as_secs().div_ceil(86_400)
}

/// A provider took a letter about a lock: from the first one on, its owner has heard of it.
pub(crate) fn alert_accepted(
    core: &Core,
    tx: &mut dyn Tx,
    now: Timestamp,
    alert: &Alert,
) -> TxResult<()> {
    let Some(mut contact) = core.rows.get::<Contact>(tx, &alert.contact())? else {
        return Ok(());
    };
    let Some(lock) = contact
        .lock
        .as_mut()
        .filter(|lock| lock.id == alert.lock && lock.alerted.is_none())
    else {
        return Ok(());
    };
    lock.alert_accepted(now);
    core.rows.put(tx, &mut contact)
}
