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

fn credential(document: &Document, names: &Names) -> Result<Credential, Refusal> {
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
