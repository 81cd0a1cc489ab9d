//! Accounts: the record, how it is found, and what protects it after a change.

use std::sync::Arc;

use crate::core::error::{Condition, Error, Refusal};
use crate::core::port::store::RowId;
use crate::core::time::Timestamp;
use crate::limit::lockout::Drawn;
use crate::person::People;
use crate::proof::account::Account;
use crate::proof::account::AccountId;
use crate::proof::session::SignedIn;

use super::policy::{Feature, Offer, PersonPolicy};
use super::{Factor, Way, WayKind};

/// What an account's owner may see of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    pub id: AccountId,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub second_steps: Vec<Factor>,
    pub phrase_set: bool,
    pub restricted_until: Option<Timestamp>,
}

/// Operations whose wrong codes are counted together. Apart from each other, so that a stranger who
/// fails recoveries on purpose does not lock the owner's login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    PasswordRecovery,
    Login,
    SignedIn,
}

impl Class {
    pub const ALL: [Self; 3] = [Self::PasswordRecovery, Self::Login, Self::SignedIn];

    pub const fn name(self) -> &'static str {
        match self {
            Self::PasswordRecovery => "password-recovery",
            Self::Login => "login",
            Self::SignedIn => "signed-in",
        }
    }
}

impl People {
    /// Refuses what the operator switched off.
    pub fn offers(&self, feature: Feature) -> Result<(), Error> {
        match self.policy.offers(feature) {
            Offer::On => Ok(()),
            Offer::Off => Err(Refusal::Unmet(Condition::Feature).into()),
        }
    }

    pub(crate) fn takes(&self, kind: WayKind) -> Result<(), Refusal> {
        match self.policy.takes(kind) {
            Offer::On => Ok(()),
            Offer::Off => Err(Refusal::Unmet(Condition::AddressKind)),
        }
    }

    /// What the session's owner may see of the account.
    pub async fn details(self: &Arc<Self>, who: SignedIn) -> Result<Details, Error> {
        let now = self.now();
        let account = self
            .rows
            .read::<Account>(self.store.as_ref(), who.account)
            .await?;
        let account = account.ok_or(Refusal::Blocked)?;
        Ok(Details {
            id: AccountId(account.person),
            email: account.email.as_ref().map(|own| own.way.given.clone()),
            phone: account.phone.as_ref().map(|own| own.way.given.clone()),
            second_steps: account.second_steps(),
            phrase_set: account.phrase.is_some(),
            restricted_until: account.restriction(now),
        })
    }

    /// The lockout of an account and a class of operations.
    pub(crate) fn class(&self, class: Class, subject: RowId) -> Drawn {
        (
            self.rows
                .id("lockout", &[class.name().as_bytes(), &subject.0]),
            PersonPolicy::CODES,
        )
    }

    /// What a try at the password of a name draws on.
    pub(crate) fn login_lockouts(&self, way: &Way, network: &str) -> Vec<Drawn> {
        let policy = &self.policy;
        let norm = way.norm.as_bytes();
        vec![
            (
                self.rows
                    .id("lockout", &[b"password", norm, network.as_bytes()]),
                policy.near(),
            ),
            (
                self.rows.id("lockout", &[b"password", norm]),
                policy.anywhere(),
            ),
        ]
    }
}

impl People {
    /// What a new password must be like, as far as that depends on nobody.
    pub(crate) fn judge_early(
        &self,
        password: &crate::proof::password::Password,
    ) -> Result<(), Refusal> {
        self.policy.passwords.judge(password, &[])
    }
}
