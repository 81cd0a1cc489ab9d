//! HKDF-SHA-256 (RFC 5869): derives many keys from one secret; no key reveals anything about another.

use aws_lc_rs::hkdf;

use crate::Key;

/// Derives a key from `secret` for the purpose `label` in the given `context`.
///
/// The label is the HKDF salt. The context parts, each with its length, are the info.
pub fn derive(secret: &Key, label: &str, context: &[&[u8]]) -> Key {
    let mut info = Vec::new();
    for part in context {
        info.extend_from_slice(&(part.len() as u64).to_be_bytes());
        info.extend_from_slice(part);
    }
    let info = [info.as_slice()];
    let mut out = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, label.as_bytes())
        .extract(secret.expose())
        .expand(&info, hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut out))
        .expect("32 bytes are a valid HKDF output length");
    Key::new(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_and_context_separate_keys() {
        let root = Key::new([1; 32]);
        let one = derive(&root, "a", &[b"x"]);
        assert_eq!(one, derive(&root, "a", &[b"x"]));
        assert_ne!(one, derive(&root, "b", &[b"x"]));
        assert_ne!(one, derive(&root, "a", &[b"y"]));
        assert_ne!(
            derive(&root, "a", &[b"xy"]),
            derive(&root, "a", &[b"x", b"y"])
        );
    }
}
