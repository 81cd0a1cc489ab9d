//! Secrets as values that cannot be printed, are wiped on drop and compare in constant time.

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret text: a PIN, a password, a code on its way to its owner.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretText(String);

impl SecretText {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the call that consumes it and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Secret bytes: key material.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

macro_rules! opaque {
    ($name:ident) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                AsRef::<[u8]>::as_ref(&self.0)
                    .ct_eq(other.0.as_ref())
                    .into()
            }
        }

        impl Eq for $name {}
    };
}

opaque!(SecretText);
opaque!(SecretBytes);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let text = SecretText::new("1234".to_owned());
        assert_eq!(format!("{text:?}"), "SecretText(…)");
        let bytes = SecretBytes::new(vec![1, 2]);
        assert_eq!(format!("{bytes:?}"), "SecretBytes(…)");
    }

    #[test]
    fn secrets_are_equal_when_their_contents_are() {
        let text = |text: &str| SecretText::new(text.to_owned());
        assert_eq!(text("1234"), text("1234"));
        for other in ["", "123", "1235", "12345"] {
            assert_ne!(text("1234"), text(other), "{other}");
        }
        assert_ne!(SecretBytes::new(vec![0]), SecretBytes::new(vec![0, 0]));
        assert_eq!(SecretBytes::new(vec![7]).expose(), [7]);
    }
}
