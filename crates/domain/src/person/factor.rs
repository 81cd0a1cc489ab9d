//! Second steps: which are on, switching one on, and switching one off with a code.

use std::sync::Arc;

use crate::core::caller::Caller;
use crate::core::error::{Condition, Error, Refusal};
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::person::People;
use crate::proof::session::SignedIn;
use crate::proof::token::{Operation, Sent};

use super::{Factor, Way, WayKind};
use crate::proof::account::Account;
use crate::proof::notice::Change;

impl Account {
    fn is_on(&self, factor: Factor) -> bool {
        self.second_steps().contains(&factor)
    }

    /// The address whose second step may be switched off.
    fn switchable(&self, now: Timestamp, kind: WayKind) -> Result<Way, Refusal> {
        self.unrestricted(now)?;
        let way = self.way(kind)?;
        if self.is_on(kind.factor()) {
            Ok(way)
        } else {
            Err(Refusal::Unmet(Condition::FactorOn))
        }
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
            own.is_fresh()?;
            let way = own.account.way(kind)?;
            if own.account.is_on(kind.factor()) {
                return Ok(Err(Refusal::Unmet(Condition::FactorOff)));
            }
            if let Some(address) = own.account.own_mut(kind) {
                address.second_step = true;
            }
            own.save()?;
            own.changed("mfa_on", &Change::of(&way))?;
            Ok(Ok(()))
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
            own.is_fresh()?;
            let way = own.account.switchable(own.now, kind)?;
            let sent = own.issue(Operation::SwitchOff, &way)?;
            Ok(Ok((way, sent)))
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
            let judged = match factor.way() {
                Some(kind) => {
                    let way = own.account.switchable(own.now, kind)?;
                    let slot = own.slot(Operation::SwitchOff, &[]);
                    own.prove(Operation::SwitchOff, slot, Some(&way), &text)?
                        .map(drop)
                }
                None => {
                    // No code was asked for first, which is where the others are asked to be fresh.
                    own.is_fresh()?;
                    own.account.unrestricted(own.now)?;
                    if !own.account.is_on(factor) {
                        return Ok(Err(Refusal::Unmet(Condition::FactorOn)));
                    }
                    own.prove_with_authenticator(&text)?
                }
            };
            if let Err(refusal) = judged {
                return Ok(Err(refusal));
            }
            let address = factor.way().and_then(|kind| own.account.way(kind).ok());
            match factor.way() {
                Some(kind) => {
                    if let Some(address) = own.account.own_mut(kind) {
                        address.second_step = false;
                    }
                }
                None => own.account.authenticator = None,
            }
            own.save()?;
            let about = Change {
                address: address.as_ref(),
                also: None,
            };
            own.changed("mfa_off", &about)?;
            Ok(Ok(()))
        })
        .await
    }
}
