//! Accounts: what their owners see of them, and how wrong codes and passwords are counted.

use std::sync::Arc;

use crate::core::error::{Error, Refusal};
use crate::core::port::store::RowId;
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::limit::lockout::{LockRules, SubjectLockout};
use crate::person::People;
use crate::proof::account::{Account, AccountId};
use crate::proof::session::SignedIn;

use super::policy::{Feature, PersonPolicy};
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

/// Operations whose wrong codes are counted together, for each secret.
///
/// The classes are counted apart, so that a stranger who fails recoveries on purpose does not lock the owner's login.
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

/// A secret of an account: each has a count of wrong answers of its own, which only its own right answer clears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secret<'a> {
    Password,
    /// The codes to this address of the account.
    Codes(&'a Way),
    /// The codes to addresses that the account does not have yet. Whoever is counted chose the address, so a right
    /// code clears nothing.
    NewAddress,
    /// The codes of the app, and the recovery codes for when it is lost.
    Authenticator,
}

/// What the count of the codes to an address is called.
const fn codes_to(kind: WayKind) -> &'static str {
    match kind {
        WayKind::Email => "e-mail codes",
        WayKind::Phone => "phone codes",
    }
}

impl Secret<'_> {
    /// The name that the audit trail shows.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Codes(way) => codes_to(way.kind),
            Self::NewAddress => "new address",
            Self::Authenticator => "authenticator",
        }
    }

    /// What names its lockouts, behind class and account. The authenticator has the name that once was that of all
    /// secrets, so that what was counted then counts for it.
    fn parts(&self) -> Vec<&[u8]> {
        match self {
            Self::Authenticator => Vec::new(),
            Self::Codes(way) => vec![b"codes", way.norm.as_bytes()],
            Self::Password | Self::NewAddress => vec![self.name().as_bytes()],
        }
    }

    /// Nothing clears the count of new addresses, so it never locks for good.
    fn rules(self) -> LockRules {
        match self {
            Self::NewAddress => LockRules {
                hard_stop: 0,
                ..PersonPolicy::CODES
            },
            Self::Password | Self::Codes(_) | Self::Authenticator => PersonPolicy::CODES,
        }
    }
}

impl Details {
    fn of(account: &Account, now: Timestamp) -> Self {
        Self {
            id: AccountId(account.person),
            email: account.email.as_ref().map(|own| own.way.given.clone()),
            phone: account.phone.as_ref().map(|own| own.way.given.clone()),
            second_steps: account.second_steps(),
            phrase_set: account.phrase.is_some(),
            restricted_until: account.restriction(now),
        }
    }
}

impl People {
    /// Refuses what the operator switched off.
    pub fn offers(&self, feature: Feature) -> Result<(), Error> {
        Ok(self.policy.must_offer(feature)?)
    }

    /// What the session's owner may see of the account.
    pub async fn details(self: &Arc<Self>, who: SignedIn) -> Result<Details, Error> {
        let now = self.now();
        let account = self.rows.read(self.store.as_ref(), who.account).await?;
        let account = account.ok_or(Refusal::Blocked)?;
        Ok(Details::of(&account, now))
    }

    /// The lockout of one secret of an account, for a class of operations that asks for it.
    pub(crate) fn secret_lockout(
        &self,
        class: Class,
        account: RowId,
        secret: Secret<'_>,
    ) -> SubjectLockout {
        let mut name = vec![class.name().as_bytes(), &account.0[..]];
        name.extend(secret.parts());
        self.lockout_of(&name, secret.rules())
    }

    /// The lockouts of all secrets of an account for a class: those that its right answers clear one by one. A recovery
    /// is counted for each address that it can be started with, and each kind of address that its code goes to.
    pub(crate) fn class_lockouts(
        &self,
        account: &Stored<Account>,
        class: Class,
    ) -> Vec<(&'static str, SubjectLockout)> {
        let kinds = [WayKind::Email, WayKind::Phone];
        if class == Class::PasswordRecovery {
            let ways = account.ways();
            let each = ways.flat_map(|way| kinds.map(|kind| (way, kind)));
            return each
                .map(|(way, kind)| (codes_to(kind), self.recovery_lockout(way, kind)))
                .collect();
        }
        let codes = account.ways().map(Secret::Codes);
        [Secret::Password, Secret::NewAddress, Secret::Authenticator]
            .into_iter()
            .chain(codes)
            .map(|secret| {
                (
                    secret.name(),
                    self.secret_lockout(class, account.id(), secret),
                )
            })
            .collect()
    }

    /// The lockout of recoveries that were started with an address, and whose code went to an address of that kind. It
    /// is counted by the text of the address, whether or not it leads to an account.
    pub(crate) fn recovery_lockout(&self, way: &Way, kind: WayKind) -> SubjectLockout {
        let row = self.identity_row(way).row();
        let mut name: Vec<&[u8]> = vec![Class::PasswordRecovery.name().as_bytes(), &row.0];
        if kind != way.kind {
            name.push(kind.name().as_bytes());
        }
        self.lockout_of(&name, PersonPolicy::CODES)
    }

    /// The lockouts that count a try at the password of an address.
    pub(crate) fn login_lockouts(&self, way: &Way, network: &str) -> Vec<SubjectLockout> {
        let near: [&[u8]; 3] = [b"password", way.norm.as_bytes(), network.as_bytes()];
        vec![
            self.lockout_of(&near, self.policy.near()),
            self.login_lockout_anywhere(way),
        ]
    }

    /// Wrong passwords for an address from anywhere.
    pub(crate) fn login_lockout_anywhere(&self, way: &Way) -> SubjectLockout {
        let anywhere: [&[u8]; 2] = [b"password", way.norm.as_bytes()];
        self.lockout_of(&anywhere, self.policy.anywhere())
    }

    fn lockout_of(&self, name: &[&[u8]], rules: LockRules) -> SubjectLockout {
        (self.rows.named(name), rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::account::tests::{EMAIL, PHONE, anna, anna_with_phone, at};

    #[test]
    fn the_owner_sees_addresses_and_steps_and_no_secret() {
        let mut account = anna_with_phone();
        account.phone.as_mut().unwrap().second_step = true;
        account.phrase = Some("blue".to_owned());
        account.restricted_until = Some(at(60));
        let details = Details::of(&account, at(0));
        assert_eq!(
            details,
            Details {
                id: AccountId(account.person),
                email: Some(EMAIL.to_owned()),
                phone: Some(PHONE.to_owned()),
                second_steps: vec![Factor::Phone],
                phrase_set: true,
                restricted_until: Some(at(60)),
            }
        );
        assert!(!format!("{details:?}").contains("blue"));
    }

    #[test]
    fn a_cool_down_that_is_over_is_not_shown() {
        let mut account = anna();
        account.restricted_until = Some(at(60));
        assert_eq!(Details::of(&account, at(60)).restricted_until, None);
    }

    #[test]
    fn classes_are_counted_apart() {
        let mut names = Class::ALL.map(Class::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Class::ALL.len());
    }
}
