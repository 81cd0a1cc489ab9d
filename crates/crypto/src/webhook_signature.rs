//! Signed HTTP bodies between this server and one that shares a secret with it (duo-auth sheet §11).
//!
//! The signature is `v1=` and the hex HMAC-SHA-256 of `prefix:timestamp:id:body`, or of `prefix:id:body` for an
//! answer; the id binds the answer to its request. Prefix and id must not contain colons, because two messages
//! could otherwise have the same bytes; a UUID contains none.

use std::fmt;

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq;

/// The version of the signature, in front of the hex digits.
const SCHEME: &str = "v1=";

/// What a signature covers.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Distinguishes requests (`v1`) from answers (`v1r`), so that one cannot be used as the other.
    pub prefix: &'a str,
    /// The time as sent, in seconds since 1970; `None` in an answer.
    pub timestamp: Option<u64>,
    /// The request's id.
    pub id: &'a str,
    /// The bytes of the body as sent.
    pub body: &'a [u8],
}

/// The shared secret, of any length. The caller must make sure that it is long enough.
pub struct Secret(hmac::Key);

impl Secret {
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The header value for a message.
    pub fn sign(&self, message: &Message) -> String {
        format!("{SCHEME}{}", hex::encode(self.tag(message)))
    }

    /// Whether a header value is the signature of the message, compared in constant time.
    pub fn verify(&self, message: &Message, header: &str) -> bool {
        let mut candidate = [0; 32];
        let well_formed = header
            .strip_prefix(SCHEME)
            .is_some_and(|digits| hex::decode_to_slice(digits, &mut candidate).is_ok());
        well_formed && self.tag(message).as_ref().ct_eq(&candidate).into()
    }

    fn tag(&self, message: &Message) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(message.prefix.as_bytes());
        if let Some(timestamp) = message.timestamp {
            context.update(format!(":{timestamp}").as_bytes());
        }
        context.update(format!(":{}:", message.id).as_bytes());
        context.update(message.body);
        context.sign()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
