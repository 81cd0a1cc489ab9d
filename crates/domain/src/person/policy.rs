//! The numbers that accounts work with.

use std::time::Duration;

use crate::core::time::{days, hours};
use crate::limit::lockout::{Growth, LockRules};
use crate::person::process::ProcessPolicy;
use crate::proof::password::{Needed, PasswordRules};
use crate::proof::session::SessionPolicy;
use crate::proof::token::TokenPolicy;

pub use crate::proof::policy::Offer;

use super::{Factor, WayKind};
use crate::core::error::{Condition, Refusal};
use crate::proof::account::Account;

/// What an operator can switch off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// A second step of the login, and recovery of a lost address.
    SecondStep,
    /// Anti-phishing codes.
    Phrase,
}

/// How many of the second steps that are on a login needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepsNeeded {
    All,
    Any,
}

/// Everything about accounts.
#[derive(Debug, Clone)]
pub struct PersonPolicy {
    pub second_step: Offer,
    pub phrase: Offer,
    pub email: Offer,
    pub phone: Offer,
    pub steps_needed: StepsNeeded,
    pub tokens: TokenPolicy,
    pub processes: ProcessPolicy,
    pub passwords: PasswordRules,
    /// Wrong passwords in a row for one address from one network, and how long they lock.
    pub wrong_passwords: u32,
    pub password_lock: Duration,
    pub sessions: SessionPolicy,
    /// How old a login may be for what needs a fresh one; zero is off.
    pub fresh_login: Duration,
    /// Cool-downs; zero is off.
    pub after_recovery: Duration,
    pub after_key_change: Duration,
    pub after_password: Duration,
}

impl PersonPolicy {
    /// How long a new address proves nothing towards another way in.
    pub(crate) fn new_address(&self) -> Duration {
        self.after_key_change.max(self.after_recovery)
    }

    /// Refuses what the operator switched off.
    pub(crate) fn must_offer(&self, feature: Feature) -> Result<(), Refusal> {
        match self.offers(feature) {
            Offer::On => Ok(()),
            Offer::Off => Err(Refusal::Unmet(Condition::Feature)),
        }
    }

    /// Refuses addresses of a kind that the operator does not take.
    pub(crate) fn must_take(&self, kind: WayKind) -> Result<(), Refusal> {
        match self.takes(kind) {
            Offer::On => Ok(()),
            Offer::Off => Err(Refusal::Unmet(Condition::AddressKind)),
        }
    }

    /// The second steps that a login to this account has.
    pub(crate) fn steps_of(&self, account: &Account) -> Vec<Factor> {
        match self.second_step {
            Offer::On => account.second_steps(),
            Offer::Off => Vec::new(),
        }
    }

    pub fn offers(&self, feature: Feature) -> Offer {
        match feature {
            Feature::SecondStep => self.second_step,
            Feature::Phrase => self.phrase,
        }
    }

    pub fn takes(&self, kind: WayKind) -> Offer {
        match kind {
            WayKind::Email => self.email,
            WayKind::Phone => self.phone,
        }
    }

    /// Wrong codes in a row, for each account and class of operations.
    pub(crate) const CODES: LockRules = LockRules {
        first: 10,
        every: 5,
        lock: Duration::from_secs(900),
        growth: Growth::Doubling {
            longest: Duration::from_secs(86_400),
        },
        hard_stop: 100,
        within: None,
    };

    /// Wrong passwords for an address from one network.
    pub(crate) fn near(&self) -> LockRules {
        LockRules {
            first: self.wrong_passwords,
            every: self.wrong_passwords,
            lock: self.password_lock,
            growth: Growth::Flat,
            hard_stop: 0,
            within: None,
        }
    }

    /// Wrong passwords for an address from anywhere.
    pub(crate) fn anywhere(&self) -> LockRules {
        LockRules {
            first: 0,
            every: 0,
            lock: self.password_lock,
            growth: Growth::Flat,
            hard_stop: 100,
            within: Some((50, hours(1))),
        }
    }
}

impl Default for PersonPolicy {
    fn default() -> Self {
        Self {
            second_step: Offer::On,
            phrase: Offer::On,
            email: Offer::On,
            phone: Offer::On,
            steps_needed: StepsNeeded::All,
            tokens: TokenPolicy {
                life_email: Duration::from_secs(1_800),
                life_phone: Duration::from_secs(1_800),
                tries: 5,
                pause: Duration::from_secs(60),
                sends_per_process: 5,
                sends_per_operation_hour: 5,
                sends_per_address_hour: 20,
                sends_per_address_day: 50,
                sends_per_network_hour: 60,
            },
            processes: ProcessPolicy {
                life: hours(1),
                verified: Duration::from_secs(900),
                wrong: 10,
            },
            passwords: PasswordRules {
                least: 15,
                most: 128,
                upper_case: Needed::Never,
                special: Needed::Never,
                service: "Keyward".to_owned(),
            },
            wrong_passwords: 5,
            password_lock: Duration::from_secs(900),
            sessions: SessionPolicy::default(),
            fresh_login: Duration::from_secs(1_200),
            after_recovery: days(2),
            after_key_change: days(1),
            after_password: days(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::account::tests::anna;

    #[test]
    fn what_is_switched_off_is_refused() {
        let policy = PersonPolicy {
            phrase: Offer::Off,
            phone: Offer::Off,
            ..PersonPolicy::default()
        };
        assert_eq!(policy.must_offer(Feature::SecondStep), Ok(()));
        assert_eq!(
            policy.must_offer(Feature::Phrase),
            Err(Refusal::Unmet(Condition::Feature))
        );
        assert_eq!(policy.must_take(WayKind::Email), Ok(()));
        assert_eq!(
            policy.must_take(WayKind::Phone),
            Err(Refusal::Unmet(Condition::AddressKind))
        );
    }

    #[test]
    fn a_login_has_no_second_steps_while_they_are_switched_off() {
        let mut account = anna();
        account.email.as_mut().unwrap().second_step = true;
        let mut policy = PersonPolicy::default();
        assert_eq!(policy.steps_of(&account), [Factor::Email]);
        policy.second_step = Offer::Off;
        assert_eq!(policy.steps_of(&account), []);
    }

    #[test]
    fn wrong_passwords_lock_sooner_from_one_network_than_from_anywhere() {
        let policy = PersonPolicy::default();
        assert_eq!(policy.near().first, policy.wrong_passwords);
        assert_eq!(
            policy.near().hard_stop,
            0,
            "a network is never locked for good"
        );
        let anywhere = policy.anywhere();
        assert_eq!((anywhere.first, anywhere.hard_stop), (0, 100));
        assert_eq!(anywhere.within, Some((50, hours(1))));
    }
}
