//! What operators may do: look, switch a device off, remove an enrolment, erase a user. Each leaves its
//! trace in the audit trail.

use std::sync::Arc;

use serde::Serialize;

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::liveness::{Check, Purpose, Question};
use crate::core::port::random::uuid;
use crate::core::port::store::{Order, Page, RowId, Tx, TxResult};
use crate::core::record::Record;
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::proof::operator::{Operator, Right};
use crate::wallet::Wallets;
use crate::wallet::decision::DECISIONS;
use crate::wallet::device::{CHALLENGES, WalletDevice};
use crate::wallet::key::{SETUPS, WalletKey};
use crate::wallet::share::SHARES;
use crate::wallet::step_up::{Attempts, Enrolment};
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

/// What was removed with a user.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ErasedUser {
    pub devices: u64,
    pub keys: u64,
    pub shares: u64,
    pub decisions: u64,
}

impl Wallets {
    /// Users, newest first, behind the one named.
    pub async fn wallet_users(
        self: &Arc<Self>,
        operator: &Operator,
        after: Option<(String, String)>,
        limit: usize,
    ) -> Result<Vec<WalletUserState>, Error> {
        operator.may(Right::Read)?;
        self.read(move |hub, tx| {
            let after = match &after {
                None => None,
                Some((issuer, subject)) => {
                    let row = hub.wallet_user_of(issuer, subject);
                    let last = hub.hold_user(tx, row)?;
                    Some((last.place.rank, row))
                }
            };
            let page = Page {
                order: Order::Descending,
                after,
                limit,
            };
            let users = hub.rows.children::<WalletUser>(tx, &hub.tenant().0, page)?;
            users
                .iter()
                .map(|user| hub.wallet_user_state(tx, user))
                .collect()
        })
        .await
    }

    fn wallet_user_state(
        &self,
        tx: &mut dyn Tx,
        user: &Stored<WalletUser>,
    ) -> TxResult<WalletUserState> {
        let row = self.enrolment_row(user.id());
        let enrolment = self.rows.peek::<Enrolment>(tx, &row)?;
        let since = enrolment.and_then(|found| found.active_since());
        Ok(WalletUserState {
            issuer: user.issuer.clone(),
            subject: user.subject.clone(),
            alias: user.id().alias(),
            registered: user.created.rfc3339(),
            devices: tx.count_children(WalletDevice::KIND, &user.id())?,
            keys: tx.count_children(WalletKey::KIND, &user.id())?,
            enrolled_since: since.map(Timestamp::rfc3339),
        })
    }

    /// A user's devices and keys.
    pub async fn wallet_belongings(
        self: &Arc<Self>,
        operator: &Operator,
        issuer: &str,
        subject: &str,
    ) -> Result<(Vec<DeviceState>, Vec<WalletKeyState>), Error> {
        operator.may(Right::Read)?;
        let user = self.wallet_user_of(issuer, subject);
        self.known_user(user).await?;
        self.read(move |hub, tx| Ok((hub.devices_in(tx, user)?, hub.wallet_keys_in(tx, user)?)))
            .await
    }

    /// Switches a device off. Registering it again takes what a new device takes.
    pub async fn deactivate_device(
        self: &Arc<Self>,
        operator: &Operator,
        caller: Caller,
        device: DeviceId,
    ) -> Result<(), Error> {
        operator.may(Right::Support)?;
        let operator = operator.name().to_owned();
        let now = self.now();
        let row = self.device_row(&device);
        let found = self
            .rows
            .read::<WalletDevice>(self.store.as_ref(), row)
            .await?;
        let user = RowId(found.ok_or(Refusal::UnknownSubject)?.user);
        self.write(move |hub, tx| {
            hub.hold_user(tx, user)?;
            let Some(mut device) = hub.rows.get::<WalletDevice>(tx, &row)? else {
                return Err(Refusal::UnknownSubject.into());
            };
            if device.deactivated.is_some() {
                return Err(Refusal::Conflict.into());
            }
            device.deactivated = Some(now);
            hub.rows.put(tx, &mut device)?;
            let event = Self::wallet_event(&caller, now, "device.deactivate", user)
                .fact("device", row.alias())
                .fact("by", "operator")
                .fact("operator", operator.clone());
            hub.record(tx, event)?;
            hub.tell_holder(tx, now, &caller, user, "device_removed")
        })
        .await?;
        self.posted(now).await;
        Ok(())
    }

    /// Forgets who was enrolled, here and, as far as it can, at the verifier. The next enrolment is the
    /// owner's again, or whoever's has the token: only an operator decides that.
    pub async fn remove_enrolment(
        self: &Arc<Self>,
        operator: &Operator,
        caller: Caller,
        issuer: &str,
        subject: &str,
    ) -> Result<(), Error> {
        operator.may(Right::Support)?;
        let operator = operator.name().to_owned();
        let now = self.now();
        let user = self.wallet_user_of(issuer, subject);
        let enrolment = self
            .write(move |hub, tx| {
                hub.hold_user(tx, user)?;
                let Some(enrolment) = hub.forget_enrolment(tx, user)? else {
                    return Err(Refusal::UnknownSubject.into());
                };
                let event = Self::wallet_event(&caller, now, "person.remove", user)
                    .fact("by", "operator")
                    .fact("operator", operator.clone());
                hub.record(tx, event)?;
                hub.tell_holder(tx, now, &caller, user, "person_removed")?;
                Ok(enrolment.value)
            })
            .await?;
        self.posted(now).await;
        self.forget_person(enrolment).await;
        Ok(())
    }

    /// Erases a user with devices, enrolment, keys, shares and decisions. The audit trail keeps its hashes.
    pub async fn erase_user(
        self: &Arc<Self>,
        operator: &Operator,
        caller: Caller,
        issuer: &str,
        subject: &str,
    ) -> Result<ErasedUser, Error> {
        operator.may(Right::Manage)?;
        let operator = operator.name().to_owned();
        let now = self.now();
        let user = self.wallet_user_of(issuer, subject);
        let (erased, enrolment) = self
            .write(move |hub, tx| {
                hub.hold_user(tx, user)?;
                let mut shares = 0;
                for key in tx.children(WalletKey::KIND, &user, Page::ALL)? {
                    shares += tx.remove_children(SHARES, &key.id)?;
                }
                for device in tx.children(WalletDevice::KIND, &user, Page::ALL)? {
                    tx.remove_children(SETUPS, &device.id)?;
                }
                let erased = ErasedUser {
                    devices: tx.remove_children(WalletDevice::KIND, &user)?,
                    keys: tx.remove_children(WalletKey::KIND, &user)?,
                    shares,
                    decisions: tx.remove_children(DECISIONS, &user)?,
                };
                tx.remove_children(CHALLENGES, &user)?;
                tx.remove_children(Attempts::KIND, &user)?;
                let enrolment = hub.forget_enrolment(tx, user)?;
                hub.rows.remove::<WalletUser>(tx, &user)?;
                let event = Self::wallet_event(&caller, now, "user.erase", user)
                    .fact("by", "operator")
                    .fact("operator", operator.clone());
                hub.record(tx, event)?;
                Ok((erased, enrolment.map(|found| found.value)))
            })
            .await?;
        if let Some(enrolment) = enrolment {
            self.forget_person(enrolment).await;
        }
        Ok(erased)
    }

    async fn forget_person(&self, enrolment: Enrolment) {
        let question = Question {
            check: Check::Enrol,
            purpose: Purpose::Operator,
            id: uuid(self.random.as_ref()).to_string(),
            reference: enrolment.reference,
        };
        if self.liveness.kind() != Some(enrolment.verifier.as_str()) {
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
