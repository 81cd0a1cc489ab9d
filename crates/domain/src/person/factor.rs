//! Second steps: which are on, switching one on, and switching one off with a code.

use std::sync::Arc;

use crate::error::{Condition, Error, Refusal};
use crate::keeper::{Caller, Keeper};
use crate::lockout::Then;
use crate::port::store::{Tx, TxResult};
use crate::rows::Stored;
use crate::secret::SecretText;
use crate::session::SignedIn;
use crate::time::Timestamp;
use crate::token::{Operation, Sent};

use super::account::{Account, Class};
use super::notice::Change;
use super::{Factor, Way, WayKind};

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

impl Keeper {
    /// Makes an address a second step; it was proved when it was added.
    pub async fn enable_second_step(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        kind: WayKind,
    ) -> Result<(), Error> {
        let now = self.now();
        self.decided(now, move |keeper, tx| {
            let mut account = keeper.own_account(tx, &who)?;
            keeper.is_fresh(now, &who)?;
            let way = account.way(kind)?;
            if account.is_on(kind.factor()) {
                return Ok(Err(Refusal::Unmet(Condition::FactorOff)));
            }
            if let Some(own) = account.own_mut(kind) {
                own.second_step = true;
            }
            keeper.rows.put(tx, &mut account)?;
            let about = Change {
                address: Some(&way),
                also: None,
            };
            keeper.changed(tx, now, &caller, &account, "mfa_on", &about)?;
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
        let now = self.now();
        self.decided(now, move |keeper, tx| {
            let account = keeper.own_account(tx, &who)?;
            keeper.is_fresh(now, &who)?;
            let way = account.switchable(now, kind)?;
            let sent =
                keeper.issue_own(tx, now, &caller, &who, &account, Operation::SwitchOff, &way)?;
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
        let now = self.now();
        self.decided(now, move |keeper, tx| {
            let mut account = keeper.own_account(tx, &who)?;
            let judged = match factor.way() {
                Some(kind) => {
                    keeper.prove_switch_off(tx, now, &caller, &who, &account, kind, &text)?
                }
                None => {
                    // No code was asked for first, which is where the others are asked to be fresh.
                    keeper.is_fresh(now, &who)?;
                    keeper.prove_with_authenticator(tx, now, &caller, &mut account, &text)?
                }
            };
            if let Err(refusal) = judged {
                return Ok(Err(refusal));
            }
            let address = factor.way().and_then(|kind| account.way(kind).ok());
            match factor.way() {
                Some(kind) => {
                    if let Some(own) = account.own_mut(kind) {
                        own.second_step = false;
                    }
                }
                None => account.authenticator = None,
            }
            keeper.rows.put(tx, &mut account)?;
            let about = Change {
                address: address.as_ref(),
                also: None,
            };
            keeper.changed(tx, now, &caller, &account, "mfa_off", &about)?;
            Ok(Ok(()))
        })
        .await
    }

    #[expect(clippy::too_many_arguments, reason = "one private step")]
    fn prove_switch_off(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        who: &SignedIn,
        account: &Account,
        kind: WayKind,
        text: &SecretText,
    ) -> TxResult<Result<(), Refusal>> {
        let way = account.switchable(now, kind)?;
        let slot = self.own_slot(Operation::SwitchOff, who, &[]);
        let judged = self.prove_own(
            tx,
            now,
            caller,
            who,
            Operation::SwitchOff,
            slot,
            Some(&way),
            text,
        )?;
        Ok(judged.map(|_| ()))
    }

    fn prove_with_authenticator(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        account: &mut Stored<Account>,
        text: &SecretText,
    ) -> TxResult<Result<(), Refusal>> {
        account.unrestricted(now)?;
        if !account.is_on(Factor::Authenticator) {
            return Ok(Err(Refusal::Unmet(Condition::FactorOn)));
        }
        let drawn = self.class(Class::SignedIn, account.id());
        self.judge_authenticator(tx, now, caller, account, text, drawn, Then::Forget)
    }
}
