//! Decisions about the use of keys: a signing server asks, and every answer about a known device is kept
//! for its user to read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::layer::Layer as _;
use crate::core::port::random::uuid;
use crate::core::port::store::Kind;
use crate::core::port::store::{Order, Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::proof::federated::FederatedUser;
use crate::wallet::Wallets;
use crate::wallet::key::WalletKey;
use crate::wallet::{DeviceId, SigningAnswer, WalletKeyId};

/// Longest JSON text of what comes along with a request that is kept.
pub const SETUP_LIMIT: usize = 16 * 1024;
/// Rows looked at at once while filtering.
const STRIDE: usize = 256;

/// What a signing server wants to do.
#[derive(Debug, Clone)]
pub struct KeyUse {
    pub device: DeviceId,
    /// All of them must be the device's user's. None at all is not enough.
    pub keys: Vec<WalletKeyId>,
    /// 64 lower-case hex digits.
    pub instance: String,
    /// What came along, an object; `None` when it was too long to keep.
    pub setup: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyUseStatus {
    Approved,
    Rejected,
}

/// The record of one decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeyUseRecord {
    keys: Vec<String>,
    device: String,
    instance: String,
    status: KeyUseStatus,
    setup: Option<Value>,
    at: Timestamp,
}

impl Record for KeyUseRecord {
    const KIND: Kind = "wallet_decision";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// A decision as its user sees it.
#[derive(Debug, Clone)]
pub struct KeyUseDecision {
    pub id: String,
    pub key: String,
    pub device: String,
    pub instance: String,
    pub status: KeyUseStatus,
    pub setup: Option<Value>,
    pub at: Timestamp,
}

/// Which decisions.
#[derive(Debug, Clone)]
pub struct KeyUseQuery {
    pub limit: usize,
    /// Where the page before ended.
    pub after: Option<(i64, [u8; 16])>,
    pub key: Option<WalletKeyId>,
}

/// Some decisions, newest first, and where they end if there are more.
#[derive(Debug)]
pub struct KeyUsePage {
    pub decisions: Vec<KeyUseDecision>,
    pub next: Option<(i64, [u8; 16])>,
}

impl Wallets {
    /// Whether the device's user may use these keys. Keeps the decision unless the device is unknown.
    pub async fn allow_use(
        self: &Arc<Self>,
        caller: Caller,
        wanted: KeyUse,
    ) -> Result<SigningAnswer, Error> {
        let now = self.now();
        let row = self.device_row(&wanted.device);
        self.write(move |hub, tx| hub.allow_use_in(tx, now, &caller, row, &wanted))
            .await
    }

    fn allow_use_in(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        row: RowId,
        wanted: &KeyUse,
    ) -> TxResult<SigningAnswer> {
        let Some(device) = self.peek_device(tx, row)? else {
            return Ok(SigningAnswer::Reject);
        };
        let mut allowed = device.deactivated.is_none() && !wanted.keys.is_empty();
        let keys: Vec<WalletKeyId> = wanted.keys.iter().map(WalletKeyId::normal).collect();
        for key in &keys {
            let found = self.rows.peek::<WalletKey>(tx, &self.wallet_key_row(key))?;
            allowed &= found.is_some_and(|found| found.user == device.user);
        }
        let (status, answer) = if allowed {
            (KeyUseStatus::Approved, SigningAnswer::Allow)
        } else {
            (KeyUseStatus::Rejected, SigningAnswer::Reject)
        };
        let decided = KeyUseRecord {
            keys: keys.iter().map(|key| key.as_str().to_owned()).collect(),
            device: device.key.clone(),
            instance: wanted.instance.clone(),
            status,
            setup: wanted.setup.clone(),
            at: now,
        };
        let place = Place::at(RowId(uuid(self.random.as_ref()).into_bytes()))
            .of(RowId(device.user))
            .ranked(self.sending.rank(now))
            .due(now.plus(self.policy.decisions));
        self.rows.create(tx, self.tenant(), place, decided)?;
        let word = if allowed { "done" } else { "refused" };
        let event = Self::use_event(caller, now, "key.use", &device);
        self.record(tx, event.outcome(word))?;
        Ok(answer)
    }

    /// The user's decisions, newest first, page by page.
    pub async fn decisions(
        self: &Arc<Self>,
        bearer: &FederatedUser,
        query: KeyUseQuery,
    ) -> Result<KeyUsePage, Error> {
        let user = self.wallet_user(bearer);
        self.known_user(user).await?;
        let now = self.now();
        self.read(move |hub, tx| hub.decisions_in(tx, now, user, &query))
            .await
    }

    fn decisions_in(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        user: RowId,
        query: &KeyUseQuery,
    ) -> TxResult<KeyUsePage> {
        let key = query
            .key
            .as_ref()
            .map(|key| key.normal().as_str().to_owned());
        let mut after = query.after.map(|(rank, id)| (rank, RowId(id)));
        let mut found: Vec<Stored<KeyUseRecord>> = Vec::new();
        loop {
            let page = Page {
                order: Order::Descending,
                after,
                limit: STRIDE,
            };
            let rows = self.rows.children::<KeyUseRecord>(tx, &user, page)?;
            let last = rows.len() < STRIDE;
            after = rows.last().map(|row| (row.place.rank, row.id()));
            let wanted = |row: &Stored<KeyUseRecord>| {
                let live = row.place.due.is_none_or(|due| now < due);
                live && key.as_ref().is_none_or(|key| row.keys.contains(key))
            };
            found.extend(rows.into_iter().filter(wanted));
            if last || found.len() > query.limit {
                break;
            }
        }
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        let end = found.last().map(|row| (row.place.rank, row.id().0));
        Ok(KeyUsePage {
            decisions: found
                .into_iter()
                .map(|row| shown(row, key.as_ref()))
                .collect(),
            next: end.filter(|_| more),
        })
    }
}

fn shown(row: Stored<KeyUseRecord>, asked: Option<&String>) -> KeyUseDecision {
    let id = uuid::Uuid::from_bytes(row.id().0).to_string();
    let decided = row.value;
    let first = decided.keys.into_iter().next().unwrap_or_default();
    KeyUseDecision {
        id,
        key: asked.cloned().unwrap_or(first),
        device: decided.device,
        instance: decided.instance,
        status: decided.status,
        setup: decided.setup,
        at: decided.at,
    }
}

/// The kind of a decision's rows, for whoever removes a user.
pub(crate) const DECISIONS: &str = KeyUseRecord::KIND;
