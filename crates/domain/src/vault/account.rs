//! Accounts: a login name, a password verifier, and one object that is the client's own.
//!
//! Everything of an account is sealed under a data key of its own, which goes when the account goes.

use std::sync::Arc;

use crypto::srp::{Salt, Verifier};
use serde::{Deserialize, Serialize};

use super::document::Document;
use super::entry::Entry;
use super::login::Handshake;
use super::session::{VaultMember, VaultSession};
use super::web_pass::WebPass;
use super::{LoginName, MessageTemplate};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::message::{Channel, Message, MessageKind};
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Scope, Stored};
use crate::core::time::Timestamp;
use crate::letter::outbox::Posting;
use crate::trail::audit::Event;
use crate::vault::Vaults;

/// Largest client object, as compact text.
pub const DOCUMENT_BYTES: usize = 12_288;
const DOCUMENT_DEPTH: usize = 32;

/// The record of an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VaultAccount {
    pub(crate) name: String,
    /// As the client gave it, credential included.
    pub(crate) document: Document,
    /// Grows with every new credential: sessions and challenges of an older one are not believed.
    pub(crate) generation: u64,
    /// The plan an operator gave it; `None` is the default.
    pub(crate) plan: Option<String>,
    pub(crate) language: String,
    pub(crate) anti_phishing_code: Option<String>,
    /// The last number given to one of its entries.
    pub(crate) last_number: u64,
    pub(crate) created: Timestamp,
}

impl Record for VaultAccount {
    const KIND: Kind = "vault_account";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// What a login name leads to. Its row id is the blind index of the normalised name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VaultLogin {
    pub(crate) account: [u8; 16],
    pub(crate) credential: Credential,
    pub(crate) generation: u64,
}

impl Record for VaultLogin {
    const KIND: Kind = "vault_login";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Limited;
}

/// Salt and verifier in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credential {
    pub(crate) salt: String,
    pub(crate) verifier: String,
}

impl Credential {
    pub(crate) fn of(salt: &Salt, verifier: &Verifier) -> Self {
        Self {
            salt: salt.to_hex(),
            verifier: hex::encode(verifier.as_bytes()),
        }
    }
}

/// A client object that follows the rules, and what the server reads in it.
#[derive(Debug, Clone)]
pub struct Profile {
    pub(crate) document: Document,
    pub(crate) credential: Credential,
}

impl Profile {
    /// Holds `document` to the rules: a credential and nothing beside it, a public key, no reserved
    /// member, and the limits of size and depth.
    pub fn check(document: Document, names: &Names) -> Result<Self, Refusal> {
        if document.members().is_none() {
            return Err(Refusal::Invalid {
                field: "auth",
                why: "must be an object",
            });
        }
        if document.text().len() > DOCUMENT_BYTES {
            return Err(Refusal::TooLarge {
                limit: DOCUMENT_BYTES,
            });
        }
        if document.depth() > DOCUMENT_DEPTH {
            return Err(Refusal::Invalid {
                field: "auth",
                why: "is nested too deeply",
            });
        }
        if document.member(names.reserved).is_some() {
            return Err(Refusal::Invalid {
                field: names.reserved,
                why: "is reserved",
            });
        }
        public_key(&document)?;
        let credential = credential(&document, names)?;
        Ok(Self {
            document,
            credential,
        })
    }
}

/// Names of members of the client's object that its surface gives a meaning.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// Holds `salt` and `verifier`, and nothing else.
    pub credential: &'static str,
    /// Kept free for the server's own answer.
    pub reserved: &'static str,
}

fn credential(document: &Document, names: &Names) -> Result<Credential, Refusal> {
    let field = names.credential;
    let members = document.member(field).and_then(Document::members);
    let members = members.ok_or(Refusal::Invalid {
        field,
        why: "must be an object",
    })?;
    if members
        .iter()
        .any(|(name, _)| name != "salt" && name != "verifier")
    {
        return Err(Refusal::Invalid {
            field,
            why: "has a reserved member",
        });
    }
    let text = |name: &str| {
        members
            .iter()
            .find(|(known, _)| known == name)
            .and_then(|(_, value)| value.as_text())
    };
    let salt = text("salt").and_then(|text| Salt::parse(text).ok());
    let salt = salt.ok_or(Refusal::Invalid {
        field,
        why: "needs a salt of 32 to 256 hex digits",
    })?;
    let verifier = text("verifier").and_then(|text| Verifier::parse(text).ok());
    let verifier = verifier.ok_or(Refusal::Invalid {
        field,
        why: "needs a verifier of up to 2048 hex digits",
    })?;
    Ok(Credential::of(&salt, &verifier))
}

fn public_key(document: &Document) -> Result<&str, Refusal> {
    let key = document
        .member("keys")
        .and_then(|keys| keys.member("pub"))
        .and_then(Document::as_text);
    key.filter(|key| !key.is_empty()).ok_or(Refusal::Invalid {
        field: "keys.pub",
        why: "must be a string",
    })
}

impl VaultAccount {
    /// The key under which others share with this account.
    pub(crate) fn public_key(&self) -> String {
        public_key(&self.document).unwrap_or_default().to_owned()
    }
}

/// How an account's object is changed.
#[derive(Debug, Clone)]
pub enum Edit {
    /// Replaced by a whole new one.
    Replace(Document),
    /// Merged into the stored one.
    Merge(Document),
}

impl Vaults {
    pub(crate) fn login_row(&self, name: &LoginName) -> RowId {
        self.rows
            .id(VaultLogin::KIND, &[name.normalised().as_bytes()])
    }

    /// Makes an account in the running transaction, or says that the name is taken.
    pub(super) fn create_account(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        language: &str,
        name: &LoginName,
        profile: Profile,
    ) -> TxResult<Result<RowId, Refusal>> {
        let login = self.login_row(name);
        if self.rows.get::<VaultLogin>(tx, &login)?.is_some() {
            return Ok(Err(Refusal::Conflict));
        }
        let id = self.rows.random_id();
        let scope = Scope(id);
        let account = VaultAccount {
            name: name.as_str().to_owned(),
            document: profile.document,
            generation: 1,
            plan: None,
            language: language.to_owned(),
            anti_phishing_code: None,
            last_number: 0,
            created: now,
        };
        self.rows.create(tx, scope, Place::at(id), account)?;
        let record = VaultLogin {
            account: id.0,
            credential: profile.credential,
            generation: 1,
        };
        self.rows
            .create(tx, scope, Place::at(login).of(id), record)?;
        Ok(Ok(id))
    }

    /// Changes the client's object of an account. A new credential ends all sessions, this one included.
    pub async fn edit_account(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
        edit: Edit,
        names: &'static Names,
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let mut account = hub.hold_account(tx, &member)?;
            let document = apply(&account.document, edit.clone())?;
            let profile = Profile::check(document, names)?;
            let login_row = hub.login_row_of(&account)?;
            let Some(mut login) = hub.rows.get::<VaultLogin>(tx, &login_row)? else {
                return Err(Error::bug("an account has no login").into());
            };
            let renewed = login.credential != profile.credential;
            account.document = profile.document;
            if renewed {
                account.generation += 1;
                login.generation = account.generation;
                login.credential = profile.credential;
                hub.rows.put(tx, &mut login)?;
                tx.remove_children(Handshake::KIND, &login_row)?;
                tx.remove_children(WebPass::KIND, &member.account)?;
            }
            hub.rows.put(tx, &mut account)?;
            let action = if renewed {
                "account.new_password"
            } else {
                "account.edit"
            };
            hub.record(
                tx,
                Event::new(caller.surface, now, action, member.account.alias()).by(&caller),
            )
        })
        .await
    }

    /// Removes an account with everything of it, here and at others, and shreds its data key.
    pub async fn delete_account(
        self: &Arc<Self>,
        caller: Caller,
        member: VaultMember,
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let account = hub.hold_account(tx, &member)?;
            hub.erase_account(tx, &account)?;
            hub.record(
                tx,
                Event::new(
                    caller.surface,
                    now,
                    "account.delete",
                    member.account.alias(),
                )
                .by(&caller),
            )
        })
        .await
    }

    pub(super) fn erase_account(
        &self,
        tx: &mut dyn Tx,
        account: &Stored<VaultAccount>,
    ) -> TxResult<()> {
        let id = account.id();
        let login = self.login_row_of(account)?;
        self.leave_everything(tx, &id)?;
        for kind in [VaultSession::KIND, WebPass::KIND] {
            tx.remove_children(kind, &id)?;
        }
        tx.remove_children(Handshake::KIND, &login)?;
        self.rows.remove::<VaultLogin>(tx, &login)?;
        self.rows.remove::<VaultAccount>(tx, &id)?;
        self.rows.shred(tx, account.scope())
    }

    /// Removes the account's entries with all that hangs on them, and its places in others' entries.
    fn leave_everything(&self, tx: &mut dyn Tx, account: &RowId) -> TxResult<()> {
        let mut entries = self.guest_entries(tx, account)?;
        entries.extend(
            tx.children(Entry::KIND, account, crate::core::port::store::Page::ALL)?
                .into_iter()
                .map(|row| row.id),
        );
        entries.sort_unstable();
        entries.dedup();
        for id in entries {
            let Some(entry) = self.rows.get::<Entry>(tx, &id)? else {
                continue;
            };
            if entry.place.owner == Some(*account) {
                self.erase_entry(tx, &entry)?;
            } else {
                self.leave_entry(tx, entry, account)?;
            }
        }
        Ok(())
    }

    /// Loads and holds the member's account, if his session still counts.
    pub(super) fn hold_account(
        &self,
        tx: &mut dyn Tx,
        member: &VaultMember,
    ) -> TxResult<Stored<VaultAccount>> {
        match self.rows.get::<VaultAccount>(tx, &member.account)? {
            Some(account) if account.generation == member.generation => Ok(account),
            Some(_) => Err(Refusal::Replayed.into()),
            None => Err(Refusal::Expired.into()),
        }
    }

    pub(super) fn login_row_of(&self, account: &VaultAccount) -> Result<RowId, Error> {
        let name = LoginName::parse(&account.name);
        Ok(self.login_row(&name.ok_or_else(|| Error::bug("an account's name is no login name"))?))
    }

    /// Finds the account behind a name.
    pub(super) fn find_account(
        &self,
        tx: &mut dyn Tx,
        name: &LoginName,
    ) -> TxResult<Option<RowId>> {
        let login = self.rows.peek::<VaultLogin>(tx, &self.login_row(name))?;
        Ok(login.map(|login| RowId(login.account)))
    }

    /// Queues a letter about the account to its owner.
    pub(super) fn post_to_owner(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        surface: &str,
        account: &VaultAccount,
        (letter, link): (&MessageTemplate, Option<String>),
        facts: Vec<(&str, String)>,
    ) -> TxResult<()> {
        let message = Message {
            surface: surface.to_owned(),
            channel: Channel::Email,
            to: account.name.clone(),
            kind: MessageKind::Notice,
            operation: letter.operation.to_owned(),
            language: account.language.clone(),
            code: None,
            link,
            anti_phishing_code: account.anti_phishing_code.clone(),
            facts: facts
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        };
        self.post(tx, now, Posting::notice(message))
    }

    /// The address of a page for the token in a letter.
    pub(super) fn page_link(&self, letter: &MessageTemplate, token: &str) -> String {
        format!("{}{}{token}", self.policy.base_url, letter.page)
    }
}

fn apply(stored: &Document, edit: Edit) -> Result<Document, Refusal> {
    match edit {
        Edit::Replace(document) => Ok(document),
        Edit::Merge(news) => {
            if news.members().is_none_or(<[_]>::is_empty) {
                return Err(Refusal::Invalid {
                    field: "auth",
                    why: "is missing",
                });
            }
            // What is merged is in the result, so this bounds the work before it is done.
            if news.text().len() > DOCUMENT_BYTES {
                return Err(Refusal::TooLarge {
                    limit: DOCUMENT_BYTES,
                });
            }
            let mut document = stored.clone();
            document.merge(news);
            Ok(document)
        }
    }
}

/// What a letter shows of a network: an IPv4 address without its mask.
pub(super) fn shown(network: &str) -> String {
    network.trim_end_matches("/32").to_owned()
}
