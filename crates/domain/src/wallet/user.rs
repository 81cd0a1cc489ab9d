//! The record of a federated user, by issuer and subject. Nothing else of a token is stored, except addresses that
//! the issuer has verified.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::{Id, NamesRow};
use crate::core::layer::Layer as _;
use crate::core::port::store::{Kind, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::{Timestamp, days};
use crate::limit::rate::{Rate, RateLog};
use crate::proof::federated::{FederatedUser, TokenNeed};
use crate::trail::audit::Event;
use crate::wallet::Wallets;
use crate::wallet::step_up::Enrolment;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WalletUser {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) created: Timestamp,
    /// E-mail addresses that the issuer says it has verified.
    #[serde(default)]
    pub(crate) addresses: Vec<SeenAddress>,
}

/// An e-mail address that a token carried, and when one did last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenAddress {
    pub(crate) email: String,
    pub(crate) seen: Timestamp,
}

/// Addresses of one user. When there are so many, further ones wait until an old one is forgotten: nobody can push
/// the owner's address out.
const ADDRESSES: usize = 8;
/// How exactly the server knows when it saw an address last: more would cost a write for every sign-in.
const SEEN_GRAIN: Duration = days(1);

impl WalletUser {
    fn new(now: Timestamp, (issuer, subject): (&str, &str)) -> Self {
        Self {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            created: now,
            addresses: Vec::new(),
        }
    }

    /// Notes the address that a token carried, if it carried one. Returns whether anything changed.
    fn note_address(&mut self, now: Timestamp, email: Option<&str>, memory: Duration) -> bool {
        let Some(email) = email else { return false };
        if let Some(known) = self.addresses.iter_mut().find(|known| known.email == email) {
            let old = known.seen.plus(SEEN_GRAIN) <= now;
            if old {
                known.seen = now;
            }
            return old;
        }
        self.addresses.retain(|known| known.is_fresh(now, memory));
        let room = self.addresses.len() < ADDRESSES;
        if room {
            let email = email.to_owned();
            self.addresses.push(SeenAddress { email, seen: now });
        }
        room
    }

    /// The addresses that notices go to.
    pub(super) fn fresh_addresses(
        &self,
        now: Timestamp,
        memory: Duration,
    ) -> impl Iterator<Item = &str> {
        let fresh = move |address: &&SeenAddress| address.is_fresh(now, memory);
        let addresses = self.addresses.iter().filter(fresh);
        addresses.map(|address| address.email.as_str())
    }
}

impl SeenAddress {
    /// Whether a token carried this address a short while ago.
    fn is_fresh(&self, now: Timestamp, memory: Duration) -> bool {
        now < self.seen.plus(memory)
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
    /// Checks a token of a trusted issuer. `BadProof`: it is wrong; `Expired`: it was right; `Forbidden`: it lacks the
    /// scope. `Unavailable`: the issuer's keys cannot be fetched.
    pub async fn bearer(&self, text: &str, need: TokenNeed) -> Result<FederatedUser, Error> {
        self.judge_federated(text, need).await
    }

    /// Creates the record of the token's user, unless there is one. Of parallel first calls exactly one creates it.
    /// Apps call this after every sign-in, so here the server also notes the address that the token carries.
    pub async fn register_user(
        self: &Arc<Self>,
        caller: Caller,
        bearer: FederatedUser,
    ) -> Result<Newness, Error> {
        let now = self.now();
        let row = self.wallet_user(&bearer);
        let memory = self.policy.address_memory;
        let found = self.rows.read(self.store.as_ref(), row).await?;
        if let Some(mut found) = found
            && !found.note_address(now, bearer.email(), memory)
        {
            return Ok(Newness::Known);
        }
        self.write(move |hub, tx| {
            if let Some(mut known) = hub.rows.get(tx, row)? {
                if known.note_address(now, bearer.email(), memory) {
                    hub.rows.put(tx, &mut known)?;
                }
                return Ok(Newness::Known);
            }
            let place = Place::at(row)
                .of(hub.tenant().0)
                .ranked(hub.sending.rank(now));
            let mut user = WalletUser::new(now, (bearer.issuer(), bearer.subject()));
            user.note_address(now, bearer.email(), memory);
            hub.rows.create(tx, hub.tenant(), place, user)?;
            let event = Self::wallet_event(&caller, now, "user.register", row);
            hub.record(tx, event.fact("issuer", bearer.issuer()))?;
            Ok(Newness::New)
        })
        .await
    }

    pub(super) fn wallet_user(&self, bearer: &FederatedUser) -> Id<WalletUser> {
        self.wallet_user_of(bearer.issuer(), bearer.subject())
    }

    pub(super) fn wallet_user_of(&self, issuer: &str, subject: &str) -> Id<WalletUser> {
        self.rows.named(&[issuer.as_bytes(), subject.as_bytes()])
    }

    /// The user's record, held until the transaction ends. Always the first row that a transaction takes, so that two
    /// calls of one user wait for each other and never for a third row.
    pub(super) fn hold_user(
        &self,
        tx: &mut dyn Tx,
        user: impl NamesRow<WalletUser>,
    ) -> TxResult<Option<Stored<WalletUser>>> {
        self.rows.get(tx, user)
    }

    /// The user's record outside any transaction, or `UnknownSubject`.
    pub(super) async fn known_user(
        &self,
        user: impl NamesRow<WalletUser>,
    ) -> Result<Stored<WalletUser>, Error> {
        let found = self.rows.read(self.store.as_ref(), user).await?;
        found.ok_or_else(|| Refusal::UnknownSubject.into())
    }

    /// Counts one call of the user against the rate of that name, or refuses and counts nothing.
    pub(super) fn spend_call(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        (user, name): (impl Into<RowId>, &str),
        rate: Rate,
    ) -> TxResult<Result<(), Refusal>> {
        let user: RowId = user.into();
        let row = self.rows.named::<RateLog>(&[name.as_bytes(), &user.0]);
        self.spend_rates(tx, now, &[(row.row(), &[rate])])
    }

    /// Whether the user has enrolled a face or a passkey for step-ups.
    pub(super) fn can_step_up(&self, tx: &mut dyn Tx, user: Id<WalletUser>) -> TxResult<bool> {
        let row = self.enrolment_row(user);
        let found = self.rows.peek::<Enrolment>(tx, row)?;
        Ok(found.is_some_and(|found| found.active_since().is_some()))
    }

    pub(super) fn wallet_event(
        caller: &Caller,
        now: Timestamp,
        action: &str,
        user: impl Into<RowId>,
    ) -> Event {
        let user: RowId = user.into();
        Event::new(caller.surface, now, action, user.alias()).by(caller)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

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
            addresses: (0..addresses).map(address).collect(),
            ..WalletUser::new(at(0), ("i", "s"))
        }
    }

    fn fresh(user: &WalletUser, now: Timestamp) -> Vec<&str> {
        user.fresh_addresses(now, MEMORY).collect()
    }

    #[test]
    fn no_flood_of_addresses_pushes_the_owners_out() {
        let mut user = user(ADDRESSES);
        assert!(!user.note_address(at(89), Some("evil@example.com"), MEMORY));
        assert_eq!(user.addresses[0].email, "0@example.com");
        assert!(user.note_address(at(90), Some("new@example.com"), MEMORY));
        assert_eq!(
            user.addresses.len(),
            1,
            "what was not seen for so long is forgotten"
        );
    }

    #[test]
    fn an_address_in_use_is_written_once_a_day() {
        let mut user = user(1);
        assert!(!user.note_address(at(0), Some("0@example.com"), MEMORY));
        assert!(user.note_address(at(1), Some("0@example.com"), MEMORY));
        assert_eq!(user.addresses[0].seen, at(1));
    }

    #[test]
    fn a_token_without_an_address_changes_nothing() {
        let mut user = user(1);
        assert!(!user.note_address(at(200), None, MEMORY));
        assert_eq!(user.addresses.len(), 1);
    }

    #[test]
    fn an_address_gets_notices_until_it_was_not_seen_for_so_long() {
        let mut user = user(2);
        user.addresses[1].seen = at(10);
        assert_eq!(fresh(&user, at(89)), ["0@example.com", "1@example.com"]);
        assert_eq!(fresh(&user, at(90)), ["1@example.com"]);
        assert!(fresh(&user, at(100)).is_empty());
    }

    #[test]
    fn a_new_user_has_no_address_and_takes_the_first_that_comes() {
        let mut user = WalletUser::new(at(0), ("i", "s"));
        assert!(fresh(&user, at(0)).is_empty());
        assert!(user.note_address(at(0), Some("a@example.com"), MEMORY));
        assert_eq!(fresh(&user, at(0)), ["a@example.com"]);
        assert_eq!((user.issuer.as_str(), user.subject.as_str()), ("i", "s"));
    }

    #[test]
    fn a_user_of_a_release_before_addresses_is_read_as_one_without_any() {
        let stored = serde_json::json!({"issuer": "i", "subject": "s", "created": at(0)});
        let user: WalletUser = serde_json::from_value(stored).unwrap();
        assert_eq!(user, WalletUser::new(at(0), ("i", "s")));
    }

    proptest! {
        /// Whatever tokens bring: never more than eight addresses, none twice, and none that is in use is pushed out.
        #[test]
        fn no_series_of_tokens_pushes_out_an_address_in_use(tokens in vec((0_u8..20, 0_i64..3), 1..120)) {
            let mut user = user(0);
            let mut day = 0;
            prop_assert!(user.note_address(at(day), Some("own@example.com"), MEMORY));
            for (number, days_on) in tokens {
                day += days_on;
                user.note_address(at(day), Some("own@example.com"), MEMORY);
                let other = format!("{number}@example.com");
                user.note_address(at(day), Some(&other), MEMORY);
                let mut known: Vec<&str> = user.addresses.iter().map(|known| known.email.as_str()).collect();
                prop_assert!(known.len() <= ADDRESSES);
                prop_assert!(fresh(&user, at(day)).contains(&"own@example.com"));
                let before = known.len();
                known.sort_unstable();
                known.dedup();
                prop_assert_eq!(known.len(), before);
            }
        }
    }
}
