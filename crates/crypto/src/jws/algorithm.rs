//! The signature algorithms (RFC 7518 §3.1, RFC 8037 §3.1) and what the library calls them.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, VerificationAlgorithm,
};

/// A public-key signature algorithm. There is none for shared secrets and none for "none".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256; this and the other RSA algorithms take keys of 2048 to 8192 bits.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes.
    Ps256,
    /// RSASSA-PSS with SHA-384 and a salt of 48 bytes.
    Ps384,
    /// RSASSA-PSS with SHA-512 and a salt of 64 bytes.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

/// How an algorithm takes its public keys.
pub(super) enum KeyForm {
    /// Modulus and exponent.
    Rsa(&'static RsaParameters),
    /// A point of a curve, whose coordinates have this many bytes each.
    Point(&'static dyn VerificationAlgorithm, usize),
    /// 32 bytes (RFC 8032 §5.1.5).
    Edwards,
}

impl Algorithm {
    /// Every algorithm, in the order of [`Algorithm::NAMES`].
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The names that an allow-list may hold.
    pub const NAMES: [&'static str; 9] = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    ];

    /// The name in a header's `alg`.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The algorithm of exactly this name; `None` for every other text.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    pub(super) fn key_form(self) -> KeyForm {
        match self {
            Self::Rs256 => KeyForm::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => KeyForm::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => KeyForm::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => KeyForm::Rsa(&RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => KeyForm::Rsa(&RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => KeyForm::Rsa(&RSA_PSS_2048_8192_SHA512),
            Self::Es256 => KeyForm::Point(&ECDSA_P256_SHA256_FIXED, 32),
            Self::Es384 => KeyForm::Point(&ECDSA_P384_SHA384_FIXED, 48),
            Self::EdDsa => KeyForm::Edwards,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_algorithms_are_in_one_order() {
        let names = Algorithm::ALL.map(|algorithm| format!("{algorithm:?}").to_uppercase());
        assert_eq!(names, Algorithm::NAMES.map(str::to_uppercase));
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::named(algorithm.name()), Some(algorithm));
        }
    }
}
