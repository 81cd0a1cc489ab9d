//! Registering a device.
//!
//! 1. [`Wallets::issue_challenge`]: random, short-lived, for one user and one key.
//! 2. [`Wallets::register_device`] checks the signature outside any transaction, then decides in one.
//! 3. If the owner can step up and the device is new, the owner must step up. The challenge stays until that is
//!    settled, so that the same signature works again.

use std::sync::{Arc, Mutex};

use crypto::device_signature::{DeviceId, verify_challenge};

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::port::liveness::{Evidence, Judged, Purpose};
use crate::core::port::store::{Page, RowId, Tx, TxResult};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::limit::attempt::{Attempt, Begun, OpenTry, Opening, Settled};
use crate::limit::hashing::{HashQueue, Ticket};
use crate::proof::federated::FederatedUser;
use crate::trail::audit::Event;
use crate::wallet::Wallets;
use crate::wallet::challenge::WalletChallenge;
use crate::wallet::device::WalletDevice;
use crate::wallet::enrolment::outcome;
use crate::wallet::step_up::passkey::Step;
use crate::wallet::step_up::{Asked, Attempts, Begin, Shown, StepUpRefusal, Wish};
use crate::wallet::user::WalletUser;
use crate::wallet::{Newness, SteppedUp};

/// What a device presents to be registered.
#[derive(Debug)]
pub struct DeviceProof {
    pub device: DeviceId,
    /// Hex of a DER signature; [`DeviceProof::is_well_formed`] has checked its format.
    pub signature: String,
    pub name: Option<String>,
    pub shown: Shown,
}

impl DeviceProof {
    /// Whether a text is the hex of a signature at all. A malformed one uses up no challenge.
    pub fn is_well_formed(device: &DeviceId, signature: &str) -> bool {
        verify_challenge(device, "", signature).is_ok()
    }
}

/// A registration, and what the verifier wants its client part to know if one took part.
pub type Registration = SteppedUp<Newness>;

/// Whose a key is that somebody wants to register.
#[derive(Debug, PartialEq, Eq)]
enum KeyOwner {
    /// Nobody's, or a device of this user that is switched off: it can be added.
    Free,
    /// An active device of this user already.
    Yours,
    /// Another user's, also while it is switched off.
    Another,
}

fn key_owner(known: Option<&WalletDevice>, user: Id<WalletUser>) -> KeyOwner {
    match known {
        Some(device) if device.user != user => KeyOwner::Another,
        Some(device) if device.is_active() => KeyOwner::Yours,
        Some(_) | None => KeyOwner::Free,
    }
}

/// A registration that was decided without asking a verifier.
fn decided(verdict: Result<Newness, Refusal>) -> Begun<Attempts, Asked, Registration> {
    let verdict = verdict.map(|done| SteppedUp {
        done,
        for_client: None,
    });
    Begun::Decided(verdict.into())
}

/// Everything that the transactions of a registration look at.
struct DeviceRegistration {
    caller: Caller,
    now: Timestamp,
    user: Id<WalletUser>,
    device: DeviceId,
    row: Id<WalletDevice>,
    challenge: Id<WalletChallenge>,
    /// The challenge that was signed.
    hex: String,
    /// Whether the signature over it is the device's.
    genuine: bool,
    name: Option<String>,
    wish: Wish,
    /// Taken out when the verifier is asked.
    evidence: Mutex<Option<Evidence>>,
}

impl Attempt<Wallets> for DeviceRegistration {
    type Counter = Attempts;
    type Loaded = Asked;
    type Judged = (Asked, Judged);
    type Done = Registration;

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
    ) -> TxResult<Begun<Attempts, Asked, Registration>> {
        hub.begin_device(tx, opening, self)
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
    ) -> TxResult<Settled<Registration>> {
        if hub.hold_user(tx, self.user)?.is_none() {
            return Ok(open.abandon().answer(Refusal::UnknownSubject));
        }
        let outstanding = hub.is_outstanding(tx, self)?;
        let (closed, verdict) = hub.settle_step_up(tx, open, asked, judged)?;
        if !outstanding {
            return Ok(closed.answer(Refusal::Expired));
        }
        let settled = hub.settle_device(tx, self, verdict, judged)?;
        Ok(closed.answer(settled))
    }
}

impl DeviceRegistration {
    fn event(&self, outcome: &str) -> Event {
        Wallets::wallet_event(&self.caller, self.now, "device.add", self.user)
            .outcome(outcome)
            .fact("device", self.row.alias())
    }

    /// The device as it is saved. A device that was switched off keeps its name if it brings none.
    fn added(&self, known: Option<&WalletDevice>) -> WalletDevice {
        let old_name = || known.and_then(|known| known.name.clone());
        WalletDevice {
            key: self.device.as_str().to_owned(),
            user: self.user,
            name: self.name.clone().or_else(old_name),
            added: self.now,
            deactivated: None,
        }
    }
}

impl Wallets {
    /// Registers a device that has signed a challenge with its key: steps 2 and 3.
    ///
    /// `UnknownSubject`: the user is not registered. `Expired`: no such challenge is outstanding. `BadProof`: the
    /// signature is wrong. `Conflict`: another user has this key. `StepUp`: the owner must step up, and did not.
    /// `Limited`: the user has tried too often.
    pub async fn register_device(
        self: &Arc<Self>,
        caller: Caller,
        bearer: FederatedUser,
        proof: DeviceProof,
    ) -> Result<Registration, Error> {
        let user = self.wallet_user(&bearer);
        self.known_user(user).await?;
        let registration = self.registration(caller, user, proof).await?;
        self.attempt(self, registration).await
    }

    /// Checks the signature and what was shown, outside any transaction.
    async fn registration(
        &self,
        caller: Caller,
        user: Id<WalletUser>,
        proof: DeviceProof,
    ) -> Result<DeviceRegistration, Error> {
        let DeviceProof {
            device,
            signature,
            name,
            shown,
        } = proof;
        let now = self.now();
        let challenge = self.pending_challenge(user, &device);
        let outstanding = self.rows.read(self.store.as_ref(), challenge).await?;
        let hex = outstanding.map_or_else(String::new, |found| found.value.hex);
        let step = Step::NewDevice(&device);
        let wish = self.wish(user, Purpose::NewDevice, step, &shown).await?;
        Ok(DeviceRegistration {
            caller,
            now,
            user,
            row: self.device_row(&device),
            genuine: verify_challenge(&device, &hex, &signature).unwrap_or(false),
            device,
            challenge,
            hex,
            name,
            wish,
            evidence: Mutex::new(shown.evidence),
        })
    }

    /// The first transaction: decides what needs no verifier.
    fn begin_device(
        &self,
        tx: &mut dyn Tx,
        opening: &Opening<'_>,
        attempt: &DeviceRegistration,
    ) -> TxResult<Begun<Attempts, Asked, Registration>> {
        let DeviceRegistration { now, user, .. } = *attempt;
        if self.hold_user(tx, user)?.is_none() {
            return Ok(Begun::Refused(Refusal::UnknownSubject));
        }
        if !opening.waited {
            let rate = self.policy.registrations;
            if let Err(refusal) = self.spend_call(tx, now, (user, "registrations"), rate)? {
                return Ok(Begun::Refused(refusal));
            }
        }
        if !self.is_outstanding(tx, attempt)? {
            return Ok(decided(Err(Refusal::Expired)));
        }
        if !attempt.genuine {
            self.rows.remove(tx, attempt.challenge)?;
            self.record(tx, attempt.event("wrong signature"))?;
            return Ok(decided(Err(Refusal::BadProof { left: None })));
        }
        let known = self.rows.get(tx, attempt.row)?;
        if let Some(settled) = self.settle_known(tx, attempt, known.as_ref())? {
            return Ok(decided(settled));
        }
        Ok(match self.begin_step_up(tx, opening, &attempt.wish)? {
            Begin::Passed | Begin::Refused(Refusal::StepUp(StepUpRefusal::NotEnrolled)) => {
                self.add_device(tx, attempt, known)?;
                decided(Ok(Newness::New))
            }
            Begin::Refused(refusal) => {
                self.record(tx, attempt.event("refused"))?;
                decided(Err(refusal))
            }
            Begin::Wait => Begun::Wait,
            Begin::Ask(reserved, asked) => Begun::Reserved(reserved, asked),
        })
    }

    /// A key that somebody has: nothing more happens, and the challenge is used up. Only the holder of the key is told.
    fn settle_known(
        &self,
        tx: &mut dyn Tx,
        attempt: &DeviceRegistration,
        known: Option<&Stored<WalletDevice>>,
    ) -> TxResult<Option<Result<Newness, Refusal>>> {
        let known = known.map(|known| &known.value);
        match key_owner(known, attempt.user) {
            KeyOwner::Free => Ok(None),
            KeyOwner::Yours => {
                self.rows.remove(tx, attempt.challenge)?;
                Ok(Some(Ok(Newness::Known)))
            }
            KeyOwner::Another => {
                self.rows.remove(tx, attempt.challenge)?;
                self.record(tx, attempt.event("another user's key"))?;
                Ok(Some(Err(Refusal::Conflict)))
            }
        }
    }

    /// The second transaction: the verifier has answered, and the challenge is still outstanding.
    fn settle_device(
        &self,
        tx: &mut dyn Tx,
        attempt: &DeviceRegistration,
        verdict: Result<Option<String>, StepUpRefusal>,
        judged: &Judged,
    ) -> TxResult<Result<Registration, Refusal>> {
        let word = outcome(&verdict, judged);
        let for_client = match verdict {
            Ok(for_client) => for_client,
            Err(refusal) => {
                self.record(tx, attempt.event(word))?;
                return Ok(Err(refusal.into()));
            }
        };
        let known = self.rows.get(tx, attempt.row)?;
        let done = match self.settle_known(tx, attempt, known.as_ref())? {
            Some(Err(refusal)) => return Ok(Err(refusal)),
            Some(Ok(done)) => done,
            None => {
                self.add_device(tx, attempt, known)?;
                Newness::New
            }
        };
        Ok(Ok(SteppedUp { done, for_client }))
    }

    fn is_outstanding(&self, tx: &mut dyn Tx, attempt: &DeviceRegistration) -> TxResult<bool> {
        let found = self.rows.get(tx, attempt.challenge)?;
        Ok(found.is_some_and(|found| found.is_answered_by(&attempt.hex, attempt.now)))
    }

    /// Uses up the challenge, and adds the device or switches it on again.
    fn add_device(
        &self,
        tx: &mut dyn Tx,
        attempt: &DeviceRegistration,
        known: Option<Stored<WalletDevice>>,
    ) -> TxResult<()> {
        let DeviceRegistration { now, user, .. } = *attempt;
        self.rows.remove(tx, attempt.challenge)?;
        if self.policy.single_device {
            self.deactivate_others(tx, now, user)?;
        }
        let rank = self.sending.rank(now);
        let device = attempt.added(known.as_deref());
        match known {
            Some(mut known) => {
                known.value = device;
                known.place.rank = rank;
                self.rows.put(tx, &mut known)?;
            }
            None => {
                let place = Place::at(attempt.row).of(user).ranked(rank);
                self.rows.create(tx, self.tenant(), place, device)?;
            }
        }
        self.record(tx, attempt.event("done"))?;
        self.tell_holder(tx, now, &attempt.caller, user, "device_added")
    }

    fn deactivate_others(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        user: Id<WalletUser>,
    ) -> TxResult<()> {
        for mut device in self
            .rows
            .children::<WalletDevice>(tx, &user.row(), Page::ALL)?
        {
            if device.deactivate(now) {
                self.rows.put(tx, &mut device)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::device::tests::{at, device, user};

    const KEY: &str = "040ec22933859baa06ba222e7b4f395a46450022dc0679b1afbd4d2bd3febda7cff445707140bab689dc89924bc991ae55a743fe43dbe59f09ea05c224609ecaec";

    fn switched_off(owner: u8) -> WalletDevice {
        let mut device = device(owner);
        device.deactivate(at(1));
        device
    }

    fn attempt(name: Option<&str>) -> DeviceRegistration {
        DeviceRegistration {
            caller: Caller {
                surface: "test",
                network: "192.0.2.0/24".to_owned(),
                language: "en".to_owned(),
            },
            now: at(9),
            user: user(1),
            device: DeviceId::parse(KEY).unwrap(),
            row: Id::new(RowId([2; 16])),
            challenge: Id::new(RowId([3; 16])),
            hex: "ab".to_owned(),
            genuine: true,
            name: name.map(str::to_owned),
            wish: Wish {
                user: user(1),
                purpose: Purpose::NewDevice,
                evidence: None,
                passkey: None,
            },
            evidence: Mutex::default(),
        }
    }

    #[test]
    fn a_key_that_nobody_has_is_free() {
        assert_eq!(key_owner(None, user(1)), KeyOwner::Free);
    }

    #[test]
    fn an_active_device_of_the_same_user_is_registered_already() {
        assert_eq!(key_owner(Some(&device(1)), user(1)), KeyOwner::Yours);
    }

    #[test]
    fn a_device_that_was_switched_off_can_be_added_again_by_its_user() {
        assert_eq!(key_owner(Some(&switched_off(1)), user(1)), KeyOwner::Free);
    }

    #[test]
    fn another_users_device_cannot_be_taken_over_even_while_it_is_switched_off() {
        assert_eq!(key_owner(Some(&device(2)), user(1)), KeyOwner::Another);
        assert_eq!(
            key_owner(Some(&switched_off(2)), user(1)),
            KeyOwner::Another
        );
    }

    #[test]
    fn a_new_device_is_active_and_belongs_to_its_user() {
        let added = attempt(Some("tablet")).added(None);
        assert!(added.is_active());
        assert_eq!((added.user, added.added), (user(1), at(9)));
        assert_eq!(
            (added.key.as_str(), added.name.as_deref()),
            (KEY, Some("tablet"))
        );
    }

    #[test]
    fn a_device_that_is_added_again_keeps_its_name_unless_it_brings_one() {
        let old = switched_off(1);
        let name = |name| attempt(name).added(Some(&old)).name;
        assert_eq!(name(None).as_deref(), Some("phone"));
        assert_eq!(name(Some("tablet")).as_deref(), Some("tablet"));
        assert_eq!(attempt(None).added(None).name, None);
    }

    #[test]
    fn a_text_that_is_no_signature_is_told_apart_from_a_wrong_signature() {
        let device = DeviceId::parse(KEY).unwrap();
        assert!(!DeviceProof::is_well_formed(&device, ""));
        assert!(!DeviceProof::is_well_formed(&device, "zz"));
    }
}
