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
