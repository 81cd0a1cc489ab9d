//! Changes of an account's JSON object, a new password among them.

use std::sync::Arc;

use super::Vaults;
use super::account::{VaultAccount, VaultLogin};
use super::document::Document;
use super::login::Handshake;
use super::profile::{Credential, DOCUMENT_BYTES, Names, Profile, credential};
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
    password: NewLogin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NewLogin {
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
        NewLogin::Kept
    } else {
        NewLogin::Changed
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
    // A salt without its verifier, or the other way round, would leave an account that no password opens.
    if news.member(names.credential).is_some() {
        credential(&news, names)?;
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
                NewLogin::Kept => "account.edit",
                NewLogin::Changed => {
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

#[cfg(test)]
mod tests {
    use super::super::account::tests::{account, account_id};
    use super::super::profile::tests::{NAMES, object};
    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(text).unwrap()
    }

    /// What `edit` makes of an account whose object has the verifier `12`.
    fn edited(edit: Edit) -> Result<(String, NewLogin), Refusal> {
        let stored = Profile::check(object("12", r#","own":{"a":1,"b":2}"#), &NAMES).unwrap();
        decide(&stored.document, &stored.credential, edit, &NAMES)
            .map(|edited| (edited.profile.document.text(), edited.password))
    }

    #[test]
    fn a_replacement_with_the_same_credential_keeps_the_password() {
        let new = object("12", r#","own":3"#);
        assert_eq!(
            edited(Edit::Replace(new.clone())),
            Ok((new.text(), NewLogin::Kept))
        );
    }

    #[test]
    fn a_replacement_with_another_verifier_changes_the_password() {
        let new = object("13", "");
        assert_eq!(
            edited(Edit::Replace(new.clone())),
            Ok((new.text(), NewLogin::Changed))
        );
    }

    #[test]
    fn the_same_verifier_in_another_spelling_is_the_same_password() {
        let (_, password) = edited(Edit::Replace(object("0012", ""))).unwrap();
        assert_eq!(password, NewLogin::Kept);
    }

    #[test]
    fn a_replacement_must_follow_the_rules_as_a_whole() {
        let without_keys = document(r#"{"own":1}"#);
        assert!(matches!(
            edited(Edit::Replace(without_keys)),
            Err(Refusal::Invalid {
                field: "keys.pub",
                ..
            })
        ));
    }

    #[test]
    fn a_merge_changes_only_the_members_that_it_names() {
        let (text, password) = edited(Edit::Merge(document(r#"{"own":{"b":[],"c":0}}"#))).unwrap();
        assert_eq!(text, object("12", r#","own":{"a":1,"b":[],"c":0}"#).text());
        assert_eq!(password, NewLogin::Kept);
    }

    #[test]
    fn a_merged_credential_changes_the_password() {
        let salt = "ff".repeat(16);
        let news = document(&format!(
            r#"{{"login":{{"salt":"{salt}","verifier":"99"}}}}"#
        ));
        let (text, password) = edited(Edit::Merge(news)).unwrap();
        assert_eq!(password, NewLogin::Changed);
        assert!(text.contains("\"99\""));
    }

    #[test]
    fn w21_half_a_credential_is_refused_and_nothing_is_merged() {
        let salt = "ff".repeat(16);
        for news in [
            format!(r#"{{"login":{{"salt":"{salt}"}}}}"#),
            r#"{"login":{"verifier":"99"}}"#.to_owned(),
            r#"{"login":{},"keys":{"kek":"new"}}"#.to_owned(),
            format!(r#"{{"login":{{"salt":"{salt}","verifier":99}}}}"#),
            format!(r#"{{"login":{{"salt":["{salt}"],"verifier":"99"}}}}"#),
            r#"{"login":[],"keys":{"kek":"new"}}"#.to_owned(),
        ] {
            let refused = edited(Edit::Merge(document(&news)));
            assert!(
                matches!(refused, Err(Refusal::Invalid { field: "login", .. })),
                "{news}"
            );
        }
    }

    #[test]
    fn a_merge_of_nothing_is_refused() {
        let missing = Err(Refusal::Invalid {
            field: "object",
            why: "is missing",
        });
        for nothing in ["{}", "[]", "1", "\"text\""] {
            assert_eq!(edited(Edit::Merge(document(nothing))), missing, "{nothing}");
        }
    }

    #[test]
    fn a_merge_cannot_break_a_rule() {
        for (news, broken) in [
            (r#"{"server":1}"#, "server"),
            (r#"{"keys":{"pub":""}}"#, "keys.pub"),
            (r#"{"login":{"password":"x"}}"#, "login"),
            (r#"{"login":null}"#, "login"),
        ] {
            let refused = edited(Edit::Merge(document(news)));
            assert!(
                matches!(refused, Err(Refusal::Invalid { field, .. }) if field == broken),
                "{news}"
            );
        }
    }

    #[test]
    fn too_much_is_refused_before_and_after_it_is_merged() {
        let too_large = Err(Refusal::TooLarge {
            limit: DOCUMENT_BYTES,
        });
        let alone = format!(r#"{{"new":"{}"}}"#, "x".repeat(DOCUMENT_BYTES));
        assert_eq!(edited(Edit::Merge(document(&alone))), too_large);
        let together = format!(r#"{{"new":"{}"}}"#, "x".repeat(DOCUMENT_BYTES - 50));
        assert_eq!(edited(Edit::Merge(document(&together))), too_large);
    }

    #[test]
    fn a_new_password_begins_a_generation_for_account_and_login() {
        let mut account = account("ann@example.org");
        account.generation = 4;
        let old = Profile::check(object("12", ""), &NAMES).unwrap().credential;
        let new = Profile::check(object("13", ""), &NAMES).unwrap().credential;
        let mut login = VaultLogin {
            account: account_id(1),
            credential: old,
            generation: 4,
        };
        renew(&mut account, &mut login, new.clone());
        assert_eq!((account.generation, login.generation), (5, 5));
        assert_eq!(login.credential, new);
    }
}
