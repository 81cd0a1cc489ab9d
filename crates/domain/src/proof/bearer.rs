//! Bearer secrets: random texts that give a right to anybody who shows them.
//!
//! Of such a text only a keyed hash is stored: it is the row id of the record that the text gives access to. So finding
//! the record is one indexed read, using it up is one atomic removal, and a stolen database gives access to nothing.

use crate::core::id::Id;
use crate::core::port::random::bytes;
use crate::core::record::Record;
use crate::proof::Proofs;

impl Proofs {
    /// A new secret: `N` random bytes in lower-case hex.
    pub(crate) fn fresh_bearer<const N: usize>(&self) -> String {
        hex::encode(bytes::<N>(self.random.as_ref()))
    }

    /// The id of the record of kind `R` that a presented text leads to, if there is one.
    pub(crate) fn bearer<R: Record>(&self, text: &str) -> Id<R> {
        self.rows.named(&[b"bearer", text.as_bytes()])
    }
}

/// Whether a presented text could have been issued: `digits` lower-case hex digits.
pub(crate) fn has_form(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_its_length_in_lower_case_hex() {
        assert!(has_form("0123456789abcdef", 16));
        for bad in [
            "",
            "0123456789abcde",
            "0123456789abcdef0",
            "0123456789ABCDEF",
            "0123456789abcdeg",
        ] {
            assert!(!has_form(bad, 16), "{bad}");
        }
        assert!(
            !has_form("ä12345", 7),
            "digits are counted, and other letters are none"
        );
    }
}
