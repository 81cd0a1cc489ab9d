//! What operators may do with wallets: list users, see what belongs to one, switch a device off. The audit trail
//! records each change with the operator's name.

use std::sync::Arc;

use serde::Serialize;

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Order, Page, Tx, TxResult};
use crate::core::record::Record;
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::letter::Decides as _;
use crate::proof::operator::{Operator, OperatorRight};
use crate::trail::audit::Event;
use crate::wallet::Wallets;
use crate::wallet::device::WalletDevice;
use crate::wallet::key::WalletKey;
use crate::wallet::step_up::Enrolment;
use crate::wallet::user::WalletUser;
use crate::wallet::{DeviceId, DeviceState, WalletKeyState};

/// A user as operators see it.
#[derive(Debug, Clone, Serialize)]
pub struct WalletUserState {
    pub issuer: String,
    pub subject: String,
    /// How the audit trail names this user.
    pub alias: String,
    pub registered: String,
    pub devices: u64,
    pub keys: u64,
    pub enrolled_since: Option<String>,
}

/// How many rows of a kind belong to a user.
#[derive(Debug, Clone, Copy)]
struct Belongings {
    devices: u64,
    keys: u64,
}

impl WalletUserState {
    fn of(
        alias: String,
        user: &WalletUser,
        enrolment: Option<&Enrolment>,
        counted: Belongings,
    ) -> Self {
        let since = enrolment.and_then(Enrolment::active_since);
        Self {
            issuer: user.issuer.clone(),
            subject: user.subject.clone(),
            alias,
            registered: user.created.rfc3339(),
            devices: counted.devices,
            keys: counted.keys,
            enrolled_since: since.map(Timestamp::rfc3339),
        }
    }
}

impl Wallets {
    /// Users, newest first, after the one named. `UnknownSubject`: that one is not registered.
    pub async fn wallet_users(
        self: &Arc<Self>,
        operator: &Operator,
        after: Option<(String, String)>,
        limit: usize,
    ) -> Result<Vec<WalletUserState>, Error> {
        operator.may(OperatorRight::Read)?;
        self.find(move |hub, tx| {
            let mut page = Page {
                order: Order::Descending,
                after: None,
                limit,
            };
            if let Some((issuer, subject)) = &after {
                let row = hub.wallet_user_of(issuer, subject);
                let Some(last) = hub.hold_user(tx, row)? else {
                    return Ok(Refusal::UnknownSubject.into());
                };
                page.after = Some((last.place.rank, row.row()));
            }
            let users = hub.rows.children::<WalletUser>(tx, &hub.tenant().0, page)?;
            let states: TxResult<Vec<WalletUserState>> = users
                .iter()
                .map(|user| hub.wallet_user_state(tx, user))
                .collect();
            Ok(Verdict::Done(states?))
        })
        .await
    }

    fn wallet_user_state(
        &self,
        tx: &mut dyn Tx,
        user: &Stored<WalletUser>,
    ) -> TxResult<WalletUserState> {
        let row = self.enrolment_row(user.key());
        let enrolment = self.rows.peek::<Enrolment>(tx, row)?;
        let counted = Belongings {
            devices: tx.count_children(WalletDevice::KIND, &user.id())?,
            keys: tx.count_children(WalletKey::KIND, &user.id())?,
        };
        let alias = user.id().alias();
        Ok(WalletUserState::of(
            alias,
            user,
            enrolment.as_deref(),
            counted,
        ))
    }

    /// A user's devices and keys. `UnknownSubject`: the user is not registered.
    pub async fn wallet_belongings(
        self: &Arc<Self>,
        operator: &Operator,
        issuer: &str,
        subject: &str,
    ) -> Result<(Vec<DeviceState>, Vec<WalletKeyState>), Error> {
        operator.may(OperatorRight::Read)?;
        let user = self.wallet_user_of(issuer, subject);
        self.known_user(user).await?;
        self.read(move |hub, tx| Ok((hub.devices_in(tx, user)?, hub.wallet_keys_in(tx, user)?)))
            .await
    }

    /// Switches a device off, and tells its owner. Registering it again takes what a new device takes.
    ///
    /// `UnknownSubject`: no such device. `Conflict`: it is switched off already.
    pub async fn deactivate_device(
        self: &Arc<Self>,
        operator: &Operator,
        caller: Caller,
        device: DeviceId,
    ) -> Result<(), Error> {
        operator.may(OperatorRight::Support)?;
        let operator = operator.name().to_owned();
        let now = self.now();
        let row = self.device_row(&device);
        let found = self.rows.read(self.store.as_ref(), row).await?;
        let user = found.ok_or(Refusal::UnknownSubject)?.value.user;
        self.decide(now, move |hub, tx| {
            if hub.hold_user(tx, user)?.is_none() {
                return Ok(Refusal::UnknownSubject.into());
            }
            let Some(mut device) = hub.rows.get(tx, row)? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            if !device.deactivate(now) {
                return Ok(Refusal::Conflict.into());
            }
            hub.rows.put(tx, &mut device)?;
            let event = Self::operator_event(&caller, now, "device.deactivate", user, &operator);
            hub.record(tx, event.fact("device", row.alias()))?;
            hub.tell_holder(tx, now, &caller, user, "device_removed")?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// The event of something that an operator did to a user.
    pub(super) fn operator_event(
        caller: &Caller,
        now: Timestamp,
        action: &str,
        user: Id<WalletUser>,
        operator: &str,
    ) -> Event {
        Self::wallet_event(caller, now, action, user)
            .fact("by", "operator")
            .fact("operator", operator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::device::tests::at;
    use crate::wallet::step_up::State;

    fn state(enrolment: Option<State>) -> WalletUserState {
        let user = WalletUser {
            issuer: "https://idp.example".to_owned(),
            subject: "anna".to_owned(),
            created: at(0),
            addresses: Vec::new(),
        };
        let enrolment = enrolment.map(|state| Enrolment {
            reference: "1".to_owned(),
            verifier: "verifier".to_owned(),
            state,
        });
        let counted = Belongings {
            devices: 2,
            keys: 3,
        };
        WalletUserState::of("alias".to_owned(), &user, enrolment.as_ref(), counted)
    }

    #[test]
    fn an_operator_sees_who_a_user_is_and_how_much_belongs_to_it() {
        let state = state(None);
        assert_eq!(
            (state.issuer.as_str(), state.subject.as_str()),
            ("https://idp.example", "anna")
        );
        assert_eq!((state.devices, state.keys), (2, 3));
        assert_eq!(state.registered, at(0).rfc3339());
    }

    #[test]
    fn a_user_is_enrolled_only_after_the_verifier_has_said_yes() {
        assert_eq!(state(None).enrolled_since, None);
        let pending = State::Pending { started: at(1) };
        assert_eq!(state(Some(pending)).enrolled_since, None);
        let active = State::Active { since: at(2) };
        assert_eq!(state(Some(active)).enrolled_since, Some(at(2).rfc3339()));
    }
}
