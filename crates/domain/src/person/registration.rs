//! Registration.
//!
//! 1. [`People::start_registration`] opens a process for an address, whether or not it has an account.
//! 2. [`People::send_registration_token`] sends a code. If the address has an account, its owner is told instead.
//! 3. [`People::verify_registration`] takes the code.
//! 4. [`People::finish_registration`] sets the password and makes the account. Of two processes for one address the
//!    first to get here wins.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::random::uuid;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::{Place, Stored};
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::letter::Decides as _;
use crate::limit::counted::OnSuccess;
use crate::person::People;
use crate::person::process::{Flow, Process, ProcessId, ProcessSend, ProcessStep};
use crate::proof::account::{Account, AccountId, OwnAddress};
use crate::proof::password::{Password, PasswordVerifier};
use crate::proof::token::{Aim, Operation, Sent, TokenIssue, TokenProof};
use crate::trail::audit::Event;

use super::policy::Offer;
use super::{Way, WayKind};

/// Whether the address becomes a second step of the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondStep {
    On,
    Off,
}

/// A registration that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RegistrationFlow {
    pub(crate) way: Way,
    pub(crate) step: ProcessStep,
    pub(crate) second_step: bool,
    pub(crate) language: String,
}

impl RegistrationFlow {
    fn new(way: Way, language: String) -> Self {
        Self {
            way,
            step: ProcessStep::Open,
            second_step: false,
            language,
        }
    }

    /// The same after its code was right. A second step that the operator does not offer is not switched on.
    fn verified(self, step: ProcessStep, wish: SecondStep, offer: Offer) -> Self {
        Self {
            step,
            second_step: wish == SecondStep::On && offer == Offer::On,
            ..self
        }
    }

    /// The account that the registration makes.
    fn account(self, person: Uuid, now: Timestamp, password: PasswordVerifier) -> Account {
        let own = OwnAddress {
            way: self.way,
            second_step: self.second_step,
            verified: now,
        };
        let (email, phone) = match own.way.kind {
            WayKind::Email => (Some(own), None),
            WayKind::Phone => (None, Some(own)),
        };
        Account {
            person,
            created: now,
            language: self.language,
            password,
            email,
            phone,
            authenticator: None,
            phrase: None,
            restricted_until: None,
            epoch: 0,
            fresh_since: None,
        }
    }
}

impl People {
    /// Step 1.
    pub async fn start_registration(
        self: &Arc<Self>,
        caller: Caller,
        way: Way,
    ) -> Result<ProcessId, Error> {
        self.policy.must_take(way.kind)?;
        let now = self.now();
        self.write(move |hub, tx| {
            let flow = RegistrationFlow::new(way.clone(), caller.language.clone());
            hub.open_process(tx, now, Flow::Registration(flow))
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
        self.decide(now, move |hub, tx| {
            let Some((mut process, flow)) = hub.registration(tx, now, id)? else {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            };
            allowed!(flow.step.must_be_open());
            let way = flow.way;
            let owner = hub.peek_owner(tx, &way)?;
            let send = ProcessSend {
                request: TokenIssue {
                    operation: Operation::Registration,
                    slot: hub.process_slot(Operation::Registration, &process),
                    way: &way,
                    aim: match owner {
                        Some(_) => Aim::Decoy,
                        None => Aim::Real,
                    },
                    counted_as: &way.norm,
                    language: &caller.language,
                    phrase: None,
                    left: None,
                    instead: owner.map(|account| {
                        hub.notice(caller.surface, &account, &way, "registration_attempt")
                    }),
                },
                counted: &way.norm,
            };
            let issued = allowed!(hub.send_in_process(tx, now, &caller, &mut process, send)?);
            Ok(Verdict::Done((way, issued)))
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
        self.decide(now, move |hub, tx| {
            let Some((mut process, flow)) = hub.registration(tx, now, id)? else {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            };
            allowed!(flow.step.must_be_open());
            let proof = TokenProof {
                operation: Operation::Registration,
                slot: hub.process_slot(Operation::Registration, &process),
                way: Some(&flow.way),
                text: &text,
                lockout: None,
                then: OnSuccess::Forget,
            };
            if let Err(refusal) = hub.prove(tx, now, &caller, &proof)? {
                return Ok(Verdict::Refused(hub.process_failed(
                    tx,
                    &mut process,
                    refusal,
                )?));
            }
            let flow = flow.verified(hub.verified(now), wish, hub.policy.second_step);
            hub.save_process(tx, &mut process, Flow::Registration(flow))?;
            Ok(Verdict::Done(()))
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
        self.policy.passwords.judge(&password, &[])?;
        let now = self.now();
        let way = self
            .find(move |hub, tx| {
                let proved = allowed!(hub.proved_registration(tx, now, id)?);
                Ok(Verdict::Done(proved.1.way))
            })
            .await?;
        self.policy.passwords.judge(&password, &[&way.norm])?;
        let verifier = self.hash_password(password).await?;
        let person = uuid(self.random.as_ref());
        let now = self.now();
        self.decide(now, move |hub, tx| {
            let (process, flow) = allowed!(hub.proved_registration(tx, now, id)?);
            hub.close_process(tx, &process)?;
            let row = hub.account_row(person);
            let event =
                Event::new(caller.surface, now, "account.create", person.to_string()).by(&caller);
            if !hub.claim_address(tx, &flow.way, row)? {
                hub.record(tx, event.outcome("taken"))?;
                return Ok(Verdict::Refused(Refusal::Conflict));
            }
            let account = flow.account(person, now, verifier.clone());
            hub.rows.create(tx, hub.tenant(), Place::at(row), account)?;
            hub.record(tx, event)?;
            Ok(Verdict::Done(AccountId(person)))
        })
        .await
    }

    fn registration(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Option<(Stored<Process>, RegistrationFlow)>> {
        let process = self.process(tx, now, id)?;
        Ok(process.and_then(|process| match process.flow.clone() {
            Flow::Registration(flow) => Some((process, flow)),
            Flow::Login(_) | Flow::PasswordRecovery(_) | Flow::AddressRecovery(_) => None,
        }))
    }

    /// The registration, if its code was right.
    fn proved_registration(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ProcessId,
    ) -> TxResult<Result<(Stored<Process>, RegistrationFlow), Refusal>> {
        let found = self.registration(tx, now, id)?;
        let (process, flow) = allowed!(found.ok_or(Refusal::UnknownSubject));
        Ok(flow.step.must_be_verified().map(|()| (process, flow)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::account::tests::{EMAIL, PHONE, anna, at};

    fn flow(way: Way) -> RegistrationFlow {
        RegistrationFlow::new(way, "de".to_owned())
    }

    #[test]
    fn a_registration_begins_open_and_without_a_second_step() {
        let flow = flow(Way::email(EMAIL));
        assert_eq!(flow.step.must_be_open(), Ok(()));
        assert!(!flow.second_step);
    }

    #[test]
    fn a_second_step_is_on_if_it_is_wished_for_and_offered() {
        for (wish, offer, on) in [
            (SecondStep::On, Offer::On, true),
            (SecondStep::On, Offer::Off, false),
            (SecondStep::Off, Offer::On, false),
            (SecondStep::Off, Offer::Off, false),
        ] {
            let step = ProcessStep::Verified { until: at(1) };
            let verified = flow(Way::email(EMAIL)).verified(step.clone(), wish, offer);
            assert_eq!(verified.second_step, on, "{wish:?} {offer:?}");
            assert_eq!(verified.step, step);
        }
    }

    #[test]
    fn the_account_has_the_address_that_was_proved_and_no_other() {
        let password = anna().password;
        let person = Uuid::from_u128(1);
        let made = flow(Way::email(EMAIL)).account(person, at(5), password.clone());
        let own = made.email.unwrap();
        assert_eq!((own.way, own.verified), (Way::email(EMAIL), at(5)));
        assert_eq!(made.phone, None);
        let made = flow(Way::phone(PHONE)).account(person, at(5), password);
        assert_eq!(made.phone.unwrap().way, Way::phone(PHONE));
        assert_eq!(made.email, None);
        assert_eq!((made.language.as_str(), made.epoch), ("de", 0));
    }
}
