//! The compact form of a token (RFC 7515 §7.1), taken apart strictly and without believing it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::Algorithm;

/// Longest token, in bytes, that is looked at; no wire lets a longer one in.
const LONGEST: usize = 64 * 1024;

/// A token taken apart: its parts are well-formed, and nothing is verified.
#[derive(Debug)]
pub struct Compact<'t> {
    signed: &'t str,
    header: Header,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// What a header says, as far as anybody here may listen.
///
/// A key, the address of a key and everything else that a header may hold is ignored (RFC 7515 §4.1).
#[derive(Debug)]
pub struct Header {
    algorithm: Option<Algorithm>,
    key_id: Option<String>,
    typ: Option<String>,
}

impl<'t> Compact<'t> {
    /// Takes exactly three non-empty parts of base64url without padding, white space or loose bits, of at
    /// most 64 KiB together. The header is a JSON object in which no member occurs twice, with `alg`, and
    /// without `crit`: no extension is understood here, so RFC 7515 §4.1.11 demands a refusal.
    pub fn parse(token: &'t str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let part = |text: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            (!bytes.is_empty()).then_some(bytes)
        };
        Some(Self {
            signed,
            header: Header::parse(&part(header)?)?,
            payload: part(payload)?,
            signature: part(signature)?,
        })
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    pub fn into_payload(self) -> Vec<u8> {
        self.payload
    }

    /// The bytes that were signed.
    pub(super) fn message(&self) -> &[u8] {
        self.signed.as_bytes()
    }

    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }
}

impl Header {
    fn parse(json: &[u8]) -> Option<Self> {
        let Members(mut members) = serde_json::from_slice(json).ok()?;
        if members.contains_key("crit") {
            return None;
        }
        let mut text = |name: &str| members.remove(name).map(text);
        Some(Self {
            algorithm: Algorithm::named(&text("alg")??),
            key_id: match text("kid") {
                None => None,
                Some(kid) => Some(kid?),
            },
            typ: text("typ").flatten(),
        })
    }

    /// The algorithm that the token claims; `None` for one that nothing here knows. It decides nothing: a
    /// key verifies only with its own algorithm.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// The key that the token names.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The type that the token claims.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// A JSON object in which no member occurs twice (RFC 7515 §4: two readers could choose different ones).
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Unique)
    }
}

struct Unique;

impl<'de> Visitor<'de> for Unique {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object whose members have different names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member occurs twice"));
            }
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_header(header: &str) -> String {
        format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn a_token_has_exactly_three_strict_parts() {
        const HEADER: &str = "eyJhbGciOiJFUzI1NiJ9";
        for bad in [
            "",
            "..",
            "a",
            "HEADER.e30",
            "HEADER.e30.e30.e30",
            "HEADER=.e30.e30",
            "HEADER.e30 .e30",
            "HEADER.e31.e3",
            "HEADER.e30.",
            "HEADER..e30",
            ".e30.e30",
            "e30.e30.e30",
        ] {
            let token = bad.replace("HEADER", HEADER);
            assert!(Compact::parse(&token).is_none(), "{bad}");
        }
        assert!(Compact::parse(&format!("{HEADER}.e30.AA")).is_some());
        let length = |payload: usize| format!("{HEADER}.{}.AA", "A".repeat(payload));
        let most = LONGEST - HEADER.len() - 4;
        assert!(Compact::parse(&length(most)).is_some());
        assert!(Compact::parse(&length(most + 4)).is_none(), "too long");
    }

    #[test]
    fn a_header_says_its_algorithm_its_key_and_its_type() {
        let token = with_header(r#"{"typ":"at+jwt","alg":"PS512","kid":"a","jku":"https://x"}"#);
        let token = Compact::parse(&token).expect("a token");
        let header = token.header();
        assert_eq!(header.algorithm(), Some(Algorithm::Ps512));
        assert_eq!(header.key_id(), Some("a"));
        assert_eq!(header.typ(), Some("at+jwt"));
        assert_eq!(token.payload(), b"{}");

        let token = with_header(r#"{"alg":"none","typ":1}"#);
        let token = Compact::parse(&token).expect("a token");
        assert_eq!(token.header().algorithm(), None, "not one that is known");
        assert_eq!(token.header().key_id(), None);
        assert_eq!(token.header().typ(), None);
    }

    #[test]
    fn a_header_that_two_readers_could_read_differently_is_refused() {
        for bad in [
            "[]",
            "{}",
            "{\"alg\":\"ES256\"",
            r#"{"alg":null}"#,
            r#"{"alg":["ES256"]}"#,
            r#"{"alg":"ES256","kid":1}"#,
            r#"{"alg":"ES256","kid":null}"#,
            r#"{"alg":"ES256","alg":"ES256"}"#,
            r#"{"alg":"ES256","\u0061lg":"none"}"#,
            r#"{"alg":"ES256","x":1,"x":1}"#,
            r#"{"alg":"ES256","crit":["b64"],"b64":false}"#,
            r#"{"alg":"ES256","crit":null}"#,
        ] {
            assert!(Compact::parse(&with_header(bad)).is_none(), "{bad}");
        }
    }
}
