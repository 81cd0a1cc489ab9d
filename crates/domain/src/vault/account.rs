//! Accounts: a login name, a password verifier, and one JSON object that belongs to the client.
//!
//! Everything of an account is sealed under a data key of its own, which is removed together with the account.

use serde::{Deserialize, Serialize};

use super::document::Document;
use super::profile::{Credential, Profile, public_key};
use super::session::VaultMember;
use super::{LoginName, Vaults};
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::port::store::{Kind, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Scope, Stored};
use crate::core::time::Timestamp;

/// The record of an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VaultAccount {
    pub(crate) name: String,
    /// As the client sent it, with the credential.
    pub(crate) document: Document,
    /// Increases with every new credential. Sessions and challenges of an older generation are refused.
    pub(crate) generation: u64,
    /// The plan that an operator chose; `None` is the default.
    pub(crate) plan: Option<String>,
    pub(crate) language: String,
    pub(crate) anti_phishing_code: Option<String>,
    /// The last number that one of its entries was given.
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
    pub(crate) account: Id<VaultAccount>,
    pub(crate) credential: Credential,
    pub(crate) generation: u64,
}

impl Record for VaultLogin {
    const KIND: Kind = "vault_login";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Limited;
}

impl VaultAccount {
    /// A new account without entries, on the default plan.
    pub(super) fn new(
        name: &LoginName,
        document: Document,
        language: &str,
        now: Timestamp,
    ) -> Self {
        Self {
            name: name.as_str().to_owned(),
            document,
            generation: 1,
            plan: None,
            language: language.to_owned(),
            anti_phishing_code: None,
            last_number: 0,
            created: now,
        }
    }

    /// The key under which other accounts wrap what they share with this one.
    pub(crate) fn public_key(&self) -> String {
        public_key(&self.document).unwrap_or_default().to_owned()
    }

    pub(super) fn login_name(&self) -> Result<LoginName, Error> {
        LoginName::parse(&self.name).ok_or_else(|| Error::bug("an account's name is no login name"))
    }
}

/// Whether a session that was issued in `generation` still acts for the account as it is now.
///
/// # Errors
/// `Expired` if the account is gone, `Replayed` if its password was changed since.
fn admits(account: Option<&VaultAccount>, generation: u64) -> Result<(), Refusal> {
    match account {
        Some(account) if account.generation == generation => Ok(()),
        Some(_) => Err(Refusal::Replayed),
        None => Err(Refusal::Expired),
    }
}

impl Vaults {
    pub(crate) fn login_of(&self, name: &LoginName) -> Id<VaultLogin> {
        self.rows.named(&[name.normalised().as_bytes()])
    }

    /// Creates an account in the running transaction. Refuses with `Conflict` if the name is taken.
    pub(super) fn create_account(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        language: &str,
        name: &LoginName,
        profile: Profile,
    ) -> TxResult<Result<Id<VaultAccount>, Refusal>> {
        let login = self.login_of(name);
        if self.rows.get(tx, login)?.is_some() {
            return Ok(Err(Refusal::Conflict));
        }
        let id = self.rows.fresh::<VaultAccount>();
        let scope = Scope(id.row());
        let account = VaultAccount::new(name, profile.document, language, now);
        let generation = account.generation;
        self.rows.create(tx, scope, Place::at(id), account)?;
        let record = VaultLogin {
            account: id,
            credential: profile.credential,
            generation,
        };
        let place = Place::at(login).of(id);
        self.rows.create(tx, scope, place, record)?;
        Ok(Ok(id))
    }

    /// Loads and holds the member's account. Refuses if the session does not act for it any more.
    pub(super) fn hold_account(
        &self,
        tx: &mut dyn Tx,
        member: &VaultMember,
    ) -> TxResult<Result<Stored<VaultAccount>, Refusal>> {
        let account = self.rows.get(tx, member.account)?;
        let admitted = admits(account.as_deref(), member.generation);
        Ok(admitted.and_then(|()| account.ok_or(Refusal::Expired)))
    }

    /// Finds the account of a name. Holds nothing.
    pub(super) fn find_account(
        &self,
        tx: &mut dyn Tx,
        name: &LoginName,
    ) -> TxResult<Option<Id<VaultAccount>>> {
        let login = self.rows.peek(tx, self.login_of(name))?;
        Ok(login.map(|login| login.account))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::core::port::store::RowId;

    pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    pub(crate) const fn account_id(byte: u8) -> Id<VaultAccount> {
        Id::new(RowId([byte; 16]))
    }

    pub(crate) fn account(name: &str) -> VaultAccount {
        let name = LoginName::parse(name).unwrap();
        let document = Document::parse(r#"{"keys":{"pub":"a public key"}}"#).unwrap();
        VaultAccount::new(&name, document, "en", NOW)
    }

    #[test]
    fn a_new_account_begins_in_its_first_generation_on_the_default_plan() {
        let account = account("Ann@example.org");
        assert_eq!((account.generation, account.last_number), (1, 0));
        assert_eq!((account.plan, account.anti_phishing_code), (None, None));
        assert_eq!(
            (account.name.as_str(), account.language.as_str()),
            ("Ann@example.org", "en")
        );
        assert_eq!(account.created, NOW);
    }

    #[test]
    fn a_session_of_the_current_generation_is_admitted() {
        let mut account = account("ann@example.org");
        account.generation = 3;
        assert_eq!(admits(Some(&account), 3), Ok(()));
    }

    #[test]
    fn a_session_from_before_or_after_the_current_password_is_refused() {
        let mut account = account("ann@example.org");
        account.generation = 3;
        for other in [0, 1, 2, 4, u64::MAX] {
            assert_eq!(admits(Some(&account), other), Err(Refusal::Replayed));
        }
    }

    #[test]
    fn a_session_of_a_removed_account_has_expired() {
        assert_eq!(admits(None, 1), Err(Refusal::Expired));
    }

    #[test]
    fn others_share_under_the_public_key_in_the_document() {
        let mut account = account("ann@example.org");
        assert_eq!(account.public_key(), "a public key");
        account.document = Document::parse("{}").unwrap();
        assert_eq!(account.public_key(), "");
    }

    #[test]
    fn an_account_keeps_the_login_name_that_it_was_created_with() {
        let mut account = account("Ann@example.org");
        assert_eq!(account.login_name().unwrap().as_str(), "Ann@example.org");
        account.name = "nobody".to_owned();
        assert!(matches!(account.login_name(), Err(Error::Bug(_))));
    }

    #[test]
    fn a_login_is_stored_with_the_bytes_of_its_account() {
        let login = VaultLogin {
            account: account_id(7),
            credential: Credential {
                salt: "ab".to_owned(),
                verifier: "cd".to_owned(),
            },
            generation: 2,
        };
        let seven = serde_json::to_value([7_u8; 16]).unwrap();
        assert_eq!(
            serde_json::to_value(&login).unwrap(),
            serde_json::json!({
                "account": seven,
                "credential": {"salt": "ab", "verifier": "cd"},
                "generation": 2,
            })
        );
    }
}
