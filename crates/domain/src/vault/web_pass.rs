//! Web passes: a signed-in client opens the account page in a browser.
//!
//! 1. [`Vaults::issue_web_pass`] returns a token with a short life, and ends the older ones.
//! 2. [`Vaults::take_web_pass`] accepts it once, and returns what the page shows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Vaults;
use super::account::VaultAccount;
use super::entry::Entry;
use super::plan::Plan;
use super::session::{VaultMember, VaultSession};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Kind, Page, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::proof::bearer::has_form;
use crate::trail::audit::Event;

const TOKEN_DIGITS: usize = 64;

/// The record of a pass, found by the keyed hash of its token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WebPass {
    account: Id<VaultAccount>,
    generation: u64,
    expires: Timestamp,
}

impl Record for WebPass {
    const KIND: Kind = "vault_web_pass";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// What the account page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    pub name: String,
    pub language: String,
    pub plan: Plan,
    pub entries: u64,
    pub slots: usize,
    /// The account's public key in short, for comparing by eye.
    pub fingerprint: String,
    pub sessions: usize,
}

impl WebPass {
    /// Whether the pass opens the page of `account`: in time, and with the same password as when it was issued.
    fn opens(&self, account: &VaultAccount, now: Timestamp) -> bool {
        now < self.expires && self.generation == account.generation
    }
}

/// The first half of the key's SHA-256, in groups of four digits that two people can compare.
pub(super) fn fingerprint(key: &str) -> String {
    let digits = hex::encode(&crypto::mac::sha256(key.as_bytes())[..16]);
    let groups = (0..digits.len()).step_by(4);
    let groups: Vec<&str> = groups.map(|at| &digits[at..at + 4]).collect();
    groups.join(" ")
}

impl Vaults {
    /// Step 1.
    ///
    /// # Errors
    /// `Expired` or `Replayed` if the session ended.
    pub async fn issue_web_pass(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
    ) -> Result<String, Error> {
        let now = self.now();
        let issued = self.write(move |hub, tx| {
            let account = match hub.hold_account(tx, &member)? {
                Ok(account) => account,
                Err(refusal) => return Ok(refusal.into()),
            };
            tx.remove_children(WebPass::KIND, &account.id())?;
            let token = hub.fresh_bearer::<32>();
            let expires = now.plus(hub.policy.web_pass_life);
            let place = Place::at(hub.bearer::<WebPass>(&token));
            let place = place.of(account.id()).due(expires);
            let pass = WebPass {
                account: account.key(),
                generation: account.generation,
                expires,
            };
            hub.rows.create(tx, account.scope(), place, pass)?;
            let subject = account.id().alias();
            let event = Event::new(caller.surface, now, "account.web_pass", subject);
            hub.record(tx, event.by(&caller))?;
            Ok(Verdict::Done(token))
        });
        issued.await?.answer()
    }

    /// Step 2. The pass is used up, even if it is refused.
    ///
    /// # Errors
    /// `UnknownSubject` if the token is unknown, used or too old, or the password was changed.
    pub async fn take_web_pass(
        self: &Arc<Self>,
        caller: Caller,
        token: String,
    ) -> Result<Overview, Error> {
        if !has_form(&token, TOKEN_DIGITS) {
            return Err(Refusal::UnknownSubject.into());
        }
        let now = self.now();
        let id = self.bearer::<WebPass>(&token);
        let entered = self.write(move |hub, tx| {
            let Some(pass) = hub.rows.take(tx, id)? else {
                return Ok(Refusal::UnknownSubject.into());
            };
            let account = hub.rows.peek(tx, pass.account)?;
            let Some(account) = account.filter(|account| pass.opens(account, now)) else {
                return Ok(Refusal::UnknownSubject.into());
            };
            let subject = account.id().alias();
            let event = Event::new(caller.surface, now, "account.web_login", subject);
            hub.record(tx, event.by(&caller))?;
            hub.overview(tx, now, &account).map(Verdict::Done)
        });
        entered.await?.answer()
    }

    fn overview(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        account: &Stored<VaultAccount>,
    ) -> TxResult<Overview> {
        let id = account.id();
        let entries = self.rows.children::<Entry>(tx, &id, Page::ALL)?;
        let sessions = self.rows.children::<VaultSession>(tx, &id, Page::ALL)?;
        let live = sessions.iter().filter(|one| one.counts_for(account, now));
        Ok(Overview {
            name: account.name.clone(),
            language: account.language.clone(),
            plan: self.policy.plans.named(account.plan.as_deref()),
            entries: entries.len() as u64,
            slots: entries.iter().map(|entry| entry.slots.len()).sum(),
            fingerprint: fingerprint(&account.public_key()),
            sessions: live.count(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::{NOW, account, account_id};
    use super::*;
    use crate::core::time::hours;

    #[test]
    fn a_pass_opens_the_page_in_time_and_with_the_same_password() {
        let end = NOW.plus(hours(1));
        let pass = WebPass {
            account: account_id(1),
            generation: 2,
            expires: end,
        };
        let before = Timestamp::from_millis(end.millis() - 1);
        let cases = [
            (2, NOW, true),
            (2, before, true),
            (2, end, false),
            (1, NOW, false),
            (3, NOW, false),
            (3, end, false),
        ];
        for (generation, now, opens) in cases {
            let account = VaultAccount {
                generation,
                ..account("ann@example.org")
            };
            assert_eq!(pass.opens(&account, now), opens, "{generation} {now:?}");
        }
    }

    #[test]
    fn a_fingerprint_is_eight_groups_of_four_digits() {
        // The beginning of SHA-256("abc"), FIPS 180-4.
        assert_eq!(
            fingerprint("abc"),
            "ba78 16bf 8f01 cfea 4141 40de 5dae 2223"
        );
        assert_ne!(fingerprint("abc"), fingerprint("abd"));
    }
}
