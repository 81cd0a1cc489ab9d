//! Removal of an account: everything of it, here and in the entries of others, and its data key.

use std::sync::Arc;

use super::Vaults;
use super::account::VaultAccount;
use super::entry::Entry;
use super::login::Handshake;
use super::session::{VaultMember, VaultSession};
use super::web_pass::WebPass;
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Page, Tx, TxResult};
use crate::core::record::Record as _;
use crate::core::rows::Stored;
use crate::core::verdict::Verdict;
use crate::trail::audit::Event;

impl Vaults {
    /// Removes the member's account with everything of it, and its data key.
    ///
    /// # Errors
    /// `Expired` or `Replayed` if the session ended.
    pub async fn delete_account(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
    ) -> Result<(), Error> {
        let now = self.now();
        let deleted = self.write(move |hub, tx| {
            let account = match hub.hold_account(tx, &member)? {
                Ok(account) => account,
                Err(refusal) => return Ok(refusal.into()),
            };
            hub.erase_account(tx, &account)?;
            let subject = member.account.alias();
            let event = Event::new(caller.surface, now, "account.delete", subject);
            hub.record(tx, event.by(&caller))?;
            Ok(Verdict::Done(()))
        });
        deleted.await?.answer()
    }

    pub(super) fn erase_account(
        &self,
        tx: &mut dyn Tx,
        account: &Stored<VaultAccount>,
    ) -> TxResult<()> {
        let login = self.login_of(&account.login_name()?);
        self.leave_everything(tx, account.key())?;
        for kind in [VaultSession::KIND, WebPass::KIND] {
            tx.remove_children(kind, &account.id())?;
        }
        tx.remove_children(Handshake::KIND, &login.row())?;
        self.forget_familiar(tx, login.row())?;
        self.rows.remove(tx, login)?;
        self.rows.remove(tx, account.key())?;
        self.rows.shred(tx, account.scope())
    }

    /// Removes the account's entries with everything that depends on them, and its slots in the entries of others.
    fn leave_everything(&self, tx: &mut dyn Tx, account: Id<VaultAccount>) -> TxResult<()> {
        let own = tx.children(Entry::KIND, &account.row(), Page::ALL)?;
        let mut entries = self.guest_entries(tx, account)?;
        entries.extend(own.into_iter().map(|row| Id::new(row.id)));
        // In the order of ids, as every transaction that holds several entries.
        entries.sort_unstable();
        entries.dedup();
        for id in entries {
            let Some(entry) = self.rows.get(tx, id)? else {
                continue;
            };
            if entry.place.owner == Some(account.row()) {
                self.erase_entry(tx, &entry)?;
            } else {
                self.leave_entry(tx, entry, account)?;
            }
        }
        Ok(())
    }
}
