//! Passkeys: a relying party's checks of Web Authentication Level 3, §7.1 (registration of a credential) and §7.2
//! (its use).
//!
//! The profile is narrow on purpose. The authenticator must always have verified its user (flag UV). Keys are
//! ES256 or RS256; every authenticator supports one of them. Attestation is not requested: it is `none` or the
//! credential's own signature, and no decision depends on the authenticator's model. A client in a frame of
//! another site is refused.
//!
//! Libraries handle signatures and CBOR. The steps of the ceremonies are here, in the order of the specification.

mod authenticator;
mod cose;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::mac::sha256;
use authenticator::AuthenticatorData;
use cose::PublicKey;

/// The COSE numbers of the requested algorithms, best first (RFC 9053, RFC 8812).
pub const ALGORITHMS: [i32; 2] = [cose::ES256, cose::RS256];

/// Longest credential id (§5.8.3 limits it to 1023 bytes).
const LONGEST_ID: usize = 1023;
/// Shorter ids contain too little randomness (§6.1).
const SHORTEST_ID: usize = 16;

/// The relying party: for whom credentials are created, and where its clients run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// A domain name; credentials are bound to it.
    pub id: String,
    /// Compared as whole texts: `https://…`, or `android:apk-key-hash:…` of an app.
    pub origins: Vec<String>,
}

/// The public part of a passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    #[serde(with = "hex::serde")]
    id: Vec<u8>,
    key: PublicKey,
    /// The authenticator's count of signatures. Authenticators that do not count always send 0.
    count: u32,
}

/// The use of a credential (an assertion).
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    pub credential: &'a [u8],
    pub client_data: &'a [u8],
    pub authenticator_data: &'a [u8],
    pub signature: &'a [u8],
}

/// The client's description of the call (§5.8.1). Other members are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    top_origin: Option<String>,
}

impl ClientData {
    fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    fn fits(&self, party: &Party, kind: &str, challenge: &[u8]) -> bool {
        let answered = URL_SAFE_NO_PAD.decode(&self.challenge);
        self.r#type == kind
            && !challenge.is_empty()
            && answered.is_ok_and(|answered| bool::from(answered.ct_eq(challenge)))
            && party.origins.contains(&self.origin)
            && !self.cross_origin
            && self.top_origin.is_none()
    }
}

/// The challenge that a client claims to answer. It is not verified, and only serves to find the stored challenge.
pub fn challenge(client_data: &[u8]) -> Option<Vec<u8>> {
    let said = ClientData::parse(client_data)?.challenge;
    URL_SAFE_NO_PAD.decode(said).ok()
}

/// §7.1: returns the new credential; `None` if any check fails.
pub fn register(
    party: &Party,
    challenge: &[u8],
    client_data: &[u8],
    attestation: &[u8],
) -> Option<Credential> {
    let said = ClientData::parse(client_data)?;
    if !said.fits(party, "webauthn.create", challenge) {
        return None;
    }
    let object = Attestation::parse(attestation)?;
    let data = AuthenticatorData::parse(&object.authenticator_data)?;
    if !data.is_for(party) || !data.user_was_verified() {
        return None;
    }
    let made = data.made?;
    if !(SHORTEST_ID..=LONGEST_ID).contains(&made.id.len()) {
        return None;
    }
    let credential = Credential {
        id: made.id,
        key: PublicKey::read(&made.key)?,
        count: data.count,
    };
    let vouched = object.is_none() || object.is_signed_by(&credential.key, client_data);
    vouched.then_some(credential)
}

impl Credential {
    pub fn id(&self) -> &[u8] {
        &self.id
    }

    /// §7.2: returns the authenticator's count; `None` if any check fails. [`Credential::count_on`] checks with
    /// the current record whether the count has increased.
    pub fn verify(&self, party: &Party, challenge: &[u8], proof: &Proof<'_>) -> Option<u32> {
        let said = ClientData::parse(proof.client_data)?;
        let data = AuthenticatorData::parse(proof.authenticator_data)?;
        let right = proof.credential == self.id
            && said.fits(party, "webauthn.get", challenge)
            && data.is_for(party)
            && data.user_was_verified()
            && self.signed(proof);
        right.then_some(data.count)
    }

    fn signed(&self, proof: &Proof<'_>) -> bool {
        let mut message = proof.authenticator_data.to_vec();
        message.extend_from_slice(&sha256(proof.client_data));
        self.key.verifies(&message, proof.signature)
    }

    /// Stores a count that has increased. For one that has not (§6.1.1), returns `false` and changes nothing,
    /// because there may be a copy of the authenticator.
    pub fn count_on(&mut self, count: u32) -> bool {
        let went_on = count > self.count || (count == 0 && self.count == 0);
        if went_on {
            self.count = count;
        }
        went_on
    }
}

/// An attestation object (§6.5).
struct Attestation {
    format: String,
    statement: Vec<(Value, Value)>,
    authenticator_data: Vec<u8>,
}

impl Attestation {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let Value::Map(members) = cose::item(&mut rest)? else {
            return None;
        };
        let Value::Text(format) = cose::member(&members, "fmt")?.clone() else {
            return None;
        };
        let Value::Map(statement) = cose::member(&members, "attStmt")?.clone() else {
            return None;
        };
        let Value::Bytes(authenticator_data) = cose::member(&members, "authData")?.clone() else {
            return None;
        };
        rest.is_empty().then_some(Self {
            format,
            statement,
            authenticator_data,
        })
    }

    /// §8.7
    fn is_none(&self) -> bool {
        self.format == "none" && self.statement.is_empty()
    }

    /// §8.2, self attestation: clients keep it even if no attestation is requested (§5.1.3).
    fn is_signed_by(&self, key: &PublicKey, client_data: &[u8]) -> bool {
        let algorithm = cose::member(&self.statement, "alg").and_then(cose::number);
        let Some(Value::Bytes(signature)) = cose::member(&self.statement, "sig") else {
            return false;
        };
        let mut message = self.authenticator_data.clone();
        message.extend_from_slice(&sha256(client_data));
        self.format == "packed"
            && self.statement.len() == 2
            && algorithm == Some(key.algorithm())
            && key.verifies(&message, signature)
    }
}

#[cfg(test)]
mod tests;
