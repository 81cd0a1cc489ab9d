//! Registration.
//!
//! 1. [`People::start_registration`] opens a process for an address, taken or not.
//! 2. [`People::send_registration_token`] sends a code; the owner of a taken address is told instead.
//! 3. [`People::verify_registration`] takes the code.
//! 4. [`People::finish_registration`] sets the password and makes the account. Of two processes for one
//!    address the first to get here wins.

use std::sync::Arc;

use uuid::Uuid;

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::random::uuid;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::{Place, Stored};
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::letter::Decides as _;
use crate::limit::counted::OnSuccess;
use crate::person::People;
use crate::person::process::{Flow, Process, ProcessId, ProcessStep};
use crate::proof::password::Password;
use crate::proof::token::{Aim, Operation, Sent, TokenIssue, TokenProof};
use crate::trail::audit::Event;

use super::policy::Offer;
use super::{Way, WayKind};
use crate::proof::account::{Account, AccountId, OwnAddress};

/// Whether the address becomes a second step of the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondStep {
    On,
    Off,
}

impl People {
    /// Step 1.
    pub async fn start_registration(
        self: &Arc<Self>,
        caller: Caller,
        way: Way,
    ) -> Result<ProcessId, Error> {
        self.takes(way.kind)?;
        let now = self.now();
        self.write(move |hub, tx| {
            let flow = Flow::Registration {
                way: way.clone(),
                step: ProcessStep::Open,
                second_step: false,
                language: caller.language.clone(),
            };
            hub.open_process(tx, now, flow)
        })
        .await
    }

    /// Step 2.
    pub async fn send_registration_token(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
    ) -> Result<(Way, Sent), Error> {
        let now = self.now();
        self.decided(now, move |hub, tx| {
            let Some((mut process, way, step)) = hub.registration(tx, now, id)? else {
                return Ok(Err(Refusal::UnknownSubject));
            };
            if step != ProcessStep::Open {
                return Ok(Err(Refusal::WrongState));
            }
            let owner = hub.owner_of_address(tx, &way)?;
            // The same read for a free address: what is not there costs as much to look for.
            let at = owner.unwrap_or_else(|| hub.identity_row(&way));
            let owner = hub.rows.peek::<Account>(tx, &at)?;
            let sent = hub.issue_token(
                tx,
                now,
                &caller,
                &TokenIssue {
                    operation: Operation::Registration,
                    slot: hub.process_slot(Operation::Registration, &process),
                    way: &way,
                    aim: if owner.is_some() {
                        Aim::Decoy
                    } else {
                        Aim::Real
                    },
                    counted_as: &way.norm,
                    language: &caller.language,
                    phrase: None,
                    left: process.left(&way.norm, hub.policy.tokens.sends_per_process),
                    instead: owner.map(|account| {
                        hub.notice(caller.surface, &account, &way, "registration_attempt")
                    }),
                },
            )?;
            process.sent(now, &way.norm, sent);
            hub.rows.put(tx, &mut process)?;
            Ok(Ok((way, sent)))
        })
        .await
    }

    /// Step 3.
    pub async fn verify_registration(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        text: SecretText,
        wish: SecondStep,
    ) -> Result<(), Error> {
        let now = self.now();
        self.decided(now, move |hub, tx| {
            let Some((mut process, way, step)) = hub.registration(tx, now, id)? else {
                return Ok(Err(Refusal::UnknownSubject));
            };
            if step != ProcessStep::Open {
                return Ok(Err(Refusal::WrongState));
            }
            let proof = TokenProof {
                operation: Operation::Registration,
                slot: hub.process_slot(Operation::Registration, &process),
                way: Some(&way),
                text: &text,
                drawn: None,
                then: OnSuccess::Forget,
            };
            if let Err(refusal) = hub.prove(tx, now, &caller, &proof)? {
                return Ok(Err(hub.process_failed(tx, &mut process, refusal)?));
            }
            let wanted = wish == SecondStep::On && hub.policy.second_step == Offer::On;
            if let Flow::Registration {
                step, second_step, ..
            } = &mut process.flow
            {
                *step = hub.verified(now);
                *second_step = wanted;
            }
            hub.rows.put(tx, &mut process)?;
            Ok(Ok(()))
        })
        .await
    }

    /// Step 4.
    pub async fn finish_registration(
        self: &Arc<Self>,
        caller: Caller,
        id: ProcessId,
        password: Password,
    ) -> Result<AccountId, Error> {
        self.judge_early(&password)?;
        let now = self.now();
        let way = self
            .read(move |hub, tx| hub.verified_way(tx, now, id))
            .await?
            .map_err(Error::Refused)?;
        self.policy.passwords.judge(&password, &[&way.norm])?;
        let verifier = self.hash_password(password).await?;
        let person = uuid(self.random.as_ref());
        let now = self.now();
        self.decided(now, move |hub, tx| {
            let (process, way, second_step, language) = match hub.registration_parts(tx, now, id)? {
                Ok(parts) => parts,
                Err(refusal) => return Ok(Err(refusal)),
            };
            hub.close_process(tx, &process)?;
            let row = hub.account_row(person);
            let event =
                Event::new(caller.surface, now, "account.create", person.to_string()).by(&caller);
            if !hub.claim_address(tx, &way, row)? {
                hub.record(tx, event.outcome("taken"))?;
                return Ok(Err(Refusal::Conflict));
            }
            let own = OwnAddress {
                way,
                second_step,
                verified: now,
            };
            let account = new_account(person, now, language, verifier.clone(), own);
            hub.rows.create(tx, hub.tenant(), Place::at(row), account)?;
            hub.record(tx, event)?;
            Ok(Ok(AccountId(person)))
        })
        .await
    }

    fn registration(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Option<(Stored<Process>, Way, ProcessStep)>> {
        let process = self.process(tx, now, id)?;
        Ok(process.and_then(|process| match &process.flow {
            Flow::Registration { way, step, .. } => {
                let (way, step) = (way.clone(), step.clone());
                Some((process, way, step))
            }
            _ => None,
        }))
    }

    fn verified_way(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Result<Way, Refusal>> {
        Ok(match self.registration(tx, now, id)? {
            None => Err(Refusal::UnknownSubject),
            Some((_, way, ProcessStep::Verified { .. })) => Ok(way),
            Some(_) => Err(Refusal::WrongState),
        })
    }

    #[expect(
        clippy::type_complexity,
        reason = "the parts of one record, taken apart once"
    )]
    fn registration_parts(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Result<(Stored<Process>, Way, bool, String), Refusal>> {
        let Some(process) = self.process(tx, now, id)? else {
            return Ok(Err(Refusal::UnknownSubject));
        };
        Ok(match &process.flow {
            Flow::Registration {
                way,
                step: ProcessStep::Verified { .. },
                second_step,
                language,
            } => {
                let parts = (way.clone(), *second_step, language.clone());
                Ok((process, parts.0, parts.1, parts.2))
            }
            Flow::Registration { .. } => Err(Refusal::WrongState),
            _ => Err(Refusal::UnknownSubject),
        })
    }
}

fn new_account(
    person: Uuid,
    now: Timestamp,
    language: String,
    password: crate::proof::password::PasswordVerifier,
    own: OwnAddress,
) -> Account {
    let (email, phone) = match own.way.kind {
        WayKind::Email => (Some(own), None),
        WayKind::Phone => (None, Some(own)),
    };
    Account {
        person,
        created: now,
        language,
        password,
        email,
        phone,
        authenticator: None,
        phrase: None,
        restricted_until: None,
        epoch: 0,
    }
}
