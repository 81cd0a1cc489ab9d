//! Web passes: a signed-in client hands its person over to a page in a browser.
//!
//! 1. [`Vaults::issue_web_pass`] gives a token that lives briefly and voids older ones.
//! 2. [`Vaults::take_web_pass`] takes it, once, and tells what the page shows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::VaultAccount;
use super::entry::Entry;
use super::plan::Plan;
use super::session::{VaultMember, VaultSession};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::port::store::{Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::proof::bearer::has_form;
use crate::trail::audit::Event;
use crate::vault::Vaults;

const TOKEN_DIGITS: usize = 64;

/// The record of a pass.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WebPass {
    account: [u8; 16],
    generation: u64,
    expires: Timestamp,
}

impl Record for WebPass {
    const KIND: Kind = "vault_web_pass";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// What the page behind a pass shows.
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

impl Vaults {
    /// Step 1.
    pub async fn issue_web_pass(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
    ) -> Result<String, Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let account = hub.hold_account(tx, &member)?;
            tx.remove_children(WebPass::KIND, &member.account)?;
            let token = hub.fresh_bearer::<32>();
            let expires = now.plus(hub.policy.web_pass_life);
            let place = Place::at(hub.bearer_row(WebPass::KIND, &token))
                .of(member.account)
                .due(expires);
            let pass = WebPass {
                account: member.account.0,
                generation: account.generation,
                expires,
            };
            hub.rows.create(tx, account.scope(), place, pass)?;
            hub.record(
                tx,
                Event::new(
                    caller.surface,
                    now,
                    "account.web_pass",
                    member.account.alias(),
                )
                .by(&caller),
            )?;
            Ok(token)
        })
        .await
    }

    /// Step 2.
    pub async fn take_web_pass(
        self: &Arc<Self>,
        caller: Caller,
        token: String,
    ) -> Result<Overview, Error> {
        if !has_form(&token, TOKEN_DIGITS) {
            return Err(Refusal::UnknownSubject.into());
        }
        let now = self.now();
        let row = self.bearer_row(WebPass::KIND, &token);
        let overview = self
            .write(move |hub, tx| {
                let Some(pass) = hub.rows.take::<WebPass>(tx, &row)? else {
                    return Ok(None);
                };
                let account = hub.rows.peek::<VaultAccount>(tx, &RowId(pass.account))?;
                let Some(account) = account
                    .filter(|account| account.generation == pass.generation && now < pass.expires)
                else {
                    return Ok(None);
                };
                let event = Event::new(
                    caller.surface,
                    now,
                    "account.web_login",
                    account.id().alias(),
                );
                hub.record(tx, event.by(&caller))?;
                hub.overview(tx, now, &account).map(Some)
            })
            .await?;
        overview.ok_or(Error::Refused(Refusal::UnknownSubject))
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
        let live = |session: &&Stored<VaultSession>| {
            now < session.expires && session.generation == account.generation
        };
        Ok(Overview {
            name: account.name.clone(),
            language: account.language.clone(),
            plan: self.policy.plans.named(account.plan.as_deref()),
            entries: entries.len() as u64,
            slots: entries.iter().map(|entry| entry.slots.len()).sum(),
            fingerprint: fingerprint(&account.public_key()),
            sessions: sessions.iter().filter(live).count(),
        })
    }
}

/// The first half of the key's SHA-256, in groups that two people can read to each other.
pub(super) fn fingerprint(key: &str) -> String {
    let digits = hex::encode(&crypto::mac::sha256(key.as_bytes())[..16]);
    let groups: Vec<&str> = (0..digits.len())
        .step_by(4)
        .map(|at| &digits[at..at + 4])
        .collect();
    groups.join(" ")
}
