//! Second steps: which are on, switching one on, and switching one off with a code.

use std::sync::Arc;

use crate::core::caller::Caller;
use crate::core::error::{Condition, Error, Refusal};
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::person::People;
use crate::proof::account::Account;
use crate::proof::notice::Change;
use crate::proof::session::SignedIn;
use crate::proof::token::{Operation, Sent};

use super::{Factor, Way, WayKind};

impl Account {
    fn is_on(&self, factor: Factor) -> bool {
        self.second_steps().contains(&factor)
    }

    /// The address that may be made a second step.
    fn may_switch_on(&self, kind: WayKind) -> Result<Way, Refusal> {
        let way = self.way(kind)?;
        if self.is_on(kind.factor()) {
            return Err(Refusal::Unmet(Condition::FactorOff));
        }
        Ok(way)
    }

    /// The address whose second step may be switched off.
    fn may_switch_off(&self, now: Timestamp, kind: WayKind) -> Result<Way, Refusal> {
        self.unrestricted(now)?;
        let way = self.way(kind)?;
        if self.is_on(kind.factor()) {
            Ok(way)
        } else {
            Err(Refusal::Unmet(Condition::FactorOn))
        }
    }

    /// Refuses to switch off an authenticator that is not on.
    fn may_drop_authenticator(&self, now: Timestamp) -> Result<(), Refusal> {
        self.unrestricted(now)?;
        if self.has_authenticator() {
            Ok(())
        } else {
            Err(Refusal::Unmet(Condition::FactorOn))
        }
    }

    fn switch_on(&mut self, kind: WayKind) {
        if let Some(own) = self.own_mut(kind) {
            own.second_step = true;
        }
        self.has_changed();
    }

    /// Switches a second step off. Returns its address; an authenticator has none, and is forgotten.
    fn switch_off(&mut self, factor: Factor) -> Option<Way> {
        self.has_changed();
        let Some(kind) = factor.way() else {
            self.authenticator = None;
            return None;
        };
        let own = self.own_mut(kind).as_mut()?;
        own.second_step = false;
        Some(own.way.clone())
    }
}

impl People {
    /// Makes an address a second step; it was proved when it was added.
    pub async fn enable_second_step(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        kind: WayKind,
    ) -> Result<(), Error> {
        self.as_owner(caller, who, move |own| {
            allowed!(own.is_fresh());
            let way = allowed!(own.account.may_switch_on(kind));
            own.account.switch_on(kind);
            own.save()?;
            own.changed(&Change::new("mfa_on").about(&way))?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Sends the code that switches a second step off.
    pub async fn send_switch_off_token(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        kind: WayKind,
    ) -> Result<(Way, Sent), Error> {
        self.as_owner(caller, who, move |own| {
            allowed!(own.is_fresh());
            let way = allowed!(own.account.may_switch_off(own.now, kind));
            let sent = allowed!(own.issue(Operation::SwitchOff, &way)?);
            Ok(Verdict::Done((way, sent)))
        })
        .await
    }

    /// Switches a second step off.
    pub async fn disable_second_step(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        factor: Factor,
        text: SecretText,
    ) -> Result<(), Error> {
        self.as_owner(caller, who, move |own| {
            if let Some(kind) = factor.way() {
                let way = allowed!(own.account.may_switch_off(own.now, kind));
                let slot = own.slot(Operation::SwitchOff, &[]);
                allowed!(own.prove(Operation::SwitchOff, slot, Some(&way), &text)?);
            } else {
                // For an address the login had to be fresh when its code was asked for. Here no code was.
                allowed!(own.is_fresh());
                allowed!(own.account.may_drop_authenticator(own.now));
                allowed!(own.prove_with_authenticator(&text)?);
            }
            let address = own.account.switch_off(factor);
            own.save()?;
            own.changed(&Change::new("mfa_off").about(address.as_ref()))?;
            Ok(Verdict::Done(()))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::proof::account::tests::{EMAIL, PHONE, anna, anna_with_phone, at, authenticator};

    #[test]
    fn an_address_becomes_a_second_step_once() {
        let mut account = anna();
        let (email, phone) = (WayKind::Email, WayKind::Phone);
        assert_eq!(account.may_switch_on(email), Ok(Way::email(EMAIL)));
        account.switch_on(email);
        assert_eq!(
            account.may_switch_on(email),
            Err(Refusal::Unmet(Condition::FactorOff))
        );
        assert_eq!(
            account.may_switch_on(phone),
            Err(Refusal::Unmet(Condition::HasAddress))
        );
    }

    #[test]
    fn only_a_second_step_that_is_on_is_switched_off() {
        let mut account = anna_with_phone();
        let off = Err(Refusal::Unmet(Condition::FactorOn));
        assert_eq!(account.may_switch_off(at(0), WayKind::Phone), off);
        account.switch_on(WayKind::Phone);
        assert_eq!(
            account.may_switch_off(at(0), WayKind::Phone),
            Ok(Way::phone(PHONE))
        );
        account.authenticator = Some(authenticator(None));
        assert_eq!(
            account.may_drop_authenticator(at(0)),
            Err(Refusal::Unmet(Condition::FactorOn)),
            "it was never confirmed"
        );
        account.authenticator = Some(authenticator(Some(at(0))));
        assert_eq!(account.may_drop_authenticator(at(0)), Ok(()));
    }

    #[test]
    fn nothing_is_switched_off_during_a_cool_down() {
        let mut account = anna();
        account.switch_on(WayKind::Email);
        account.authenticator = Some(authenticator(Some(at(0))));
        account.restrict(at(0), Duration::from_secs(60));
        let until = at(60);
        let cooling = Refusal::Unmet(Condition::CooledDown { until });
        assert_eq!(
            account.may_switch_off(at(59), WayKind::Email),
            Err(cooling.clone())
        );
        assert_eq!(account.may_drop_authenticator(at(59)), Err(cooling));
        assert_eq!(account.may_drop_authenticator(at(60)), Ok(()));
    }

    #[test]
    fn switching_off_touches_that_step_only() {
        let mut account = anna_with_phone();
        account.switch_on(WayKind::Email);
        account.switch_on(WayKind::Phone);
        account.authenticator = Some(authenticator(Some(at(0))));
        assert_eq!(account.switch_off(Factor::Authenticator), None);
        assert_eq!(account.authenticator, None);
        assert_eq!(account.switch_off(Factor::Email), Some(Way::email(EMAIL)));
        assert_eq!(account.second_steps(), [Factor::Phone]);
    }
}
