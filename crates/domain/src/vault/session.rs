//! Sessions: a login gives one, and every later call presents its token.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Vaults;
use super::account::VaultAccount;
use super::plan::{Plan, Plans};
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::port::store::{Kind, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::limit::quota::Meter;
use crate::proof::bearer::has_form;

const TOKEN_DIGITS: usize = 64;

/// The record of a session, found by the keyed hash of its token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VaultSession {
    pub(crate) account: Id<VaultAccount>,
    pub(crate) generation: u64,
    pub(crate) expires: Timestamp,
}

impl Record for VaultSession {
    const KIND: Kind = "vault_session";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// Somebody with a live session. Only [`Vaults::enter`] makes one.
#[derive(Debug, Clone)]
pub struct VaultMember {
    pub(super) account: Id<VaultAccount>,
    pub(super) name: String,
    pub(super) generation: u64,
    pub(super) plan: Plan,
}

impl VaultMember {
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// What a presented token is worth.
#[derive(Debug, Clone)]
pub enum VaultStanding {
    Member(Box<VaultMember>),
    /// No token was presented.
    Absent,
    /// The token is unknown, malformed or has expired.
    Unknown,
    /// The token was issued before the password was changed.
    Superseded,
}

/// A call that was counted, and whoever makes it.
#[derive(Debug, Clone)]
pub struct Entrance {
    pub meter: Meter,
    pub standing: VaultStanding,
}

impl VaultSession {
    fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires
    }

    /// Whether the session acts for `account`: it is live, and the password is the same as at its login.
    pub(super) fn counts_for(&self, account: &VaultAccount, now: Timestamp) -> bool {
        self.is_live(now) && self.generation == account.generation
    }
}

/// The standing of a live session of the account `id`.
fn standing(
    session: &VaultSession,
    id: Id<VaultAccount>,
    account: VaultAccount,
    plans: &Plans,
) -> VaultStanding {
    if session.generation != account.generation {
        return VaultStanding::Superseded;
    }
    VaultStanding::Member(Box::new(VaultMember {
        account: id,
        name: account.name,
        generation: account.generation,
        plan: plans.named(account.plan.as_deref()),
    }))
}

/// The standing of a caller whose token, if any, leads to no live session.
fn without_session(token: Option<&str>) -> VaultStanding {
    match token {
        Some(_) => VaultStanding::Unknown,
        None => VaultStanding::Absent,
    }
}

impl Vaults {
    /// Looks up a token and counts the call: against the account of the token, otherwise against the network.
    pub async fn enter(
        self: &Arc<Self>,
        caller: &Caller,
        token: Option<&str>,
    ) -> Result<Entrance, Error> {
        let now = self.now();
        let Some((session, account)) = self.session_of(now, token).await? else {
            return Ok(Entrance {
                meter: self.count_network(caller, now).await?,
                standing: without_session(token),
            });
        };
        let plans = &self.policy.plans;
        let calls = plans.named(account.plan.as_deref()).calls_per_hour;
        let meter = self.spend_quota(account.id(), calls, now).await?;
        let standing = standing(&session, account.key(), account.value, plans);
        Ok(Entrance { meter, standing })
    }

    /// Counts a call that needs no token.
    pub async fn enter_openly(self: &Arc<Self>, caller: &Caller) -> Result<Meter, Error> {
        self.count_network(caller, self.now()).await
    }

    async fn count_network(
        self: &Arc<Self>,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Meter, Error> {
        let subject = self.rows.id("vault_network", &[caller.network.as_bytes()]);
        self.spend_quota(subject, self.policy.network_calls_per_hour, now)
            .await
    }

    /// The live session that a token leads to, and its account.
    async fn session_of(
        &self,
        now: Timestamp,
        token: Option<&str>,
    ) -> Result<Option<(Stored<VaultSession>, Stored<VaultAccount>)>, Error> {
        let Some(token) = token.filter(|token| has_form(token, TOKEN_DIGITS)) else {
            return Ok(None);
        };
        let store = self.store.as_ref();
        let id = self.bearer::<VaultSession>(token);
        let session = self.rows.read(store, id).await?;
        let Some(session) = session.filter(|session| session.is_live(now)) else {
            return Ok(None);
        };
        let account = self.rows.read(store, session.account).await?;
        Ok(account.map(|account| (session, account)))
    }

    /// Issues a session in the running transaction. Its token is in the answer and nowhere else.
    pub(super) fn issue_session(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        account: &Stored<VaultAccount>,
    ) -> TxResult<String> {
        let token = self.fresh_bearer::<32>();
        let expires = now.plus(self.policy.session_life);
        let place = Place::at(self.bearer::<VaultSession>(&token));
        let place = place.of(account.id()).due(expires);
        let session = VaultSession {
            account: account.key(),
            generation: account.generation,
            expires,
        };
        self.rows.create(tx, account.scope(), place, session)?;
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::{NOW, account, account_id};
    use super::*;
    use crate::core::time::hours;

    /// A session of generation 3 that lives for an hour.
    fn session() -> VaultSession {
        VaultSession {
            account: account_id(1),
            generation: 3,
            expires: NOW.plus(hours(1)),
        }
    }

    fn in_generation(generation: u64) -> VaultAccount {
        VaultAccount {
            generation,
            ..account("ann@example.org")
        }
    }

    fn plans() -> Plans {
        let mut plans = Plans::default();
        let large = Plan {
            name: "Large".to_owned(),
            ..Plan::default()
        };
        plans.by_name.insert(large.name.clone(), large);
        plans
    }

    fn member(account: VaultAccount) -> Option<VaultMember> {
        match standing(&session(), account_id(1), account, &plans()) {
            VaultStanding::Member(member) => Some(*member),
            VaultStanding::Superseded => None,
            other => panic!("a session gives {other:?}"),
        }
    }

    #[test]
    fn a_session_of_the_current_password_makes_a_member() {
        let member = member(in_generation(3)).unwrap();
        assert_eq!(member.account, account_id(1));
        assert_eq!(
            (member.name.as_str(), member.generation),
            ("ann@example.org", 3)
        );
        assert_eq!(member.plan(), &Plan::default());
    }

    #[test]
    fn a_member_has_the_plan_that_an_operator_chose() {
        let mut account = in_generation(3);
        account.plan = Some("Large".to_owned());
        assert_eq!(member(account).unwrap().plan().name, "Large");
        let mut account = in_generation(3);
        account.plan = Some("Gone".to_owned());
        assert_eq!(member(account).unwrap().plan().name, "Default");
    }

    #[test]
    fn a_session_of_another_password_is_superseded() {
        assert!(member(in_generation(4)).is_none());
        assert!(member(in_generation(2)).is_none());
    }

    #[test]
    fn a_caller_without_a_session_has_shown_a_bad_token_or_none() {
        assert!(matches!(
            without_session(Some("token")),
            VaultStanding::Unknown
        ));
        assert!(matches!(without_session(Some("")), VaultStanding::Unknown));
        assert!(matches!(without_session(None), VaultStanding::Absent));
    }

    #[test]
    fn a_session_counts_while_it_lives_and_the_password_stays() {
        let end = NOW.plus(hours(1));
        let before = Timestamp::from_millis(end.millis() - 1);
        let cases = [
            (3, NOW, true),
            (3, before, true),
            (3, end, false),
            (4, NOW, false),
            (4, end, false),
        ];
        for (generation, now, counts) in cases {
            let account = in_generation(generation);
            let counted = session().counts_for(&account, now);
            assert_eq!(counted, counts, "{generation} {now:?}");
        }
    }
}
