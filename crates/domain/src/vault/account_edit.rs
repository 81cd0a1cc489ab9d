//! Changes of an account's JSON object, a new password among them.

use std::sync::Arc;

use super::Vaults;
use super::account::{VaultAccount, VaultLogin};
use super::document::Document;
use super::login::Handshake;
use super::profile::{Credential, DOCUMENT_BYTES, Names, Profile};
use super::session::VaultMember;
use super::web_pass::WebPass;
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::record::Record as _;
use crate::core::verdict::Verdict;
use crate::trail::audit::Event;

/// How an account's object is changed.
#[derive(Debug, Clone)]
pub enum Edit {
    /// The new object replaces the stored one.
    Replace(Document),
    /// The members of this object are merged into the stored one.
    Merge(Document),
}

/// What an edit results in.
#[derive(Debug)]
struct Edited {
    profile: Profile,
    password: Password,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Password {
    Kept,
    /// Another salt or verifier.
    Changed,
}

/// The stored object with `edit` applied, if the result follows the rules.
fn decide(
    stored: &Document,
    credential: &Credential,
    edit: Edit,
    names: &Names,
) -> Result<Edited, Refusal> {
    let document = apply(stored, edit, names)?;
    let profile = Profile::check(document, names)?;
    let password = if profile.credential == *credential {
        Password::Kept
    } else {
        Password::Changed
    };
    Ok(Edited { profile, password })
}

fn apply(stored: &Document, edit: Edit, names: &Names) -> Result<Document, Refusal> {
    let news = match edit {
        Edit::Replace(document) => return Ok(document),
        Edit::Merge(news) => news,
    };
    if news.members().is_none_or(<[_]>::is_empty) {
        return Err(Refusal::Invalid {
            field: names.document,
            why: "is missing",
        });
    }
    // Everything that is merged is part of the result, so this check limits the work before it is done.
    if news.text().len() > DOCUMENT_BYTES {
        return Err(Names::too_large());
    }
    let mut document = stored.clone();
    document.merge(news);
    Ok(document)
}

/// Begins a new generation of the account with another credential: sessions of older ones end.
fn renew(account: &mut VaultAccount, login: &mut VaultLogin, credential: Credential) {
    account.generation += 1;
    login.generation = account.generation;
    login.credential = credential;
}

impl Vaults {
    /// Changes the client's object of an account. A new credential ends all sessions, the caller's own too.
    ///
    /// # Errors
    /// `Expired` or `Replayed` if the session ended; otherwise as [`Profile::check`].
    pub async fn edit_account(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        edit: Edit,
        names: &'static Names,
    ) -> Result<(), Error> {
        let now = self.now();
        let edited = self.write(move |hub, tx| {
            let mut account = match hub.hold_account(tx, &member)? {
                Ok(account) => account,
                Err(refusal) => return Ok(refusal.into()),
            };
            let login_id = hub.login_of(&account.login_name()?);
            let Some(mut login) = hub.rows.get(tx, login_id)? else {
                return Err(Error::bug("an account has no login").into());
            };
            let edited = match decide(&account.document, &login.credential, edit.clone(), names) {
                Ok(edited) => edited,
                Err(refusal) => return Ok(refusal.into()),
            };
            account.document = edited.profile.document;
            let action = match edited.password {
                Password::Kept => "account.edit",
                Password::Changed => {
                    renew(&mut account, &mut login, edited.profile.credential);
                    hub.rows.put(tx, &mut login)?;
                    tx.remove_children(Handshake::KIND, &login_id.row())?;
                    tx.remove_children(WebPass::KIND, &member.account.row())?;
                    "account.new_password"
                }
            };
            hub.rows.put(tx, &mut account)?;
            let event = Event::new(caller.surface, now, action, member.account.alias());
            hub.record(tx, event.by(&caller))?;
            Ok(Verdict::Done(()))
        });
        edited.await?.answer()
    }
}
