//! Passkeys: stepping up where there is no verifier of persons. The owner's authenticator recognises its
//! owner (user verification) and signs a challenge of ours.
//!
//! 1. A challenge is issued for one user and one step: an enrolment, one device, or one set of keys.
//! 2. What the authenticator signed is judged outside any transaction.
//! 3. In the transaction of what it allows the challenge is taken, whatever the verdict. So it works
//!    once over all nodes, and for nothing but the step that was named when it was issued.
//!
//! Refusals are counted with those of the verifier (`Attempts`): one budget a user.

use std::sync::Arc;
use std::time::Duration;

use crypto::passkey::{self, Credential};
pub use crypto::passkey::{ALGORITHMS, Party};
use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::PasskeyRefusal;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::random::{bytes, uuid};
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::core::verdict::undo;
use crate::limit::counted::{AtOnce, Finding};
use crate::proof::federated::FederatedUser;
use crate::wallet::Wallets;
use crate::wallet::step_up::{Begin, Enrolment, State, StepUpRefusal, Wish};
use crate::wallet::{DeviceId, EnrolmentState, WalletKeyId};

/// What an enrolment by passkey names as its verifier.
pub(crate) const VERIFIER: &str = "passkey";

/// Who asks for passkeys: as authenticators show it and bind to it.
#[derive(Debug, Clone)]
pub struct PasskeyPolicy {
    pub party: Party,
    /// Shown to people.
    pub name: String,
}

impl From<PasskeyRefusal> for Refusal {
    fn from(refusal: PasskeyRefusal) -> Self {
        Self::StepUp(StepUpRefusal::Passkey(refusal))
    }
}

/// What a challenge is for, and for nothing else.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    Enrolment,
    NewDevice(&'a DeviceId),
    /// These keys, in any order.
    Recovery(&'a [WalletKeyId]),
}

/// A challenge for making a passkey.
#[derive(Debug)]
pub struct PasskeyOffer {
    pub challenge: [u8; 32],
    /// Stands for the user inside the authenticator; derived from nothing that a stranger knows.
    pub handle: [u8; 16],
    /// The issuer's own name for the user.
    pub subject: String,
    pub life: Duration,
}

/// A challenge for showing the passkey.
#[derive(Debug)]
pub struct PasskeyCall {
    pub challenge: [u8; 32],
    pub credential: Vec<u8>,
    pub transports: Vec<String>,
    pub life: Duration,
}

/// A new passkey, as the client hands it over.
#[derive(Debug)]
pub struct NewPasskey {
    pub client_data: Vec<u8>,
    pub attestation: Vec<u8>,
    /// How the authenticator says that it can be reached; only handed back to clients.
    pub transports: Vec<String>,
}

/// A passkey, shown.
#[derive(Debug)]
pub struct Assertion {
    pub credential: Vec<u8>,
    pub client_data: Vec<u8>,
    pub authenticator_data: Vec<u8>,
    pub signature: Vec<u8>,
    pub handle: Option<Vec<u8>>,
}

/// A shown passkey, judged as far as that goes without a transaction.
#[derive(Debug, Clone)]
pub(crate) struct JudgedPasskey {
    /// The record of the challenge it answers.
    challenge: RowId,
    step: RowId,
    /// The credential it was judged with, and the authenticator's count of signatures; `None`: not right.
    right: Option<(Credential, u32)>,
}

/// The record of an owner's passkey. Only the public half is ever here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passkey {
    credential: Credential,
    transports: Vec<String>,
}

impl Record for Passkey {
    const KIND: Kind = "wallet_passkey";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// An outstanding challenge. Its id is a keyed hash of user and challenge; taking it away spends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Challenge {
    step: [u8; 16],
    expires: Timestamp,
}

impl Record for Challenge {
    const KIND: Kind = "wallet_passkey_call";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// The kind of a challenge's rows, for whoever removes a user.
pub(crate) const CHALLENGES: &str = Challenge::KIND;

impl Wallets {
    /// Who asks for passkeys; `None` while they are not offered.
    pub fn passkeys(&self) -> Option<&PasskeyPolicy> {
        self.policy.passkeys.as_ref()
    }

    fn passkey_row(&self, user: RowId) -> RowId {
        self.rows.id(Passkey::KIND, &[&user.0])
    }

    fn handle(&self, user: RowId) -> [u8; 16] {
        self.rows.id("passkey handle", &[&user.0]).0
    }

    fn call_row(&self, user: RowId, challenge: &[u8]) -> RowId {
        self.rows.id(Challenge::KIND, &[&user.0, challenge])
    }

    /// One name for everything that a step is about.
    fn step_row(&self, step: Step<'_>) -> RowId {
        let mut parts: Vec<&[u8]> = Vec::new();
        match step {
            Step::Enrolment => parts.push(b"enrolment"),
            Step::NewDevice(device) => parts.extend([b"device".as_slice(), device.as_bytes()]),
            Step::Recovery(keys) => {
                let mut keys: Vec<&[u8]> = keys.iter().map(|key| key.as_str().as_bytes()).collect();
                keys.sort_unstable();
                keys.dedup();
                parts.push(b"recovery");
                parts.append(&mut keys);
            }
        }
        self.rows.id("passkey step", &parts)
    }

    /// Whether the owner has a passkey, and since when.
    pub async fn passkey_state(&self, bearer: &FederatedUser) -> Result<EnrolmentState, Error> {
        let user = self.wallet_user(bearer).row();
        self.known_user(user).await?;
        let found = self.read_enrolment(user).await?;
        let ours = found.filter(|found| found.verifier == VERIFIER);
        let since = ours.and_then(|found| found.active_since());
        Ok(EnrolmentState { since })
    }

    /// Step 1, for a new passkey.
    pub async fn offer_passkey(
        self: &Arc<Self>,
        bearer: FederatedUser,
    ) -> Result<PasskeyOffer, Error> {
        let user = self.wallet_user(&bearer).row();
        let challenge = bytes(self.random.as_ref());
        let (now, life) = (self.now(), self.policy.challenge_life);
        self.write(move |hub, tx| {
            hub.hold_user(tx, user)?
                .ok_or_else(|| undo(Refusal::UnknownSubject))?;
            let row = hub.enrolment_row(user);
            let enrolment = hub.rows.peek::<Enrolment>(tx, &row)?;
            if enrolment.is_some_and(|found| found.active_since().is_some()) {
                return Err(Refusal::from(PasskeyRefusal::Enrolled).into());
            }
            hub.keep_challenge(tx, now, user, (&challenge, Step::Enrolment))
        })
        .await?;
        Ok(PasskeyOffer {
            challenge,
            handle: self.handle(user),
            subject: bearer.subject().to_owned(),
            life,
        })
    }

    /// Step 1, for a step that the passkey must allow.
    pub async fn call_for_passkey(
        self: &Arc<Self>,
        bearer: FederatedUser,
        step: Step<'_>,
    ) -> Result<PasskeyCall, Error> {
        let user = self.wallet_user(&bearer).row();
        let challenge: [u8; 32] = bytes(self.random.as_ref());
        let (now, life) = (self.now(), self.policy.challenge_life);
        let step = self.step_row(step);
        self.write(move |hub, tx| {
            hub.hold_user(tx, user)?
                .ok_or_else(|| undo(Refusal::UnknownSubject))?;
            let Some(passkey) = hub.rows.peek::<Passkey>(tx, &hub.passkey_row(user))? else {
                return Err(Refusal::from(PasskeyRefusal::NotEnrolled).into());
            };
            hub.keep_challenge_for(tx, now, user, (&challenge, step))?;
            Ok(PasskeyCall {
                challenge,
                credential: passkey.credential.id().to_vec(),
                transports: passkey.value.transports,
                life,
            })
        })
        .await
    }

    fn keep_challenge(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        user: RowId,
        (challenge, step): (&[u8; 32], Step<'_>),
    ) -> TxResult<()> {
        let step = self.step_row(step);
        self.keep_challenge_for(tx, now, user, (challenge, step))
    }

    fn keep_challenge_for(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        user: RowId,
        (challenge, step): (&[u8; 32], RowId),
    ) -> TxResult<()> {
        let policy = &self.policy;
        self.spend_call(tx, now, (user, "passkey challenges"), policy.challenges)?
            .map_err(undo)?;
        let expires = now.plus(policy.challenge_life);
        let place = Place::at(self.call_row(user, challenge))
            .of(user)
            .due(expires);
        let kept = Challenge {
            step: step.0,
            expires,
        };
        self.rows.create(tx, self.tenant(), place, kept)?;
        Ok(())
    }

    /// Takes the challenge, if it is alive and was issued for this step. It is gone in any case.
    fn take_call(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        challenge: RowId,
    ) -> TxResult<Option<RowId>> {
        let taken = self.rows.take::<Challenge>(tx, &challenge)?;
        let alive = taken.filter(|taken| now < taken.expires);
        Ok(alive.map(|taken| RowId(taken.step)))
    }

    /// Makes a new passkey the owner's. A second one is refused, as a second face is.
    pub async fn enrol_passkey(
        self: &Arc<Self>,
        caller: Caller,
        bearer: FederatedUser,
        new: NewPasskey,
    ) -> Result<(), Error> {
        let policy = self.passkeys();
        let policy = policy.ok_or(Refusal::from(StepUpRefusal::NoVerifier))?;
        let now = self.now();
        let user = self.wallet_user(&bearer).row();
        self.known_user(user).await?;
        let challenge = passkey::challenge(&new.client_data).unwrap_or_default();
        let made = passkey::register(
            &policy.party,
            &challenge,
            &new.client_data,
            &new.attestation,
        );
        let passkey = made.map(|credential| Passkey {
            credential,
            transports: new.transports,
        });
        let row = self.call_row(user, &challenge);
        let verdict = self
            .write(move |hub, tx| {
                hub.hold_user(tx, user)?
                    .ok_or_else(|| undo(Refusal::UnknownSubject))?;
                let verdict = hub.settle_passkey(tx, now, user, row, passkey.as_ref())?;
                let outcome = if verdict.is_ok() { "done" } else { "refused" };
                let event = Self::wallet_event(&caller, now, "passkey.enrol", user);
                hub.record(tx, event.outcome(outcome))?;
                if verdict.is_ok() {
                    hub.tell_holder(tx, now, &caller, user, "passkey_enrolled")?;
                }
                Ok(verdict)
            })
            .await?;
        self.posted(now).await;
        verdict.map_err(Error::Refused)
    }

    fn settle_passkey(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        user: RowId,
        challenge: RowId,
        passkey: Option<&Passkey>,
    ) -> TxResult<Result<(), Refusal>> {
        let row = self.enrolment_row(user);
        let found = self.rows.get::<Enrolment>(tx, &row)?;
        match found.as_ref().map(|found| found.state) {
            Some(State::Active { .. }) => return Ok(Err(PasskeyRefusal::Enrolled.into())),
            Some(State::Pending { started }) if now < started.plus(self.policy.enrolment_life) => {
                return Ok(Err(StepUpRefusal::Enrolling.into()));
            }
            _ => {}
        }
        let Some(step) = self.take_call(tx, now, challenge)? else {
            return Ok(Err(Refusal::Expired));
        };
        let right = passkey.filter(|_| step == self.step_row(Step::Enrolment));
        let Some(passkey) = right else {
            return Ok(Err(PasskeyRefusal::Failed.into()));
        };
        if found.is_some() {
            self.rows.remove::<Enrolment>(tx, &row)?;
        }
        let enrolment = Enrolment {
            reference: uuid(self.random.as_ref()).to_string(),
            verifier: VERIFIER.to_owned(),
            state: State::Active { since: now },
        };
        let place = Place::at(row).of(user);
        self.rows.create(tx, self.tenant(), place, enrolment)?;
        let place = Place::at(self.passkey_row(user)).of(user);
        self.rows
            .create(tx, self.tenant(), place, passkey.clone())?;
        Ok(Ok(()))
    }

    /// Step 2. An assertion that answers no challenge at all names a record that is not there.
    pub(crate) async fn judge_passkey(
        &self,
        user: RowId,
        step: Step<'_>,
        shown: &Assertion,
    ) -> Result<JudgedPasskey, Error> {
        let challenge = passkey::challenge(&shown.client_data).unwrap_or_default();
        let row = self.passkey_row(user);
        let passkey = self.rows.read::<Passkey>(self.store.as_ref(), row).await?;
        let handle = self.handle(user);
        let fits = shown.handle.as_ref().is_none_or(|told| *told == handle);
        let right = match (self.passkeys(), passkey) {
            (Some(policy), Some(passkey)) if fits => {
                let credential = passkey.value.credential;
                let proof = passkey::Proof {
                    credential: &shown.credential,
                    client_data: &shown.client_data,
                    authenticator_data: &shown.authenticator_data,
                    signature: &shown.signature,
                };
                let count = credential.verify(&policy.party, &challenge, &proof);
                count.map(|count| (credential, count))
            }
            _ => None,
        };
        Ok(JudgedPasskey {
            challenge: self.call_row(user, &challenge),
            step: self.step_row(step),
            right,
        })
    }

    /// Step 3, for who is enrolled with a passkey.
    pub(crate) fn step_up_by_passkey(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        wish: &Wish,
    ) -> TxResult<Begin> {
        if self.passkeys().is_none() {
            return Ok(Begin::Refused(StepUpRefusal::NoVerifier.into()));
        }
        let Some(judged) = &wish.passkey else {
            return Ok(Begin::Refused(PasskeyRefusal::Missing.into()));
        };
        let failed = || Refusal::from(PasskeyRefusal::Failed);
        let judged = self.judge_at_once(tx, now, &self.step_ups(wish.user), |tx| {
            Ok(match self.take_call(tx, now, judged.challenge)? {
                None => Finding::Unjudged(Refusal::Expired),
                Some(step) if step != judged.step => Finding::Wrong(failed()),
                Some(_) if self.count_signature(tx, wish.user, judged)? => Finding::Right(()),
                Some(_) => Finding::Wrong(failed()),
            })
        })?;
        Ok(match judged {
            AtOnce::Right(()) => Begin::Passed,
            AtOnce::Wrong { why, .. } | AtOnce::Unjudged(why) => Begin::Refused(why),
            AtOnce::Exhausted { until } => Begin::Refused(Refusal::Limited { until }),
            AtOnce::InFlight { .. } => Begin::Wait,
        })
    }

    /// Whether what was judged still holds: the same credential, and a count that went on. A count that did
    /// not is a copied authenticator (WebAuthn §7.2, step 22); those that do not count stay at zero.
    fn count_signature(
        &self,
        tx: &mut dyn Tx,
        user: RowId,
        judged: &JudgedPasskey,
    ) -> TxResult<bool> {
        let row = self.passkey_row(user);
        let Some(mut passkey) = self.rows.get::<Passkey>(tx, &row)? else {
            return Ok(false);
        };
        let Some((credential, count)) = &judged.right else {
            return Ok(false);
        };
        if passkey.credential.id() != credential.id() || !passkey.credential.count_on(*count) {
            return Ok(false);
        }
        self.rows.put(tx, &mut passkey)?;
        Ok(true)
    }

    pub(crate) fn forget_passkey(&self, tx: &mut dyn Tx, user: RowId) -> TxResult<()> {
        self.rows.remove::<Passkey>(tx, &self.passkey_row(user))?;
        tx.remove_children(CHALLENGES, &user)?;
        Ok(())
    }
}
