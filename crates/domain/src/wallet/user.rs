//! The record of a person, by issuer and subject. Nothing else of a token is kept.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::{Timestamp, days};
use crate::limit::rate::Rate;
use crate::proof::federated::{FederatedUser, TokenNeed};
use crate::trail::audit::Event;
use crate::wallet::Wallets;
use crate::wallet::step_up::Enrolment;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WalletUser {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) created: Timestamp,
    /// Where its issuer verified that it is reached.
    #[serde(default)]
    pub(crate) addresses: Vec<SeenAddress>,
}

/// An e-mail address that a token carried, and when one did last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenAddress {
    pub(crate) email: String,
    pub(crate) seen: Timestamp,
}

/// Addresses of one user. When there are so many, further ones wait until an old one is forgotten: nobody
/// can push the owner's out.
const ADDRESSES: usize = 8;
/// How exactly it is known when an address was seen last.
const SEEN_GRAIN: Duration = days(1);

impl WalletUser {
    /// Learns where its person is reached. Whether anything changed.
    fn learn(&mut self, now: Timestamp, email: &str, memory: Duration) -> bool {
        if let Some(known) = self.addresses.iter_mut().find(|known| known.email == email) {
            let old = known.seen.plus(SEEN_GRAIN) <= now;
            if old {
                known.seen = now;
            }
            return old;
        }
        self.addresses.retain(|known| now < known.seen.plus(memory));
        let room = self.addresses.len() < ADDRESSES;
        if room {
            let email = email.to_owned();
            self.addresses.push(SeenAddress { email, seen: now });
        }
        room
    }
}

impl Record for WalletUser {
    const KIND: Kind = "wallet_user";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Limited;
}

/// Whether a call made something or found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newness {
    New,
    Known,
}

impl Wallets {
    /// Believes a token of a trusted issuer, or refuses: `BadProof`, `Expired` (right in all else), `Forbidden`
    /// (no such scope). `Unavailable`: the issuer's keys cannot be had.
    pub async fn bearer(&self, text: &str, need: TokenNeed) -> Result<FederatedUser, Error> {
        self.judge_federated(text, need).await
    }

    /// Creates the bearer's record, unless it is there. Of parallel first calls exactly one creates it. Apps
    /// call it after every sign-in, so here the server learns where the owner is reached.
    pub async fn register_user(
        self: &Arc<Self>,
        caller: Caller,
        bearer: FederatedUser,
    ) -> Result<Newness, Error> {
        let now = self.now();
        let row = self.wallet_user(&bearer);
        let memory = self.policy.address_memory;
        let found = self
            .rows
            .read::<WalletUser>(self.store.as_ref(), row)
            .await?;
        if let Some(mut found) = found {
            let news = bearer.email();
            if news.is_none_or(|email| !found.learn(now, email, memory)) {
                return Ok(Newness::Known);
            }
        }
        self.write(move |hub, tx| {
            if let Some(mut known) = hub.rows.get::<WalletUser>(tx, &row)? {
                if let Some(email) = bearer.email()
                    && known.learn(now, email, memory)
                {
                    hub.rows.put(tx, &mut known)?;
                }
                return Ok(Newness::Known);
            }
            let place = Place::at(row)
                .of(hub.tenant().0)
                .ranked(hub.sending.rank(now));
            let mut user = WalletUser {
                issuer: bearer.issuer().to_owned(),
                subject: bearer.subject().to_owned(),
                created: now,
                addresses: Vec::new(),
            };
            if let Some(email) = bearer.email() {
                user.learn(now, email, memory);
            }
            hub.rows.create(tx, hub.tenant(), place, user)?;
            let event = Self::wallet_event(&caller, now, "user.register", row);
            hub.record(tx, event.fact("issuer", bearer.issuer()))?;
            Ok(Newness::New)
        })
        .await
    }

    pub(crate) fn wallet_user(&self, bearer: &FederatedUser) -> RowId {
        self.wallet_user_of(bearer.issuer(), bearer.subject())
    }

    pub(crate) fn wallet_user_of(&self, issuer: &str, subject: &str) -> RowId {
        self.rows
            .id(WalletUser::KIND, &[issuer.as_bytes(), subject.as_bytes()])
    }

    /// The user's record, held until the transaction ends; always the first row that is taken.
    pub(crate) fn hold_user(&self, tx: &mut dyn Tx, user: RowId) -> TxResult<Stored<WalletUser>> {
        let found = self.rows.get::<WalletUser>(tx, &user)?;
        found.ok_or_else(|| Refusal::UnknownSubject.into())
    }

    /// The user's record outside any transaction.
    pub(crate) async fn known_user(&self, user: RowId) -> Result<Stored<WalletUser>, Error> {
        let found = self
            .rows
            .read::<WalletUser>(self.store.as_ref(), user)
            .await?;
        found.ok_or_else(|| Refusal::UnknownSubject.into())
    }

    /// Takes one call of the user's budget of that name.
    pub(crate) fn spend_call(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        (user, name): (RowId, &str),
        rate: Rate,
    ) -> TxResult<Result<(), Refusal>> {
        let row = self.rows.id("rate", &[name.as_bytes(), &user.0]);
        self.spend_rates(tx, now, &[(row, &[rate])])
    }

    /// Whether the owner can show itself in person.
    pub(crate) fn can_step_up(&self, tx: &mut dyn Tx, user: RowId) -> TxResult<bool> {
        let row = self.enrolment_row(user);
        let found = self.rows.peek::<Enrolment>(tx, &row)?;
        Ok(found.is_some_and(|found| found.active_since().is_some()))
    }

    pub(crate) fn wallet_event(
        caller: &Caller,
        now: Timestamp,
        action: &str,
        user: RowId,
    ) -> Event {
        Event::new(caller.surface, now, action, user.alias()).by(caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: Duration = days(90);

    fn at(days: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + days * 86_400_000)
    }

    fn user(addresses: usize) -> WalletUser {
        let address = |number| SeenAddress {
            email: format!("{number}@example.com"),
            seen: at(0),
        };
        WalletUser {
            issuer: "i".to_owned(),
            subject: "s".to_owned(),
            created: at(0),
            addresses: (0..addresses).map(address).collect(),
        }
    }

    #[test]
    fn no_flood_of_addresses_pushes_the_owners_out() {
        let mut user = user(ADDRESSES);
        assert!(!user.learn(at(89), "evil@example.com", MEMORY));
        assert_eq!(user.addresses[0].email, "0@example.com");
        assert!(user.learn(at(90), "new@example.com", MEMORY));
        assert_eq!(
            user.addresses.len(),
            1,
            "what was not seen for so long is forgotten"
        );
    }

    #[test]
    fn an_address_in_use_is_written_once_a_day() {
        let mut user = user(1);
        assert!(!user.learn(at(0), "0@example.com", MEMORY));
        assert!(user.learn(at(1), "0@example.com", MEMORY));
        assert_eq!(user.addresses[0].seen, at(1));
    }
}
