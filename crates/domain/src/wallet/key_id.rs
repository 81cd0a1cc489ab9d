//! Names of keys, and the spellings of one name.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The name of a key, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WalletKeyId(String);

impl WalletKeyId {
    /// Accepts `[A-Za-z0-9_.:+/=-]{1,128}`.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:+/=-".contains(&byte);
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(allowed);
        fits.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Lower case if the whole id is hex: this is how ids from signing servers are stored.
    pub(super) fn normal(&self) -> Self {
        if self.0.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Self(self.0.to_ascii_lowercase())
        } else {
            self.clone()
        }
    }

    /// Lower-case hex of an id that is 32 bytes in another spelling: upper-case hex, or base64 of either alphabet.
    pub(super) fn respelled(&self) -> Option<Self> {
        if self.0.len() == 64 && self.0.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(self.normal());
        }
        let bare = self.0.trim_end_matches('=');
        let bytes = STANDARD_NO_PAD
            .decode(bare)
            .or_else(|_| URL_SAFE_NO_PAD.decode(bare));
        let bytes = bytes.ok().filter(|bytes| bytes.len() == 32)?;
        Some(Self(hex::encode(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thirty_two_bytes_have_several_spellings() {
        let hex = "ab".repeat(32);
        let id = |text: &str| WalletKeyId::parse(text).unwrap();
        for spelling in [
            hex.to_uppercase(),
            hex.clone(),
            base64::engine::general_purpose::STANDARD.encode([0xab; 32]),
            URL_SAFE_NO_PAD.encode([0xab; 32]),
        ] {
            assert_eq!(id(&spelling).respelled(), Some(id(&hex)), "{spelling}");
        }
        assert_eq!(id("wallet-1").respelled(), None);
        assert_eq!(id("ABC").normal(), id("abc"));
        assert_eq!(id("ABX").normal(), id("ABX"));
        for bad in ["", "a b", "ä", &"a".repeat(129)] {
            assert_eq!(WalletKeyId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_name_has_one_to_a_hundred_and_twenty_eight_characters() {
        for length in [1, 2, 127, 128] {
            let text = "a".repeat(length);
            assert_eq!(WalletKeyId::parse(&text).unwrap().as_str(), text);
        }
        for length in [0, 129, 1000] {
            assert_eq!(WalletKeyId::parse(&"a".repeat(length)), None, "{length}");
        }
    }

    #[test]
    fn names_of_other_lengths_than_thirty_two_bytes_have_one_spelling() {
        for bytes in [0_usize, 16, 31, 33, 48] {
            let hex = "ab".repeat(bytes);
            let base64 = STANDARD_NO_PAD.encode(vec![0xab; bytes]);
            for text in [hex, base64] {
                let respelled = WalletKeyId::parse(&text).and_then(|id| id.respelled());
                // 48 bytes of base64 are 64 characters, and so might be hex; these are not.
                assert_eq!(respelled, None, "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_stored_form_of_a_name_is_its_own_stored_form(text in "[A-Za-z0-9_.:+/=-]{1,128}") {
            let id = WalletKeyId::parse(&text).unwrap();
            prop_assert_eq!(id.normal().normal(), id.normal());
            prop_assert!(id.normal().as_str().eq_ignore_ascii_case(&text));
        }

        #[test]
        fn every_spelling_of_thirty_two_bytes_leads_to_the_stored_form(bytes in any::<[u8; 32]>()) {
            let stored = WalletKeyId::parse(&hex::encode(bytes)).unwrap();
            for text in [
                hex::encode_upper(bytes),
                STANDARD_NO_PAD.encode(bytes),
                URL_SAFE_NO_PAD.encode(bytes),
            ] {
                let found = WalletKeyId::parse(&text).unwrap().respelled();
                prop_assert_eq!(found.as_ref(), Some(&stored));
            }
        }
    }
}
