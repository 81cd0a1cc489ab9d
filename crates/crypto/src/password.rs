//! Memory-hard hashing of PINs and passwords: Argon2id (RFC 9106), and scrypt (RFC 7914) for imports.

use argon2::{Algorithm, Argon2, Block, Version};

use crate::Key;

/// Cost of one Argon2id hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes. They are computed one after another on one thread.
    pub lanes: u32,
}

impl Cost {
    /// 19 MiB, two passes, one lane: the first choice of the OWASP Password Storage cheat sheet.
    pub const OWASP: Self = Self {
        memory_kib: 19_456,
        passes: 2,
        lanes: 1,
    };
    /// For tests only, which need thousands of cheap hashes.
    pub const CHEAPEST: Self = Self {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    /// Whether Argon2 accepts these numbers.
    pub fn is_valid(&self) -> bool {
        check(self).is_some()
    }
}

/// The memory for one hash. It is kept between hashes, because allocating new pages would cost as much as the
/// hash.
#[derive(Default)]
pub struct Memory(Vec<Block>);

/// The 32-byte Argon2id output for `password` and `salt` at `cost`.
///
/// # Errors
/// `None` if the cost or the salt (8 to 64 bytes) is outside what Argon2 allows.
pub fn argon2id(cost: &Cost, password: &[u8], salt: &[u8], memory: &mut Memory) -> Option<Key> {
    let params = check(cost)?;
    let blocks = params.block_count();
    if memory.0.len() < blocks {
        memory.0.resize(blocks, Block::default());
    }
    let mut out = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, &mut out, &mut memory.0[..blocks])
        .ok()?;
    Some(Key::new(out))
}

/// scrypt with N = 16384, r = 8, p = 1 and 32 bytes of output, for hashes imported from another server.
pub fn scrypt_16384_8_1(password: &[u8], salt: &[u8]) -> Key {
    let params = scrypt::Params::new(14, 8, 1).expect("these are valid scrypt parameters");
    let mut out = [0; 32];
    scrypt::scrypt(password, salt, &params, &mut out)
        .expect("32 bytes are a valid scrypt output length");
    Key::new(out)
}

/// Lets the library check the numbers.
fn check(cost: &Cost) -> Option<argon2::Params> {
    argon2::Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, engine::general_purpose::STANDARD};

    #[test]
    fn argon2id_is_stable_and_depends_on_everything() {
        let mut memory = Memory::default();
        let salt = [3; 16];
        let one = argon2id(&Cost::CHEAPEST, b"1234", &salt, &mut memory).unwrap();
        let dearer = Cost {
            passes: 2,
            ..Cost::CHEAPEST
        };
        assert_eq!(
            one,
            argon2id(&Cost::CHEAPEST, b"1234", &salt, &mut memory).unwrap()
        );
        assert_ne!(
            one,
            argon2id(&Cost::CHEAPEST, b"1235", &salt, &mut memory).unwrap()
        );
        assert_ne!(
            one,
            argon2id(&Cost::CHEAPEST, b"1234", &[4; 16], &mut memory).unwrap()
        );
        assert_ne!(one, argon2id(&dearer, b"1234", &salt, &mut memory).unwrap());
        assert!(argon2id(&Cost::CHEAPEST, b"1234", &[3; 7], &mut memory).is_none());
    }

    /// Reused memory must not leak into the result: a large hash before a small one changes nothing.
    #[test]
    fn reused_memory_changes_no_result() {
        let mut memory = Memory::default();
        let large = Cost {
            memory_kib: 256,
            ..Cost::CHEAPEST
        };
        argon2id(&large, b"x", &[1; 16], &mut memory).unwrap();
        let reused = argon2id(&Cost::CHEAPEST, b"1234", &[3; 16], &mut memory).unwrap();
        let fresh = argon2id(&Cost::CHEAPEST, b"1234", &[3; 16], &mut Memory::default()).unwrap();
        assert_eq!(reused, fresh);
    }

    /// Vectors of the sheet `photon.md`, section 10.
    #[test]
    fn scrypt_vectors() {
        let cases = [
            (
                "+4917512345678",
                "tOJwVFGDzfUgkYnIqM4wg51oQ5/yZ56w0lE4lA0pIXU=",
                "ImS3Zs1tdXD/1O95aQ8kVvVXNxW1bwSg+Z/ov9WVaEw=",
            ),
            (
                "1234",
                "KhepHQfa0cNlA88ESlGfVuvWjkvCypkVbVdLseXGpRg=",
                "S4ysSX7HTDuI94BavlJV0EG2QKjYfiHseYrJ5J5fIK8=",
            ),
            (
                "5678",
                "KhepHQfa0cNlA88ESlGfVuvWjkvCypkVbVdLseXGpRg=",
                "Y5mBdHc6k0/xo8LlAT7XhjksPbVv/AvG8p8bteoPJxU=",
            ),
            (
                "pä ß",
                "KhepHQfa0cNlA88ESlGfVuvWjkvCypkVbVdLseXGpRg=",
                "ss3PvSuT7Vyn4lYun81T1Yb0uyBs06YsYpbH7Fdsl1U=",
            ),
        ];
        for (text, salt, expected) in cases {
            let salt = STANDARD.decode(salt).unwrap();
            let got = scrypt_16384_8_1(text.as_bytes(), &salt);
            assert_eq!(STANDARD.encode(got.expose()), expected, "{text}");
        }
    }
}
