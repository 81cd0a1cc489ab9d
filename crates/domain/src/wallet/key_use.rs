//! Decisions about the use of keys: a signing server asks, and every answer about a known device is stored for its
//! user to read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::random::uuid;
use crate::core::port::store::{Kind, Order, Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::proof::federated::FederatedUser;
use crate::wallet::Wallets;
use crate::wallet::device::WalletDevice;
use crate::wallet::key_id::WalletKeyId;
use crate::wallet::user::WalletUser;
use crate::wallet::{DeviceId, SigningAnswer};

/// Longest JSON text of what comes with a request that is stored.
pub const SETUP_LIMIT: usize = 16 * 1024;
/// Rows looked at at once while filtering.
const STRIDE: usize = 256;

/// What a signing server wants to do.
#[derive(Debug, Clone)]
pub struct KeyUse {
    pub device: DeviceId,
    /// All of them must belong to the device's user. None at all is not enough.
    pub keys: Vec<WalletKeyId>,
    /// 64 lower-case hex digits.
    pub instance: String,
    /// What came with the request, an object; `None` if it was too long to store.
    pub setup: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyUseStatus {
    Approved,
    Rejected,
}

impl KeyUseStatus {
    /// `owners`: whose the wanted keys are; `None` for a key that nobody owns.
    fn decide(device: &WalletDevice, owners: &[Option<Id<WalletUser>>]) -> Self {
        let owns_all = owners.iter().all(|owner| *owner == Some(device.user));
        if device.is_active() && !owners.is_empty() && owns_all {
            Self::Approved
        } else {
            Self::Rejected
        }
    }

    fn answer(self) -> SigningAnswer {
        match self {
            Self::Approved => SigningAnswer::Allow,
            Self::Rejected => SigningAnswer::Reject,
        }
    }

    /// The word for the audit trail.
    fn outcome(self) -> &'static str {
        match self {
            Self::Approved => "done",
            Self::Rejected => "refused",
        }
    }
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

/// Which decisions a user wants to read.
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

/// Whether a decision is shown: it is not due to be removed, and is about the key that was asked for.
fn is_wanted(row: &Stored<KeyUseRecord>, now: Timestamp, key: Option<&String>) -> bool {
    let live = row.place.due.is_none_or(|due| now < due);
    live && key.is_none_or(|key| row.keys.contains(key))
}

impl KeyUsePage {
    /// The first `limit` of what was found. `next` names the last of them if more were found.
    fn of(mut found: Vec<Stored<KeyUseRecord>>, limit: usize, key: Option<&String>) -> Self {
        let more = found.len() > limit;
        found.truncate(limit);
        let end = found.last().map(|row| (row.place.rank, row.id().0));
        Self {
            decisions: found.into_iter().map(|row| shown(row, key)).collect(),
            next: end.filter(|_| more),
        }
    }
}

/// A decision about several keys is shown for the one that was asked for, or for the first.
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

impl Wallets {
    /// Whether the device's user may use these keys. Stores the decision unless the device is unknown.
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
        row: Id<WalletDevice>,
        wanted: &KeyUse,
    ) -> TxResult<SigningAnswer> {
        let Some(device) = self.peek_device(tx, row)? else {
            return Ok(SigningAnswer::Reject);
        };
        let keys: Vec<WalletKeyId> = wanted.keys.iter().map(WalletKeyId::normal).collect();
        let mut owners = Vec::with_capacity(keys.len());
        for key in &keys {
            let found = self.rows.peek(tx, self.wallet_key_row(key))?;
            owners.push(found.map(|found| found.user));
        }
        let status = KeyUseStatus::decide(&device, &owners);
        let decided = KeyUseRecord {
            keys: keys.iter().map(|key| key.as_str().to_owned()).collect(),
            device: device.key.clone(),
            instance: wanted.instance.clone(),
            status,
            setup: wanted.setup.clone(),
            at: now,
        };
        let place = Place::at(RowId(uuid(self.random.as_ref()).into_bytes()))
            .of(device.user)
            .ranked(self.sending.rank(now))
            .due(now.plus(self.policy.decisions));
        self.rows.create(tx, self.tenant(), place, decided)?;
        let event = Self::use_event(caller, now, "key.use", &device);
        self.record(tx, event.outcome(status.outcome()))?;
        Ok(status.answer())
    }

    /// The user's decisions, newest first, page by page. `UnknownSubject`: the user is not registered.
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
        user: Id<WalletUser>,
        query: &KeyUseQuery,
    ) -> TxResult<KeyUsePage> {
        let key = query
            .key
            .as_ref()
            .map(|key| key.normal().as_str().to_owned());
        let key = key.as_ref();
        let mut after = query.after.map(|(rank, id)| (rank, RowId(id)));
        let mut found: Vec<Stored<KeyUseRecord>> = Vec::new();
        loop {
            let page = Page {
                order: Order::Descending,
                after,
                limit: STRIDE,
            };
            let rows = self.rows.children::<KeyUseRecord>(tx, &user.row(), page)?;
            let last = rows.len() < STRIDE;
            after = rows.last().map(|row| (row.place.rank, row.id()));
            found.extend(rows.into_iter().filter(|row| is_wanted(row, now, key)));
            if last || found.len() > query.limit {
                break;
            }
        }
        Ok(KeyUsePage::of(found, query.limit, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rows::{Rows, Scope};
    use crate::wallet::device::tests::{at, device, user};

    fn row(number: u8, keys: &[&str]) -> Stored<KeyUseRecord> {
        let record = KeyUseRecord {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            device: "04ab".to_owned(),
            instance: "cd".to_owned(),
            status: KeyUseStatus::Approved,
            setup: None,
            at: at(i64::from(number)),
        };
        let place = Place::at(RowId([number; 16]))
            .ranked(i64::from(number))
            .due(at(100));
        Rows::blank(Scope(RowId([0; 16])), place, record)
    }

    #[test]
    fn an_active_device_may_use_keys_that_all_belong_to_its_user() {
        let owners = [Some(user(1)), Some(user(1))];
        let status = KeyUseStatus::decide(&device(1), &owners);
        assert_eq!(status, KeyUseStatus::Approved);
        assert_eq!(status.answer(), SigningAnswer::Allow);
        assert_eq!(status.outcome(), "done");
    }

    #[test]
    fn one_unknown_or_foreign_key_rejects_the_use_of_all() {
        for other in [None, Some(user(2))] {
            let status = KeyUseStatus::decide(&device(1), &[Some(user(1)), other]);
            assert_eq!(status, KeyUseStatus::Rejected);
            assert_eq!(status.answer(), SigningAnswer::Reject);
            assert_eq!(status.outcome(), "refused");
        }
    }

    #[test]
    fn the_use_of_no_key_is_rejected() {
        let status = KeyUseStatus::decide(&device(1), &[]);
        assert_eq!(status, KeyUseStatus::Rejected);
    }

    #[test]
    fn a_device_that_was_switched_off_may_use_nothing() {
        let mut device = device(1);
        device.deactivate(at(1));
        let status = KeyUseStatus::decide(&device, &[Some(user(1))]);
        assert_eq!(status, KeyUseStatus::Rejected);
    }

    #[test]
    fn a_decision_is_shown_until_it_is_due_to_be_removed() {
        assert!(is_wanted(&row(1, &["a"]), at(99), None));
        assert!(!is_wanted(&row(1, &["a"]), at(100), None));
    }

    #[test]
    fn decisions_are_found_by_each_of_their_keys() {
        let wanted = |key: &str| is_wanted(&row(1, &["a", "b"]), at(0), Some(&key.to_owned()));
        assert!(wanted("a") && wanted("b"));
        assert!(!wanted("c"));
    }

    #[test]
    fn a_page_names_its_end_only_if_more_follow() {
        let rows = || vec![row(3, &["a"]), row(2, &["a"]), row(1, &["a"])];
        let page = KeyUsePage::of(rows(), 2, None);
        assert_eq!(page.decisions.len(), 2);
        assert_eq!(page.next, Some((2, [2; 16])));
        let page = KeyUsePage::of(rows(), 3, None);
        assert_eq!((page.decisions.len(), page.next), (3, None));
        let page = KeyUsePage::of(Vec::new(), 3, None);
        assert_eq!((page.decisions.len(), page.next), (0, None));
    }

    #[test]
    fn a_decision_is_shown_for_the_key_that_was_asked_for_or_its_first() {
        assert_eq!(shown(row(1, &["a", "b"]), None).key, "a");
        let asked = "b".to_owned();
        assert_eq!(shown(row(1, &["a", "b"]), Some(&asked)).key, "b");
    }
}
