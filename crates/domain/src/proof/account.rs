//! The record of an account.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::core::error::{Condition, Refusal};
use crate::core::id::Id;
use crate::core::port::store::Kind;
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;

use super::authenticator::Authenticator;
use super::password::PasswordVerifier;
use super::way::{Factor, Way, WayKind};

/// Names an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountId(pub Uuid);

/// An address that was proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnAddress {
    pub(crate) way: Way,
    pub(crate) second_step: bool,
    pub(crate) verified: Timestamp,
}

/// The record of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) person: Uuid,
    pub(crate) created: Timestamp,
    pub(crate) language: String,
    pub(crate) password: PasswordVerifier,
    pub(crate) email: Option<OwnAddress>,
    pub(crate) phone: Option<OwnAddress>,
    pub(crate) authenticator: Option<Authenticator>,
    /// The anti-phishing code. Messages show it, so it is sealed and not hashed.
    pub(crate) phrase: Option<String>,
    pub(crate) restricted_until: Option<Timestamp>,
    /// Changes with the password, the addresses and the second steps: processes begun before are over.
    pub(crate) epoch: u64,
    /// When the password changed last: no login before is a recent one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fresh_since: Option<Timestamp>,
}

impl Record for Account {
    const KIND: Kind = "account";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Limited;
}

/// An account as it was when a process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bound {
    pub(crate) account: Id<Account>,
    pub(crate) epoch: u64,
}

impl Bound {
    pub(crate) fn of(account: &Stored<Account>) -> Self {
        Self {
            account: account.key(),
            epoch: account.epoch,
        }
    }

    /// Whether the account is as it was.
    pub(crate) fn holds(self, account: &Account) -> bool {
        account.epoch == self.epoch
    }
}

impl Account {
    pub(crate) fn own(&self, kind: WayKind) -> Option<&OwnAddress> {
        match kind {
            WayKind::Email => self.email.as_ref(),
            WayKind::Phone => self.phone.as_ref(),
        }
    }

    pub(crate) fn own_mut(&mut self, kind: WayKind) -> &mut Option<OwnAddress> {
        match kind {
            WayKind::Email => &mut self.email,
            WayKind::Phone => &mut self.phone,
        }
    }

    /// The address of that kind; a refusal if the account has none.
    pub(crate) fn way(&self, kind: WayKind) -> Result<Way, Refusal> {
        self.own(kind)
            .map(|own| own.way.clone())
            .ok_or(Refusal::Unmet(Condition::HasAddress))
    }

    /// All addresses, e-mail first.
    pub(crate) fn ways(&self) -> impl Iterator<Item = &Way> {
        [&self.email, &self.phone]
            .into_iter()
            .flatten()
            .map(|own| &own.way)
    }

    /// What a password must not contain.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.ways().map(|way| way.norm.as_str()).collect()
    }

    /// The second steps that are switched on.
    pub(crate) fn second_steps(&self) -> Vec<Factor> {
        let on = |own: &Option<OwnAddress>| own.as_ref().is_some_and(|own| own.second_step);
        [
            (Factor::Email, on(&self.email)),
            (Factor::Phone, on(&self.phone)),
            (Factor::Authenticator, self.has_authenticator()),
        ]
        .into_iter()
        .filter_map(|(factor, on)| on.then_some(factor))
        .collect()
    }

    /// Whether an authenticator app is switched on.
    pub(crate) fn has_authenticator(&self) -> bool {
        self.authenticator
            .as_ref()
            .is_some_and(Authenticator::is_on)
    }

    /// Ends the processes and tokens of the account as it was.
    pub(crate) fn has_changed(&mut self) {
        self.epoch += 1;
    }

    /// Until when an address that was added or replaced proves nothing towards another way in. The address that the
    /// account was registered with always proves.
    pub(crate) fn proves_after(
        &self,
        kind: WayKind,
        now: Timestamp,
        span: Duration,
    ) -> Option<Timestamp> {
        let own = self.own(kind).filter(|own| own.verified > self.created)?;
        Some(own.verified.plus(span)).filter(|until| *until > now)
    }

    /// From now on no login before is a recent one. The sessions themselves go on.
    pub(crate) fn must_log_in_again(&mut self, now: Timestamp) {
        self.fresh_since = self.fresh_since.max(Some(now));
    }

    /// Begins a cool-down; the later end wins.
    pub(crate) fn restrict(&mut self, now: Timestamp, span: Duration) {
        if !span.is_zero() {
            self.restricted_until = self.restricted_until.max(Some(now.plus(span)));
        }
    }

    /// Until when a cool-down is running.
    pub(crate) fn restriction(&self, now: Timestamp) -> Option<Timestamp> {
        self.restricted_until.filter(|until| *until > now)
    }

    /// Refuses while a cool-down is running.
    pub(crate) fn unrestricted(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.restriction(now) {
            Some(until) => Err(Refusal::Unmet(Condition::CooledDown { until })),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) const EMAIL: &str = "anna@example.com";
    pub(crate) const PHONE: &str = "+4915112345678";

    pub(crate) fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    pub(crate) fn own(way: Way) -> OwnAddress {
        OwnAddress {
            way,
            second_step: false,
            verified: at(0),
        }
    }

    /// An account with an e-mail address and nothing else.
    pub(crate) fn anna() -> Account {
        let password = json!({
            "salt": vec![0; 16], "memory_kib": 8, "passes": 1, "lanes": 1, "pepper": 1, "check": vec![0; 32],
        });
        Account {
            person: Uuid::from_u128(1),
            created: at(0),
            language: "en".to_owned(),
            password: serde_json::from_value(password).unwrap(),
            email: Some(own(Way::email(EMAIL))),
            phone: None,
            authenticator: None,
            phrase: None,
            restricted_until: None,
            epoch: 0,
            fresh_since: None,
        }
    }

    /// The same account with a phone number.
    pub(crate) fn anna_with_phone() -> Account {
        Account {
            phone: Some(own(Way::phone(PHONE))),
            ..anna()
        }
    }

    pub(crate) fn authenticator(on_since: Option<Timestamp>) -> Authenticator {
        Authenticator {
            secret: [3; 20],
            on_since,
            last_step: 0,
            pepper: 1,
            recovery: Vec::new(),
        }
    }

    #[test]
    fn an_address_that_is_missing_is_a_condition() {
        let account = anna();
        assert_eq!(account.way(WayKind::Email), Ok(Way::email(EMAIL)));
        assert_eq!(
            account.way(WayKind::Phone),
            Err(Refusal::Unmet(Condition::HasAddress))
        );
    }

    #[test]
    fn the_email_address_comes_first() {
        let account = anna_with_phone();
        assert_eq!(account.names(), [EMAIL, PHONE]);
        assert_eq!(anna().names(), [EMAIL]);
    }

    #[test]
    fn second_steps_are_those_that_are_on() {
        let mut account = anna_with_phone();
        assert_eq!(account.second_steps(), []);
        account.phone.as_mut().unwrap().second_step = true;
        account.authenticator = Some(authenticator(None));
        assert_eq!(account.second_steps(), [Factor::Phone]);
        account.authenticator = Some(authenticator(Some(at(0))));
        account.email.as_mut().unwrap().second_step = true;
        assert_eq!(
            account.second_steps(),
            [Factor::Email, Factor::Phone, Factor::Authenticator]
        );
    }

    #[test]
    fn a_change_ends_what_was_bound_before() {
        let mut account = anna();
        let bound = Bound {
            account: Id::new(crate::core::port::store::RowId([1; 16])),
            epoch: account.epoch,
        };
        assert!(bound.holds(&account));
        account.has_changed();
        assert!(!bound.holds(&account));
    }

    #[test]
    fn a_cool_down_ends_at_its_moment_and_the_later_end_wins() {
        let mut account = anna();
        assert_eq!(account.unrestricted(at(0)), Ok(()));
        account.restrict(at(0), Duration::from_secs(20));
        account.restrict(at(0), Duration::from_secs(10));
        account.restrict(at(0), Duration::ZERO);
        let until = at(20);
        assert_eq!(
            account.unrestricted(at(19)),
            Err(Refusal::Unmet(Condition::CooledDown { until }))
        );
        assert_eq!(account.unrestricted(until), Ok(()));
    }

    #[test]
    fn a_reference_is_stored_as_its_sixteen_bytes() {
        let bound = Bound {
            account: Id::new(crate::core::port::store::RowId([9; 16])),
            epoch: 2,
        };
        assert_eq!(
            serde_json::to_value(bound).unwrap(),
            json!({ "account": vec![9; 16], "epoch": 2 })
        );
    }
}
