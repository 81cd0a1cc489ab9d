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
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::random::{bytes, uuid};
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::letter::Decides as _;
use crate::limit::counted::{AtOnce, Finding};
use crate::proof::federated::FederatedUser;
use crate::wallet::Wallets;
use crate::wallet::step_up::{Begin, Enrolment, EnrolmentPlace, State, StepUpRefusal, Wish};
use crate::wallet::user::WalletUser;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JudgedPasskey {
    /// The record of the challenge it answers.
    challenge: Id<Challenge>,
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

impl Challenge {
    /// The step that this challenge was issued for, until it expires.
    fn step_at(&self, now: Timestamp) -> Option<RowId> {
        (now < self.expires).then_some(RowId(self.step))
    }
}

impl Passkey {
    /// Whether what was judged still holds: the same credential, and a count that has increased. A count that has not
    /// is that of a copied authenticator (WebAuthn §7.2, step 22); authenticators that do not count stay at zero.
    fn accepts(&mut self, judged: &JudgedPasskey) -> bool {
        let Some((credential, count)) = &judged.right else {
            return false;
        };
        self.credential.id() == credential.id() && self.credential.count_on(*count)
    }
}

impl<'a> Step<'a> {
    /// What a step is about, in one order whatever the order of its keys.
    fn parts(self) -> Vec<&'a [u8]> {
        match self {
            Self::Enrolment => vec![b"enrolment"],
            Self::NewDevice(device) => vec![b"device", device.as_bytes()],
            Self::Recovery(keys) => {
                let mut keys: Vec<&[u8]> = keys.iter().map(|key| key.as_str().as_bytes()).collect();
                keys.sort_unstable();
                keys.dedup();
                [vec![b"recovery".as_slice()], keys].concat()
            }
        }
    }
}

/// Whether a new passkey may be enrolled in this place.
fn may_enrol(place: EnrolmentPlace) -> Result<(), Refusal> {
    match place {
        EnrolmentPlace::Free => Ok(()),
        EnrolmentPlace::Enrolled => Err(PasskeyRefusal::Enrolled.into()),
        EnrolmentPlace::Pending => Err(StepUpRefusal::Enrolling.into()),
    }
}

/// How a step-up by passkey begins, and is over.
fn begun(judged: AtOnce<(), Refusal>) -> Begin {
    match judged {
        AtOnce::Right(()) => Begin::Passed,
        AtOnce::Wrong { why, .. } | AtOnce::Unjudged(why) => Begin::Refused(why),
        AtOnce::Exhausted { until } => Begin::Refused(Refusal::Limited { until }),
        AtOnce::InFlight { .. } => Begin::Wait,
    }
}

/// The kind of a challenge's rows, for whoever removes a user.
pub(crate) const CHALLENGES: &str = Challenge::KIND;

impl Wallets {
    /// Who asks for passkeys; `None` while they are not offered.
    pub fn passkeys(&self) -> Option<&PasskeyPolicy> {
        self.policy.passkeys.as_ref()
    }

    fn passkey_row(&self, user: Id<WalletUser>) -> Id<Passkey> {
        self.rows.named(&[user.as_bytes()])
    }

    fn handle(&self, user: Id<WalletUser>) -> [u8; 16] {
        self.rows.id("passkey handle", &[user.as_bytes()]).0
    }

    fn call_row(&self, user: Id<WalletUser>, challenge: &[u8]) -> Id<Challenge> {
        self.rows.named(&[user.as_bytes(), challenge])
    }

    /// One name for everything that a step is about.
    fn step_row(&self, step: Step<'_>) -> RowId {
        self.rows.id("passkey step", &step.parts())
    }

    /// Whether the owner has a passkey, and since when.
    pub async fn passkey_state(&self, bearer: &FederatedUser) -> Result<EnrolmentState, Error> {
        let user = self.wallet_user(bearer);
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
        let user = self.wallet_user(&bearer);
        let challenge = bytes(self.random.as_ref());
        let (now, life) = (self.now(), self.policy.challenge_life);
        let verdict = self
            .write(move |hub, tx| {
                if hub.hold_user(tx, user)?.is_none() {
                    return Ok(Refusal::UnknownSubject.into());
                }
                let row = hub.enrolment_row(user);
                let enrolment = hub.rows.peek(tx, row)?;
                if enrolment.is_some_and(|found| found.active_since().is_some()) {
                    return Ok(Refusal::from(PasskeyRefusal::Enrolled).into());
                }
                let step = hub.step_row(Step::Enrolment);
                let kept = hub.keep_challenge(tx, now, user, (&challenge, step))?;
                Ok(Verdict::from(kept))
            })
            .await?;
        verdict.answer()?;
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
        let user = self.wallet_user(&bearer);
        let challenge: [u8; 32] = bytes(self.random.as_ref());
        let (now, life) = (self.now(), self.policy.challenge_life);
        let step = self.step_row(step);
        let verdict = self
            .write(move |hub, tx| {
                if hub.hold_user(tx, user)?.is_none() {
                    return Ok(Verdict::Refused(Refusal::UnknownSubject));
                }
                let Some(passkey) = hub.rows.peek(tx, hub.passkey_row(user))? else {
                    return Ok(Refusal::from(PasskeyRefusal::NotEnrolled).into());
                };
                allowed!(hub.keep_challenge(tx, now, user, (&challenge, step))?);
                Ok(Verdict::Done(PasskeyCall {
                    challenge,
                    credential: passkey.credential.id().to_vec(),
                    transports: passkey.value.transports,
                    life,
                }))
            })
            .await?;
        verdict.answer()
    }

    /// Saves a challenge for one step, or refuses and saves nothing.
    fn keep_challenge(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        user: Id<WalletUser>,
        (challenge, step): (&[u8; 32], RowId),
    ) -> TxResult<Result<(), Refusal>> {
        let policy = &self.policy;
        let call = (user, "passkey challenges");
        allowed!(self.spend_call(tx, now, call, policy.challenges)?);
        let expires = now.plus(policy.challenge_life);
        let place = Place::at(self.call_row(user, challenge))
            .of(user)
            .due(expires);
        let kept = Challenge {
            step: step.0,
            expires,
        };
        self.rows.create(tx, self.tenant(), place, kept)?;
        Ok(Ok(()))
    }

    /// Takes the challenge, if it is alive and was issued for this step. It is gone in any case.
    fn take_call(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        challenge: Id<Challenge>,
    ) -> TxResult<Option<RowId>> {
        let taken = self.rows.take(tx, challenge)?;
        Ok(taken.and_then(|taken| taken.step_at(now)))
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
        let user = self.wallet_user(&bearer);
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
        self.decide(now, move |hub, tx| {
            if hub.hold_user(tx, user)?.is_none() {
                return Ok(Refusal::UnknownSubject.into());
            }
            let verdict = hub.settle_passkey(tx, now, user, row, passkey.as_ref())?;
            let outcome = if verdict.is_ok() { "done" } else { "refused" };
            let event = Self::wallet_event(&caller, now, "passkey.enrol", user);
            hub.record(tx, event.outcome(outcome))?;
            if verdict.is_ok() {
                hub.tell_holder(tx, now, &caller, user, "passkey_enrolled")?;
            }
            Ok(verdict.into())
        })
        .await
    }

    fn settle_passkey(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        user: Id<WalletUser>,
        challenge: Id<Challenge>,
        passkey: Option<&Passkey>,
    ) -> TxResult<Result<(), Refusal>> {
        let row = self.enrolment_row(user);
        let found = self.rows.get(tx, row)?;
        let life = self.policy.enrolment_life;
        allowed!(may_enrol(EnrolmentPlace::of(found.as_deref(), now, life)));
        let Some(step) = self.take_call(tx, now, challenge)? else {
            return Ok(Err(Refusal::Expired));
        };
        let right = passkey.filter(|_| step == self.step_row(Step::Enrolment));
        let Some(passkey) = right else {
            return Ok(Err(PasskeyRefusal::Failed.into()));
        };
        if found.is_some() {
            self.rows.remove(tx, row)?;
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
        user: Id<WalletUser>,
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
        Ok(begun(judged))
    }

    /// Saves the count of signatures of a passkey that accepts what was judged. Returns whether it does.
    fn count_signature(
        &self,
        tx: &mut dyn Tx,
        user: Id<WalletUser>,
        judged: &JudgedPasskey,
    ) -> TxResult<bool> {
        let row = self.passkey_row(user);
        let Some(mut passkey) = self.rows.get(tx, row)? else {
            return Ok(false);
        };
        if !passkey.accepts(judged) {
            return Ok(false);
        }
        self.rows.put(tx, &mut passkey)?;
        Ok(true)
    }

    pub(crate) fn forget_passkey(&self, tx: &mut dyn Tx, user: Id<WalletUser>) -> TxResult<()> {
        self.rows.remove(tx, self.passkey_row(user))?;
        tx.remove_children(CHALLENGES, &user.row())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::device::tests::at;

    const ROW: RowId = RowId([1; 16]);

    fn credential(id: u8, count: u32) -> Credential {
        let stored = serde_json::json!({"id": hex::encode([id; 16]),
            "key": {"Es256": {"point": "04"}}, "count": count});
        serde_json::from_value(stored).unwrap()
    }

    fn passkey(id: u8, count: u32) -> Passkey {
        Passkey {
            credential: credential(id, count),
            transports: vec!["internal".to_owned()],
        }
    }

    fn judged(right: Option<(Credential, u32)>) -> JudgedPasskey {
        JudgedPasskey {
            challenge: Id::new(ROW),
            step: ROW,
            right,
        }
    }

    fn keys(names: &[&str]) -> Vec<WalletKeyId> {
        let parsed = names.iter().map(|name| WalletKeyId::parse(name));
        parsed.map(Option::unwrap).collect()
    }

    #[test]
    fn a_challenge_is_for_its_step_until_it_expires() {
        let challenge = Challenge {
            step: [3; 16],
            expires: at(300),
        };
        let step = Some(RowId([3; 16]));
        assert_eq!(challenge.step_at(at(0)), step);
        assert_eq!(challenge.step_at(at(299)), step);
        assert_eq!(challenge.step_at(at(300)), None);
    }

    #[test]
    fn a_passkey_accepts_a_count_that_has_increased_and_stores_it() {
        let mut passkey = passkey(1, 4);
        assert!(passkey.accepts(&judged(Some((credential(1, 4), 5)))));
        assert_eq!(passkey.credential, credential(1, 5));
        assert!(passkey.accepts(&judged(Some((credential(1, 4), 9)))));
        assert_eq!(passkey.credential, credential(1, 9));
    }

    #[test]
    fn a_count_that_has_not_increased_is_that_of_a_copy() {
        for count in [0, 3, 4] {
            let mut passkey = passkey(1, 4);
            assert!(!passkey.accepts(&judged(Some((credential(1, 4), count)))));
            assert_eq!(passkey.credential, credential(1, 4), "nothing changed");
        }
    }

    #[test]
    fn an_authenticator_that_does_not_count_stays_at_zero() {
        let mut passkey = passkey(1, 0);
        for _ in 0..2 {
            assert!(passkey.accepts(&judged(Some((credential(1, 0), 0)))));
        }
        assert_eq!(passkey.credential, credential(1, 0));
    }

    #[test]
    fn what_was_judged_with_another_credential_says_nothing() {
        let mut passkey = passkey(1, 4);
        assert!(!passkey.accepts(&judged(Some((credential(2, 4), 5)))));
        assert_eq!(passkey.credential, credential(1, 4));
    }

    #[test]
    fn an_assertion_that_was_not_right_is_never_accepted() {
        assert!(!passkey(1, 4).accepts(&judged(None)));
    }

    #[test]
    fn steps_of_different_kinds_have_no_name_in_common() {
        let device = DeviceId::parse(
            "040ec22933859baa06ba222e7b4f395a46450022dc0679b1afbd4d2bd3febda7cff445707140bab689dc89924bc991ae55a743fe43dbe59f09ea05c224609ecaec",
        );
        let device = device.unwrap();
        let named = keys(&["enrolment", "device"]);
        let steps = [
            Step::Enrolment.parts(),
            Step::NewDevice(&device).parts(),
            Step::Recovery(&[]).parts(),
            Step::Recovery(&named).parts(),
        ];
        for (number, one) in steps.iter().enumerate() {
            for other in &steps[number + 1..] {
                assert_ne!(one, other);
            }
        }
    }

    #[test]
    fn a_recovery_is_the_same_step_in_any_order_of_its_keys() {
        let (sorted, mixed) = (keys(&["a", "b"]), keys(&["b", "a", "b"]));
        let expected = [b"recovery".as_slice(), b"a", b"b"];
        assert_eq!(Step::Recovery(&sorted).parts(), expected);
        assert_eq!(Step::Recovery(&mixed).parts(), expected);
    }

    #[test]
    fn one_key_more_or_less_or_in_another_spelling_is_another_step() {
        let two = keys(&["a", "b"]);
        let recovery = Step::Recovery(&two).parts();
        for other in [&["a"][..], &["a", "b", "c"], &["ab"], &["A", "b"], &[]] {
            let other = keys(other);
            assert_ne!(Step::Recovery(&other).parts(), recovery, "{other:?}");
        }
    }

    #[test]
    fn a_passkey_is_enrolled_only_where_nothing_is() {
        assert_eq!(may_enrol(EnrolmentPlace::Free), Ok(()));
        let enrolled = Err(PasskeyRefusal::Enrolled.into());
        assert_eq!(may_enrol(EnrolmentPlace::Enrolled), enrolled);
        let pending = Err(StepUpRefusal::Enrolling.into());
        assert_eq!(may_enrol(EnrolmentPlace::Pending), pending);
    }

    #[test]
    fn a_step_up_that_was_judged_at_once_is_over() {
        assert!(matches!(begun(AtOnce::Right(())), Begin::Passed));
        let until = at(9);
        let refused = |judged| match begun(judged) {
            Begin::Refused(refusal) => Some(refusal),
            _ => None,
        };
        let wrong = AtOnce::Wrong {
            why: PasskeyRefusal::Failed.into(),
            failures: 2,
        };
        assert_eq!(refused(wrong), Some(PasskeyRefusal::Failed.into()));
        let unjudged = refused(AtOnce::Unjudged(Refusal::Expired));
        assert_eq!(unjudged, Some(Refusal::Expired));
        let exhausted = refused(AtOnce::Exhausted { until });
        assert_eq!(exhausted, Some(Refusal::Limited { until }));
    }

    #[test]
    fn a_step_up_waits_while_all_attempts_left_are_in_flight() {
        let until = at(9);
        assert!(matches!(begun(AtOnce::InFlight { until }), Begin::Wait));
    }

    #[test]
    fn a_passkey_is_stored_under_the_names_that_older_releases_wrote() {
        let stored = serde_json::to_value(passkey(1, 4)).unwrap();
        assert_eq!(stored["transports"], serde_json::json!(["internal"]));
        assert_eq!(stored["credential"]["count"], 4);
        let challenge = Challenge {
            step: [3; 16],
            expires: at(0),
        };
        let stored = serde_json::to_value(challenge).unwrap();
        assert_eq!(stored["step"], serde_json::json!(vec![3; 16]));
    }
}
