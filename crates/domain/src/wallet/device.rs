//! Devices: a P-256 key, proved by a signature over a challenge, owned by one user world-wide.
//!
//! 1. [`Wallets::issue_challenge`]: random, short-lived, for one user and one key.
//! 2. [`Wallets::register_device`] judges the signature outside any transaction, then decides in one.
//! 3. With an enrolled owner and a new device the owner must be there in person; the challenge stays until
//!    that is settled, so that the same signature serves again.

use std::sync::Arc;
use std::time::Duration;

use crypto::device_signature::{DeviceId, verify_challenge};
use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::liveness::{Judged, Purpose};
use crate::core::port::random::bytes;
use crate::core::port::store::Kind;
use crate::core::port::store::{Order, Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::core::verdict::undo;
use crate::proof::vouched::Bearer;
use crate::trail::audit::Event;
use crate::wallet::Wallets;
use crate::wallet::enrolment::outcome;
use crate::wallet::step_up::passkey::Step;
use crate::wallet::step_up::{Asked, Begin, Enrolment, Shown, StepUpRefusal, Wish};
use crate::wallet::{Newness, Stepped};

/// The record of a device; its id is a keyed hash of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Device {
    pub(crate) key: String,
    pub(crate) user: [u8; 16],
    pub(crate) name: Option<String>,
    pub(crate) added: Timestamp,
    pub(crate) deactivated: Option<Timestamp>,
}

impl Record for Device {
    const KIND: Kind = "wallet_device";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// An outstanding challenge. Taking its record away spends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Challenge {
    hex: String,
    expires: Timestamp,
}

impl Record for Challenge {
    const KIND: Kind = "wallet_challenge";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// A challenge for its device.
#[derive(Debug)]
pub struct IssuedChallenge {
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
pub type Registration = Stepped<Newness>;

/// A device as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceState {
    pub key: String,
    pub name: Option<String>,
    pub active: bool,
    pub added: Timestamp,
}

/// What a registration came to before a verifier was asked.
enum First {
    Refused(Refusal),
    Done(Newness),
    Wait,
    Ask(Asked),
}

/// Everything a registration's transactions look at.
#[derive(Clone)]
struct Attempt {
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
}

impl Wallets {
    pub(crate) fn device_row(&self, device: &DeviceId) -> RowId {
        self.rows.id(Device::KIND, &[device.as_bytes()])
    }

    fn pending_challenge(&self, user: RowId, device: &DeviceId) -> RowId {
        self.rows.id(Challenge::KIND, &[&user.0, device.as_bytes()])
    }

    /// A fresh challenge for this user and this key; an older one is replaced.
    pub async fn issue_challenge(
        self: &Arc<Self>,
        bearer: Bearer,
        device: DeviceId,
    ) -> Result<IssuedChallenge, Error> {
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
            let challenge = Challenge {
                hex: hex.clone(),
                expires,
            };
            match hub.rows.get::<Challenge>(tx, &row)? {
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
            Ok(IssuedChallenge { hex, life })
        })
        .await
    }

    /// Registers a device for who signed with its key: steps 2 and 3.
    pub async fn register_device(
        self: &Arc<Self>,
        caller: Caller,
        bearer: Bearer,
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
        let hex = match self.rows.read::<Challenge>(store, challenge).await? {
            Some(found) => found.value.hex,
            None => String::new(),
        };
        let step = Step::NewDevice(&device);
        let wish = self.wish(user, Purpose::NewDevice, step, &shown).await?;
        let genuine = verify_challenge(&device, &hex, &signature).unwrap_or(false);
        let attempt = Attempt {
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
        };
        let asked = match self.decide_device(&attempt).await? {
            First::Ask(asked) => asked,
            First::Done(done) => {
                self.posted(now).await;
                let for_client = None;
                return Ok(Stepped { done, for_client });
            }
            First::Refused(refusal) => return Err(refusal.into()),
            First::Wait => return Err(Error::Busy { seconds: 1 }),
        };
        let Some(evidence) = shown.evidence else {
            return Err(Error::bug("a verifier is asked only with evidence"));
        };
        let judged = self.liveness.judge(&asked.question, &evidence).await;
        drop(evidence);
        let verdict = self
            .write(move |hub, tx| hub.settle_device(tx, &attempt, &asked, &judged))
            .await?;
        self.posted(now).await;
        verdict.map_err(Error::Refused)
    }

    /// The first transaction, again while all step-ups left are in flight. The rate is spent once.
    async fn decide_device(self: &Arc<Self>, attempt: &Attempt) -> Result<First, Error> {
        let mut spent = false;
        let mut waited = Duration::ZERO;
        loop {
            let attempt = attempt.clone();
            let first = self
                .write(move |hub, tx| hub.decide_device_in(tx, &attempt, spent))
                .await?;
            spent = true;
            if !matches!(first, First::Wait) || !self.wait_briefly(&mut waited).await {
                return Ok(first);
            }
        }
    }

    fn decide_device_in(&self, tx: &mut dyn Tx, attempt: &Attempt, spent: bool) -> TxResult<First> {
        let Attempt { now, user, .. } = *attempt;
        self.hold_user(tx, user)?;
        if !spent {
            let rate = self.policy.registrations;
            self.spend_call(tx, now, (user, "registrations"), rate)?
                .map_err(undo)?;
        }
        if !self.is_outstanding(tx, attempt)? {
            return Ok(First::Refused(Refusal::Expired));
        }
        if !attempt.genuine {
            self.rows.remove::<Challenge>(tx, &attempt.challenge)?;
            self.record(tx, Self::device_event(attempt, "wrong signature"))?;
            return Ok(First::Refused(Refusal::BadProof { left: None }));
        }
        let known = self.rows.get::<Device>(tx, &attempt.row)?;
        if let Some(settled) = self.settle_known(tx, attempt, known.as_ref())? {
            return Ok(settled);
        }
        match self.begin_step_up(tx, now, &attempt.wish)? {
            Begin::Passed | Begin::Refused(Refusal::StepUp(StepUpRefusal::NotEnrolled)) => {
                self.add_device(tx, attempt, known)?;
                Ok(First::Done(Newness::New))
            }
            Begin::Refused(refusal) => {
                self.record(tx, Self::device_event(attempt, "refused"))?;
                Ok(First::Refused(refusal))
            }
            Begin::Wait => Ok(First::Wait),
            Begin::Ask(asked) => Ok(First::Ask(asked)),
        }
    }

    /// A key that somebody has: nothing more happens. Told only to who holds the key.
    fn settle_known(
        &self,
        tx: &mut dyn Tx,
        attempt: &Attempt,
        known: Option<&Stored<Device>>,
    ) -> TxResult<Option<First>> {
        let Some(device) = known else { return Ok(None) };
        let mine = device.user == attempt.user.0;
        if mine && device.deactivated.is_some() {
            return Ok(None);
        }
        self.rows.remove::<Challenge>(tx, &attempt.challenge)?;
        if mine {
            return Ok(Some(First::Done(Newness::Known)));
        }
        self.record(tx, Self::device_event(attempt, "another user's key"))?;
        Ok(Some(First::Refused(Refusal::Conflict)))
    }

    /// The second transaction: the verifier has answered.
    fn settle_device(
        &self,
        tx: &mut dyn Tx,
        attempt: &Attempt,
        asked: &Asked,
        judged: &Judged,
    ) -> TxResult<Result<Registration, Refusal>> {
        self.hold_user(tx, attempt.user)?;
        let outstanding = self.is_outstanding(tx, attempt)?;
        let verdict = self.settle_step_up(tx, attempt.now, asked, judged)?;
        if !outstanding {
            return Ok(Err(Refusal::Expired));
        }
        let for_client = match verdict {
            Ok(for_client) => for_client,
            Err(refusal) => {
                let event =
                    Self::device_event(attempt, outcome::<()>(&Err(refusal.clone()), judged));
                self.record(tx, event)?;
                return Ok(Err(refusal.into()));
            }
        };
        let known = self.rows.get::<Device>(tx, &attempt.row)?;
        let done = match self.settle_known(tx, attempt, known.as_ref())? {
            Some(First::Refused(refusal)) => return Ok(Err(refusal)),
            Some(_) => Newness::Known,
            None => {
                self.add_device(tx, attempt, known)?;
                Newness::New
            }
        };
        Ok(Ok(Stepped { done, for_client }))
    }

    fn is_outstanding(&self, tx: &mut dyn Tx, attempt: &Attempt) -> TxResult<bool> {
        let found = self.rows.get::<Challenge>(tx, &attempt.challenge)?;
        Ok(found.is_some_and(|found| found.hex == attempt.hex && attempt.now < found.expires))
    }

    /// Spends the challenge and adds the device, or wakes it up again.
    fn add_device(
        &self,
        tx: &mut dyn Tx,
        attempt: &Attempt,
        known: Option<Stored<Device>>,
    ) -> TxResult<()> {
        let Attempt { now, user, .. } = *attempt;
        self.rows.remove::<Challenge>(tx, &attempt.challenge)?;
        if self.policy.single_device {
            self.deactivate_others(tx, now, user)?;
        }
        let rank = self.sending.rank(now);
        let device = Device {
            key: attempt.device.as_str().to_owned(),
            user: user.0,
            name: attempt.name.clone(),
            added: now,
            deactivated: None,
        };
        match known {
            Some(mut known) => {
                known.value = Device {
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
        for mut device in self.rows.children::<Device>(tx, &user, Page::ALL)? {
            if device.deactivated.is_none() {
                device.deactivated = Some(now);
                self.rows.put(tx, &mut device)?;
            }
        }
        Ok(())
    }

    fn device_event(attempt: &Attempt, outcome: &str) -> Event {
        Self::wallet_event(&attempt.caller, attempt.now, "device.add", attempt.user)
            .outcome(outcome)
            .fact("device", attempt.row.alias())
    }

    /// The user's devices, newest first.
    pub async fn devices(self: &Arc<Self>, bearer: &Bearer) -> Result<Vec<DeviceState>, Error> {
        let user = self.wallet_user(bearer);
        self.known_user(user).await?;
        self.read(move |hub, tx| hub.devices_in(tx, user)).await
    }

    pub(crate) fn devices_in(&self, tx: &mut dyn Tx, user: RowId) -> TxResult<Vec<DeviceState>> {
        let page = Page {
            order: Order::Descending,
            ..Page::ALL
        };
        let devices = self.rows.children::<Device>(tx, &user, page)?;
        let state = |device: Stored<Device>| DeviceState {
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
    ) -> TxResult<Option<Stored<Device>>> {
        self.rows.peek::<Device>(tx, &row)
    }

    /// Waits a moment for a step-up in flight; `false` when that took too long already.
    pub(crate) async fn wait_briefly(&self, waited: &mut Duration) -> bool {
        if *waited > self.shared.wait {
            return false;
        }
        let pause = Duration::from_millis(20 + self.random_u64() % 30);
        *waited += pause;
        #[expect(
            clippy::disallowed_methods,
            reason = "waits for a step-up in flight, perhaps on another node"
        )]
        tokio::time::sleep(pause).await;
        true
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
pub(crate) const CHALLENGES: &str = Challenge::KIND;
