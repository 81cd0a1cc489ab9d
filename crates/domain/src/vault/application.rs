//! Applications: registrations whose address was not confirmed yet, and the page that asks to confirm them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::document::Document;
use super::owner_message::shown;
use super::profile::{Credential, Profile};
use super::{LoginName, Vaults};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::proof::bearer::has_form;

/// Hex digits of the token in a confirmation link.
pub(super) const TOKEN_DIGITS: usize = 64;

/// The record of an application, found by the keyed hash of its token. Its owner is the login row of the name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VaultApplication {
    pub(super) name: String,
    pub(super) document: Document,
    pub(super) credential: Credential,
    pub(super) language: String,
    pub(super) network: String,
    pub(super) created: Timestamp,
    pub(super) expires: Timestamp,
}

impl Record for VaultApplication {
    const KIND: Kind = "vault_application";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// What the confirmation page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub name: String,
    pub language: String,
    pub network: String,
    pub at: Timestamp,
}

impl VaultApplication {
    pub(super) fn new(
        name: &LoginName,
        profile: Profile,
        caller: &Caller,
        (created, expires): (Timestamp, Timestamp),
    ) -> Self {
        Self {
            name: name.as_str().to_owned(),
            document: profile.document,
            credential: profile.credential,
            language: caller.language.clone(),
            network: shown(&caller.network),
            created,
            expires,
        }
    }

    pub(super) fn is_open(&self, now: Timestamp) -> bool {
        now < self.expires
    }

    pub(super) fn login_name(&self) -> Result<LoginName, Error> {
        let name = LoginName::parse(&self.name);
        name.ok_or_else(|| Error::bug("an application has no login name"))
    }

    pub(super) fn applied(&self) -> Applied {
        Applied {
            name: self.name.clone(),
            language: self.language.clone(),
            network: self.network.clone(),
            at: self.created,
        }
    }

    /// The object and credential that the account will have.
    pub(super) fn into_profile(self) -> Profile {
        Profile {
            document: self.document,
            credential: self.credential,
        }
    }
}

impl Vaults {
    /// Step 2 of [joining](super::joining): returns what the page shows. Changes nothing.
    ///
    /// # Errors
    /// `UnknownSubject` if the token is unknown or too old, or the name has an account by now.
    pub async fn pending_application(self: &Arc<Self>, token: String) -> Result<Applied, Error> {
        if !has_form(&token, TOKEN_DIGITS) {
            return Err(Refusal::UnknownSubject.into());
        }
        let now = self.now();
        let id = self.bearer::<VaultApplication>(&token);
        self.find(move |hub, tx| {
            let application = hub.rows.peek(tx, id)?;
            let Some(application) = application.filter(|found| found.is_open(now)) else {
                return Ok(Refusal::UnknownSubject.into());
            };
            let login = hub.login_of(&application.login_name()?);
            Ok(match hub.rows.peek(tx, login)? {
                None => Verdict::Done(application.applied()),
                Some(_) => Verdict::Refused(Refusal::UnknownSubject),
            })
        })
        .await
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::account::tests::NOW;
    use super::super::profile::tests::{NAMES, object};
    use super::*;
    use crate::core::time::hours;

    /// An application for Ann's address with this verifier, open for an hour.
    pub(crate) fn application(verifier: &str) -> VaultApplication {
        let name = LoginName::parse("Ann@example.org").unwrap();
        let profile = Profile::check(object(verifier, ""), &NAMES).unwrap();
        let caller = Caller {
            surface: "test",
            network: "192.0.2.1/32".to_owned(),
            language: "de".to_owned(),
        };
        VaultApplication::new(&name, profile, &caller, (NOW, NOW.plus(hours(1))))
    }

    #[test]
    fn an_application_is_open_until_its_last_moment() {
        let application = application("12");
        let end = NOW.plus(hours(1)).millis();
        assert!(application.is_open(NOW));
        assert!(application.is_open(Timestamp::from_millis(end - 1)));
        assert!(!application.is_open(Timestamp::from_millis(end)));
        assert!(!application.is_open(Timestamp::from_millis(end + 1)));
    }

    #[test]
    fn the_page_shows_who_applied_when_and_from_where() {
        assert_eq!(
            application("12").applied(),
            Applied {
                name: "Ann@example.org".to_owned(),
                language: "de".to_owned(),
                network: "192.0.2.1".to_owned(),
                at: NOW,
            }
        );
    }

    #[test]
    fn the_account_gets_the_object_and_the_credential_that_were_applied_with() {
        let application = application("12");
        assert_eq!(
            application.login_name().unwrap().as_str(),
            "Ann@example.org"
        );
        let credential = application.credential.clone();
        let profile = application.into_profile();
        assert_eq!(profile.document, object("12", ""));
        assert_eq!(profile.credential, credential);
    }
}
