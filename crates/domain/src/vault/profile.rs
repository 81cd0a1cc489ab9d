//! The JSON object of an account: the rules that the server holds it to, and what the server reads in it.

use crypto::srp::{Salt, Verifier};
use serde::{Deserialize, Serialize};

use super::document::Document;
use crate::core::error::Refusal;

/// The largest object of a client, as compact text in bytes.
pub(super) const DOCUMENT_BYTES: usize = 12_288;
/// How deep its objects and arrays may be nested.
const DOCUMENT_DEPTH: usize = 32;

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

/// A client object that follows the rules, and the credential in it.
#[derive(Debug, Clone)]
pub struct Profile {
    pub(crate) document: Document,
    pub(crate) credential: Credential,
}

/// How the surface calls the object and the members of it that mean something to the server.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// The whole object.
    pub document: &'static str,
    /// Contains `salt` and `verifier`, and nothing else.
    pub credential: &'static str,
    /// Must be absent: the server's own answer has a member of this name.
    pub reserved: &'static str,
}

impl Names {
    pub(super) const fn too_large() -> Refusal {
        Refusal::TooLarge {
            limit: DOCUMENT_BYTES,
        }
    }
}

impl Profile {
    /// Checks that `document` has a credential with nothing beside it and a public key, has no reserved member,
    /// and is within the limits of size and depth.
    ///
    /// # Errors
    /// `TooLarge`, or `Invalid` with the name of the member that breaks a rule.
    pub fn check(document: Document, names: &Names) -> Result<Self, Refusal> {
        let invalid = |field, why| Err(Refusal::Invalid { field, why });
        if document.members().is_none() {
            return invalid(names.document, "must be an object");
        }
        if document.text().len() > DOCUMENT_BYTES {
            return Err(Names::too_large());
        }
        if document.depth() > DOCUMENT_DEPTH {
            return invalid(names.document, "is nested too deeply");
        }
        if document.member(names.reserved).is_some() {
            return invalid(names.reserved, "is reserved");
        }
        public_key(&document)?;
        let credential = credential(&document, names)?;
        Ok(Self {
            document,
            credential,
        })
    }
}

/// The credential in a client's object: a valid salt and a valid verifier, and nothing beside them.
pub(super) fn credential(document: &Document, names: &Names) -> Result<Credential, Refusal> {
    let invalid = |why| Refusal::Invalid {
        field: names.credential,
        why,
    };
    let members = document.member(names.credential);
    let members = members.and_then(Document::members);
    let members = members.ok_or(invalid("must be an object"))?;
    if members
        .iter()
        .any(|(name, _)| name != "salt" && name != "verifier")
    {
        return Err(invalid("has a reserved member"));
    }
    let text = |name: &str| {
        members
            .iter()
            .find(|(known, _)| known == name)
            .and_then(|(_, value)| value.as_text())
    };
    let salt = text("salt").and_then(|text| Salt::parse(text).ok());
    let salt = salt.ok_or(invalid("needs a salt of 32 to 256 hex digits"))?;
    let verifier = text("verifier").and_then(|text| Verifier::parse(text).ok());
    let verifier = verifier.ok_or(invalid("needs a verifier of up to 2048 hex digits"))?;
    Ok(Credential::of(&salt, &verifier))
}

pub(super) fn public_key(document: &Document) -> Result<&str, Refusal> {
    let key = document
        .member("keys")
        .and_then(|keys| keys.member("pub"))
        .and_then(Document::as_text);
    key.filter(|key| !key.is_empty()).ok_or(Refusal::Invalid {
        field: "keys.pub",
        why: "must be a string",
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const NAMES: Names = Names {
        document: "object",
        credential: "login",
        reserved: "server",
    };
    const SALT: &str = "00112233445566778899aabbccddeeff";

    /// An object that follows the rules, with the verifier `verifier` and `more` members.
    pub(crate) fn object(verifier: &str, more: &str) -> Document {
        let text = format!(
            r#"{{"login":{{"salt":"{SALT}","verifier":"{verifier}"}},"keys":{{"pub":"key"}}{more}}}"#
        );
        Document::parse(&text).unwrap()
    }

    fn check(text: &str) -> Result<Credential, Refusal> {
        let document = Document::parse(text).unwrap();
        Profile::check(document, &NAMES).map(|profile| profile.credential)
    }

    fn invalid(field: &'static str, why: &'static str) -> Result<Credential, Refusal> {
        Err(Refusal::Invalid { field, why })
    }

    #[test]
    fn an_object_that_follows_the_rules_is_kept_whole() {
        let document = object("1234", r#","own":[1,{"a":null}]"#);
        let profile = Profile::check(document.clone(), &NAMES).unwrap();
        assert_eq!(profile.document, document);
        assert_eq!(profile.credential.salt, SALT);
        assert!(profile.credential.verifier.ends_with("1234"));
    }

    #[test]
    fn only_an_object_is_accepted() {
        for text in ["[]", "\"text\"", "1", "null", "true"] {
            assert_eq!(
                check(text),
                invalid("object", "must be an object"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_size_limit_is_exact() {
        let bare = object("12", r#","own":"""#).text().len();
        let filled = |bytes: usize| {
            let filling = "x".repeat(bytes - bare);
            Profile::check(object("12", &format!(r#","own":"{filling}""#)), &NAMES)
        };
        assert!(filled(DOCUMENT_BYTES).is_ok());
        assert_eq!(
            filled(DOCUMENT_BYTES + 1).err(),
            Some(Refusal::TooLarge {
                limit: DOCUMENT_BYTES
            })
        );
    }

    #[test]
    fn the_depth_limit_is_exact() {
        let nested = |levels: usize| {
            let own = format!(r#","own":{}{}"#, "[".repeat(levels), "]".repeat(levels));
            Profile::check(object("12", &own), &NAMES)
        };
        // The object itself is the first level.
        assert!(nested(DOCUMENT_DEPTH - 1).is_ok());
        assert_eq!(
            nested(DOCUMENT_DEPTH).err(),
            Some(Refusal::Invalid {
                field: "object",
                why: "is nested too deeply"
            })
        );
    }

    #[test]
    fn the_reserved_member_must_be_absent() {
        let with = object("12", r#","server":1"#);
        assert_eq!(
            Profile::check(with, &NAMES).err(),
            Some(Refusal::Invalid {
                field: "server",
                why: "is reserved"
            })
        );
    }

    #[test]
    fn a_public_key_is_required() {
        for keys in [
            "{}",
            r#"{"pub":""}"#,
            r#"{"pub":1}"#,
            r#"{"pub":null}"#,
            "[]",
            "\"pub\"",
        ] {
            let text = format!(r#"{{"keys":{keys}}}"#);
            assert_eq!(
                check(&text),
                invalid("keys.pub", "must be a string"),
                "{keys}"
            );
        }
        assert_eq!(check("{}"), invalid("keys.pub", "must be a string"));
    }

    #[test]
    fn a_credential_is_required_and_has_no_other_members() {
        let with = |login: &str| check(&format!(r#"{{"keys":{{"pub":"k"}},"login":{login}}}"#));
        let salt = format!(r#""salt":"{SALT}""#);
        for (login, why) in [
            ("1".to_owned(), "must be an object"),
            ("null".to_owned(), "must be an object"),
            ("[]".to_owned(), "must be an object"),
            ("{}".to_owned(), "needs a salt of 32 to 256 hex digits"),
            (
                r#"{"salt":1,"verifier":"12"}"#.to_owned(),
                "needs a salt of 32 to 256 hex digits",
            ),
            (
                r#"{"salt":"0011","verifier":"12"}"#.to_owned(),
                "needs a salt of 32 to 256 hex digits",
            ),
            (
                format!("{{{salt}}}"),
                "needs a verifier of up to 2048 hex digits",
            ),
            (
                format!(r#"{{{salt},"verifier":"xyz"}}"#),
                "needs a verifier of up to 2048 hex digits",
            ),
            (
                format!(r#"{{{salt},"verifier":"12","password":"secret"}}"#),
                "has a reserved member",
            ),
        ] {
            assert_eq!(with(&login), invalid("login", why), "{login}");
        }
        assert_eq!(
            check(r#"{"keys":{"pub":"k"}}"#),
            invalid("login", "must be an object")
        );
    }
}
