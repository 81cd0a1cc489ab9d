//! What operators may remove: an enrolment, and a whole user.

use std::sync::Arc;

use serde::Serialize;

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::liveness::{Check, Purpose, Question};
use crate::core::port::random::uuid;
use crate::core::port::store::{Page, Tx, TxResult};
use crate::core::record::Record;
use crate::core::verdict::Verdict;
use crate::letter::Decides as _;
use crate::proof::operator::{Operator, OperatorRight};
use crate::wallet::Wallets;
use crate::wallet::challenge::WalletChallenge;
use crate::wallet::device::WalletDevice;
use crate::wallet::key::WalletKey;
use crate::wallet::key_creation::KeyCreation;
use crate::wallet::key_use::KeyUseRecord;
use crate::wallet::share::KeyshareRevision;
use crate::wallet::step_up::{Attempts, Enrolment};
use crate::wallet::user::WalletUser;

/// What was removed with a user.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ErasedUser {
    pub devices: u64,
    pub keys: u64,
    pub shares: u64,
    pub decisions: u64,
}

/// Whether `verifier`, the one that is configured now, remembers the person of an enrolment: not that of another
/// verifier or of a passkey.
fn is_remembered_by(verifier: Option<&str>, enrolment: &Enrolment) -> bool {
    verifier == Some(enrolment.verifier.as_str())
}

impl Wallets {
    /// Forgets who was enrolled, here and, as far as it can, at the verifier; and tells the owner. After that, whoever
    /// holds the user's token can enrol: only an operator decides that.
    ///
    /// `UnknownSubject`: the user is not registered, or nobody is enrolled.
    pub async fn remove_enrolment(
        self: &Arc<Self>,
        operator: &Operator,
        caller: Caller,
        issuer: &str,
        subject: &str,
    ) -> Result<(), Error> {
        operator.may(OperatorRight::Support)?;
        let operator = operator.name().to_owned();
        let now = self.now();
        let user = self.wallet_user_of(issuer, subject);
        let enrolment = self
            .decide(now, move |hub, tx| {
                if hub.hold_user(tx, user)?.is_none() {
                    return Ok(Refusal::UnknownSubject.into());
                }
                let row = hub.enrolment_row(user);
                let Some(enrolment) = hub.rows.take::<Enrolment>(tx, row)? else {
                    return Ok(Refusal::UnknownSubject.into());
                };
                hub.forget_passkey(tx, user)?;
                let event = Self::operator_event(&caller, now, "person.remove", user, &operator);
                hub.record(tx, event)?;
                hub.tell_holder(tx, now, &caller, user, "person_removed")?;
                Ok(Verdict::Done(enrolment.value))
            })
            .await?;
        self.forget_person(enrolment).await;
        Ok(())
    }

    /// Erases a user with devices, enrolment, keys, shares and decisions. The audit trail keeps its hashes.
    ///
    /// `UnknownSubject`: the user is not registered.
    pub async fn erase_user(
        self: &Arc<Self>,
        operator: &Operator,
        caller: Caller,
        issuer: &str,
        subject: &str,
    ) -> Result<ErasedUser, Error> {
        operator.may(OperatorRight::Manage)?;
        let operator = operator.name().to_owned();
        let now = self.now();
        let user = self.wallet_user_of(issuer, subject);
        let verdict = self
            .write(move |hub, tx| {
                if hub.hold_user(tx, user)?.is_none() {
                    return Ok(Verdict::Refused(Refusal::UnknownSubject));
                }
                let erased = Self::erase_belongings(tx, user)?;
                hub.forget_passkey(tx, user)?;
                let row = hub.enrolment_row(user);
                let enrolment = hub.rows.take::<Enrolment>(tx, row)?;
                hub.rows.remove(tx, user)?;
                let event = Self::operator_event(&caller, now, "user.erase", user, &operator);
                hub.record(tx, event)?;
                let enrolment = enrolment.map(|found| found.value);
                Ok(Verdict::Done((erased, enrolment)))
            })
            .await?;
        let (erased, enrolment) = verdict.answer()?;
        if let Some(enrolment) = enrolment {
            self.forget_person(enrolment).await;
        }
        Ok(erased)
    }

    fn erase_belongings(tx: &mut dyn Tx, user: Id<WalletUser>) -> TxResult<ErasedUser> {
        let owner = user.row();
        let mut shares = 0;
        for key in tx.children(WalletKey::KIND, &owner, Page::ALL)? {
            shares += tx.remove_children(KeyshareRevision::KIND, &key.id)?;
        }
        for device in tx.children(WalletDevice::KIND, &owner, Page::ALL)? {
            tx.remove_children(KeyCreation::KIND, &device.id)?;
        }
        let erased = ErasedUser {
            devices: tx.remove_children(WalletDevice::KIND, &owner)?,
            keys: tx.remove_children(WalletKey::KIND, &owner)?,
            shares,
            decisions: tx.remove_children(KeyUseRecord::KIND, &owner)?,
        };
        tx.remove_children(WalletChallenge::KIND, &owner)?;
        tx.remove_children(Attempts::KIND, &owner)?;
        Ok(erased)
    }

    async fn forget_person(&self, enrolment: Enrolment) {
        let remembered = is_remembered_by(self.liveness.kind(), &enrolment);
        let question = Question {
            check: Check::Enrol,
            purpose: Purpose::Operator,
            id: uuid(self.random.as_ref()).to_string(),
            reference: enrolment.reference,
        };
        if !remembered {
            return;
        }
        if let Err(why) = self.liveness.forget(&question).await {
            tracing::warn!(
                code = "verifier",
                why,
                "a person is forgotten here and perhaps not at the verifier"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::device::tests::at;
    use crate::wallet::step_up::{State, passkey};

    fn enrolment(verifier: &str, state: State) -> Enrolment {
        Enrolment {
            reference: "reference".to_owned(),
            verifier: verifier.to_owned(),
            state,
        }
    }

    #[test]
    fn a_verifier_remembers_whom_it_was_asked_to_enrol_even_if_it_has_not_answered() {
        for state in [
            State::Active { since: at(0) },
            State::Pending { started: at(0) },
        ] {
            assert!(is_remembered_by(Some("faces"), &enrolment("faces", state)));
        }
    }

    #[test]
    fn nobody_is_asked_to_forget_a_person_of_another_verifier() {
        let enrolment = enrolment("faces", State::Active { since: at(0) });
        assert!(!is_remembered_by(Some("other"), &enrolment));
        assert!(!is_remembered_by(None, &enrolment));
    }

    #[test]
    fn no_verifier_is_asked_to_forget_a_passkey() {
        let enrolment = enrolment(passkey::VERIFIER, State::Active { since: at(0) });
        assert!(!is_remembered_by(Some("faces"), &enrolment));
        assert!(!is_remembered_by(None, &enrolment));
    }
}
