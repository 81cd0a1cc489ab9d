//! Devices: a P-256 key, proved by a signature over a challenge, owned by one user world-wide.
//!
//! 1. [`Wallets::issue_challenge`]: random, short-lived, for one user and one key.
//! 2. [`Wallets::register_device`] judges the signature outside any transaction, then decides in one.
//! 3. With an enrolled owner and a new device the owner must be there in person; the challenge stays until
//!    that is settled, so that the same signature serves again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crypto::device_signature::{DeviceId, verify_challenge};
use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::liveness::{Evidence, Judged, Purpose};
use crate::core::port::random::bytes;
use crate::core::port::store::Kind;
use crate::core::port::store::{Order, Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, undo};
use crate::limit::attempt::{Attempt, Begun, OpenTry, Opening, Settled};
use crate::limit::hashing::{HashQueue, Ticket};
use crate::proof::federated::FederatedUser;
use crate::trail::audit::Event;
use crate::wallet::Wallets;
use crate::wallet::enrolment::outcome;
use crate::wallet::step_up::passkey::Step;
use crate::wallet::step_up::{Asked, Attempts, Begin, Enrolment, Shown, StepUpRefusal, Wish};
use crate::wallet::user::WalletUser;
use crate::wallet::{Newness, SteppedUp};

/// The record of a device; its id is a keyed hash of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WalletDevice {
    pub(crate) key: String,
    pub(crate) user: [u8; 16],
    pub(crate) name: Option<String>,
    pub(crate) added: Timestamp,
    pub(crate) deactivated: Option<Timestamp>,
}

impl Record for WalletDevice {
    const KIND: Kind = "wallet_device";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// An outstanding challenge. Taking its record away spends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WalletChallenge {
    hex: String,
    expires: Timestamp,
}

impl Record for WalletChallenge {
    const KIND: Kind = "wallet_challenge";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// A challenge for its device.
#[derive(Debug)]
pub struct IssuedWalletChallenge {
    pub hex: String,
    pub life: Duration,
}

/// What a device presents to be registered.
#[derive(Debug)]
pub struct DeviceProof {
    pub device: DeviceId,
    /// Hex of a DER signature; its format was looked at by [`DeviceProof::is_well_formed`].
    pub signature: String,
    pub name: Option<String>,
    pub shown: Shown,
}

impl DeviceProof {
    /// Whether a text is a signature's hex at all. A malformed one spends no challenge.
    pub fn is_well_formed(device: &DeviceId, signature: &str) -> bool {
        verify_challenge(device, "", signature).is_ok()
    }
}

/// A registration, and the verifier's words if one took part.
pub type Registration = SteppedUp<Newness>;

/// A device as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceState {
    pub key: String,
    pub name: Option<String>,
    pub active: bool,
    pub added: Timestamp,
}

/// Everything a registration's transactions look at.
struct DeviceRegistration {
    caller: Caller,
    now: Timestamp,
    user: RowId,
    device: DeviceId,
    row: RowId,
    challenge: RowId,
    /// What was signed.
    hex: String,
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

    /// The rate is spent once, however long the attempt waits.
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
        if hub.rows.get::<WalletUser>(tx, self.user)?.is_none() {
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

impl Wallets {
    pub(crate) fn device_row(&self, device: &DeviceId) -> RowId {
        self.rows.id(WalletDevice::KIND, &[device.as_bytes()])
    }

    fn pending_challenge(&self, user: RowId, device: &DeviceId) -> RowId {
        self.rows
            .id(WalletChallenge::KIND, &[&user.0, device.as_bytes()])
    }

    /// A fresh challenge for this user and this key; an older one is replaced.
    pub async fn issue_challenge(
        self: &Arc<Self>,
        bearer: FederatedUser,
        device: DeviceId,
    ) -> Result<IssuedWalletChallenge, Error> {
        let now = self.now();
        let user = self.wallet_user(&bearer);
        let row = self.pending_challenge(user, &device);
        let life = self.policy.challenge_life;
        self.write(move |hub, tx| {
            hub.hold_user(tx, user)?;
            let rate = hub.policy.challenges;
            hub.spend_call(tx, now, (user, "challenges"), rate)?
                .map_err(undo)?;
            let hex = hex::encode(bytes::<32>(hub.random.as_ref()));
            let expires = now.plus(life);
            let challenge = WalletChallenge {
                hex: hex.clone(),
                expires,
            };
            match hub.rows.get::<WalletChallenge>(tx, &row)? {
                Some(mut old) => {
                    old.value = challenge;
                    old.place.due = Some(expires);
                    hub.rows.put(tx, &mut old)?;
                }
                None => {
                    let place = Place::at(row).of(user).due(expires);
                    hub.rows.create(tx, hub.tenant(), place, challenge)?;
                }
            }
            Ok(IssuedWalletChallenge { hex, life })
        })
        .await
    }

    /// Registers a device for who signed with its key: steps 2 and 3.
    pub async fn register_device(
        self: &Arc<Self>,
        caller: Caller,
        bearer: FederatedUser,
        proof: DeviceProof,
    ) -> Result<Registration, Error> {
        let DeviceProof {
            device,
            signature,
            name,
            shown,
        } = proof;
        let now = self.now();
        let user = self.wallet_user(&bearer);
        self.known_user(user).await?;
        let challenge = self.pending_challenge(user, &device);
        let store = self.store.as_ref();
        let hex = match self.rows.read::<WalletChallenge>(store, challenge).await? {
            Some(found) => found.value.hex,
            None => String::new(),
        };
        let step = Step::NewDevice(&device);
        let wish = self.wish(user, Purpose::NewDevice, step, &shown).await?;
        let genuine = verify_challenge(&device, &hex, &signature).unwrap_or(false);
        let registration = DeviceRegistration {
            caller,
            now,
            user,
            row: self.device_row(&device),
            device,
            challenge,
            hex,
            genuine,
            name,
            wish,
            evidence: Mutex::new(shown.evidence),
        };
        self.attempt(self, registration).await
    }

    /// The first transaction: decides what needs no verifier.
    fn begin_device(
        &self,
        tx: &mut dyn Tx,
        opening: &Opening<'_>,
        attempt: &DeviceRegistration,
    ) -> TxResult<Begun<Attempts, Asked, Registration>> {
        let done = |done| {
            let for_client = None;
            Begun::KeyUseRecord(Verdict::Done(SteppedUp { done, for_client }))
        };
        let refused = |refusal| Begun::KeyUseRecord(Verdict::Refused(refusal));
        let DeviceRegistration { now, user, .. } = *attempt;
        self.hold_user(tx, user)?;
        if !opening.waited {
            let rate = self.policy.registrations;
            self.spend_call(tx, now, (user, "registrations"), rate)?
                .map_err(undo)?;
        }
        if !self.is_outstanding(tx, attempt)? {
            return Ok(refused(Refusal::Expired));
        }
        if !attempt.genuine {
            self.rows.remove::<WalletChallenge>(tx, attempt.challenge)?;
            self.record(tx, Self::device_event(attempt, "wrong signature"))?;
            return Ok(refused(Refusal::BadProof { left: None }));
        }
        let known = self.rows.get::<WalletDevice>(tx, attempt.row)?;
        match self.settle_known(tx, attempt, known.as_ref())? {
            Some(Ok(known)) => return Ok(done(known)),
            Some(Err(refusal)) => return Ok(refused(refusal)),
            None => {}
        }
        Ok(match self.begin_step_up(tx, opening, &attempt.wish)? {
            Begin::Passed | Begin::Refused(Refusal::StepUp(StepUpRefusal::NotEnrolled)) => {
                self.add_device(tx, attempt, known)?;
                done(Newness::New)
            }
            Begin::Refused(refusal) => {
                self.record(tx, Self::device_event(attempt, "refused"))?;
                refused(refusal)
            }
            Begin::Wait => Begun::Wait,
            Begin::Ask(reserved, asked) => Begun::Reserved(reserved, asked),
        })
    }

    /// A key that somebody has: nothing more happens. Told only to who holds the key.
    fn settle_known(
        &self,
        tx: &mut dyn Tx,
        attempt: &DeviceRegistration,
        known: Option<&Stored<WalletDevice>>,
    ) -> TxResult<Option<Result<Newness, Refusal>>> {
        let Some(device) = known else { return Ok(None) };
        let mine = device.user == attempt.user.0;
        if mine && device.deactivated.is_some() {
            return Ok(None);
        }
        self.rows
            .remove::<WalletChallenge>(tx, &attempt.challenge)?;
        if mine {
            return Ok(Some(Ok(Newness::Known)));
        }
        self.record(tx, Self::device_event(attempt, "another user's key"))?;
        Ok(Some(Err(Refusal::Conflict)))
    }

    /// The second transaction: the verifier has answered, and the challenge is still outstanding.
    fn settle_device(
        &self,
        tx: &mut dyn Tx,
        attempt: &DeviceRegistration,
        verdict: Result<Option<String>, StepUpRefusal>,
        judged: &Judged,
    ) -> TxResult<Result<Registration, Refusal>> {
        let for_client = match verdict {
            Ok(for_client) => for_client,
            Err(refusal) => {
                let event =
                    Self::device_event(attempt, outcome::<()>(&Err(refusal.clone()), judged));
                self.record(tx, event)?;
                return Ok(Err(refusal.into()));
            }
        };
        let known = self.rows.get::<WalletDevice>(tx, attempt.row)?;
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
        let found = self.rows.get::<WalletChallenge>(tx, &attempt.challenge)?;
        Ok(found.is_some_and(|found| found.hex == attempt.hex && attempt.now < found.expires))
    }

    /// Spends the challenge and adds the device, or wakes it up again.
    fn add_device(
        &self,
        tx: &mut dyn Tx,
        attempt: &DeviceRegistration,
        known: Option<Stored<WalletDevice>>,
    ) -> TxResult<()> {
        let DeviceRegistration { now, user, .. } = *attempt;
        self.rows
            .remove::<WalletChallenge>(tx, &attempt.challenge)?;
        if self.policy.single_device {
            self.deactivate_others(tx, now, user)?;
        }
        let rank = self.sending.rank(now);
        let device = WalletDevice {
            key: attempt.device.as_str().to_owned(),
            user: user.0,
            name: attempt.name.clone(),
            added: now,
            deactivated: None,
        };
        match known {
            Some(mut known) => {
                known.value = WalletDevice {
                    name: attempt.name.clone().or_else(|| known.name.clone()),
                    ..device
                };
                known.place.rank = rank;
                self.rows.put(tx, &mut known)?;
            }
            None => {
                let place = Place::at(attempt.row).of(user).ranked(rank);
                self.rows.create(tx, self.tenant(), place, device)?;
            }
        }
        self.record(tx, Self::device_event(attempt, "done"))?;
        self.tell_holder(tx, now, &attempt.caller, user, "device_added")
    }

    fn deactivate_others(&self, tx: &mut dyn Tx, now: Timestamp, user: RowId) -> TxResult<()> {
        for mut device in self.rows.children::<WalletDevice>(tx, &user, Page::ALL)? {
            if device.deactivated.is_none() {
                device.deactivated = Some(now);
                self.rows.put(tx, &mut device)?;
            }
        }
        Ok(())
    }

    fn device_event(attempt: &DeviceRegistration, outcome: &str) -> Event {
        Self::wallet_event(&attempt.caller, attempt.now, "device.add", attempt.user)
            .outcome(outcome)
            .fact("device", attempt.row.alias())
    }

    /// The user's devices, newest first.
    pub async fn devices(
        self: &Arc<Self>,
        bearer: &FederatedUser,
    ) -> Result<Vec<DeviceState>, Error> {
        let user = self.wallet_user(bearer);
        self.known_user(user).await?;
        self.read(move |hub, tx| hub.devices_in(tx, user)).await
    }

    pub(crate) fn devices_in(&self, tx: &mut dyn Tx, user: RowId) -> TxResult<Vec<DeviceState>> {
        let page = Page {
            order: Order::Descending,
            ..Page::ALL
        };
        let devices = self.rows.children::<WalletDevice>(tx, &user, page)?;
        let state = |device: Stored<WalletDevice>| DeviceState {
            active: device.deactivated.is_none(),
            added: device.added,
            key: device.value.key,
            name: device.value.name,
        };
        Ok(devices.into_iter().map(state).collect())
    }

    /// The device a signing server asks for, if it is registered.
    pub(crate) fn peek_device(
        &self,
        tx: &mut dyn Tx,
        row: RowId,
    ) -> TxResult<Option<Stored<WalletDevice>>> {
        self.rows.peek::<WalletDevice>(tx, &row)
    }

    pub(crate) fn forget_enrolment(
        &self,
        tx: &mut dyn Tx,
        user: RowId,
    ) -> TxResult<Option<Stored<Enrolment>>> {
        self.forget_passkey(tx, user)?;
        let row = self.enrolment_row(user);
        self.rows.take::<Enrolment>(tx, &row)
    }
}

/// The kind of a challenge's rows, for whoever removes a user.
pub(crate) const CHALLENGES: &str = WalletChallenge::KIND;
