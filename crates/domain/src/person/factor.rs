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
    }

    /// Switches a second step off. Returns its address; an authenticator has none, and is forgotten.
    fn switch_off(&mut self, factor: Factor) -> Option<Way> {
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
