//! A zero-knowledge password login, mainly the server's part: SRP-6a in the variant of the enceeper sheet §3.
//!
//! The 8192-bit group of RFC 5054 with g = 19, SHA-512 everywhere, every number hashed as 1024 bytes:
//!
//! ```text
//! x  = H(salt | H(I | ":" | P))        v  = g^x             at the client, once
//! k  = H(N | g)                        B  = k*v + g^b       challenge
//! u  = H(A | B)                        S  = (A * v^u)^b     login
//! K  = H(S)    M1 = H(A | B | K)       M2 = H(A | M1 | K)
//! ```
//!
//! 1. At registration the client's [`Salt`] and [`Verifier`] are stored. For an address without an account there
//!    is a [`decoy`], so that a challenge does not reveal whether an account exists.
//! 2. [`ServerHandshake::start`] computes `B` from a verifier and a new secret `b`.
//! 3. At login the same call with the stored `b` restores the handshake, and [`ServerHandshake::prove`] checks the
//!    client's proof and returns the server's.
//!
//! Every operation on `b` or the verifier takes the same time for all values. Our copies of the numbers are wiped;
//! the tables inside the library's exponentiation are freed without being wiped.

mod client;
mod group;
mod value;

use std::fmt;

use aws_lc_rs::digest;
use crypto_bigint::BoxedUint;
use crypto_bigint::modular::BoxedMontyForm;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::Key;
pub use client::ClientHandshake;
use group::Group;
pub use value::{
    ClientProof, ClientPublic, ClientPublicError, FormatError, Salt, Verifier, VerifierError, decoy,
};

/// Length of N, A, B, S and the verifier in bytes. Every one of them is hashed at this length.
pub const NUMBER_LEN: usize = 1024;
/// Length of K, M1 and M2 in bytes.
pub const HASH_LEN: usize = 64;

/// Computes the constants of the group (about 20 ms and one MiB). Otherwise the first handshake does this.
pub fn prepare() {
    Group::get();
}

/// The client's proof is wrong: a wrong password, another account's verifier, or no password at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongProof;

impl fmt::Display for WrongProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the proof does not fit the verifier")
    }
}

impl std::error::Error for WrongProof {}

/// One login attempt on the server: a verifier, a secret `b`, and the resulting `B`.
pub struct ServerHandshake {
    verifier: Zeroizing<BoxedMontyForm>,
    secret: Zeroizing<BoxedUint>,
    public: Box<[u8; NUMBER_LEN]>,
}

impl ServerHandshake {
    /// Computes `B`. The same verifier and `b` always give the same handshake, so only `b` has to be stored
    /// between challenge and login.
    ///
    /// `b` must be new and secret for every challenge. Returns `None` if `B` would be 0; then use another `b`.
    pub fn start(verifier: &Verifier, b: &Key) -> Option<Self> {
        let group = Group::get();
        let verifier = Zeroizing::new(group.element(verifier.as_bytes())?);
        let public = &*group.masked(&verifier) + &*group.generator_power(b);
        if public.is_zero().into() {
            return None;
        }
        Some(Self {
            verifier,
            secret: Zeroizing::new(group::exponent(b.expose())),
            public: group::padded(&public)?,
        })
    }

    /// `B`, the server's public number, big-endian.
    pub fn public(&self) -> &[u8; NUMBER_LEN] {
        &self.public
    }

    /// Checks M1 and returns M2. A caller whose M1 was wrong must never get M2.
    pub fn prove(
        &self,
        client: &ClientPublic,
        proof: &ClientProof,
    ) -> Result<[u8; HASH_LEN], WrongProof> {
        let (a, b) = (client.as_bytes(), &self.public[..]);
        let key = self.session_key(client).ok_or(WrongProof)?;
        let expected = Zeroizing::new(sha512(&[a, b, &key[..]]));
        if !bool::from(expected[..].ct_eq(proof.as_bytes())) {
            return Err(WrongProof);
        }
        Ok(sha512(&[a, proof.as_bytes(), &key[..]]))
    }

    /// K. `None` if u is 0, because S would then not depend on the password.
    fn session_key(&self, client: &ClientPublic) -> Option<Zeroizing<[u8; HASH_LEN]>> {
        let u = sha512(&[client.as_bytes(), &self.public[..]]);
        if u == [0; HASH_LEN] {
            return None;
        }
        let client = Group::get().element(client.as_bytes())?;
        let scrambled = group::power(&self.verifier, &group::exponent(&u));
        let base = Zeroizing::new(&client * &*scrambled);
        let shared = group::power(&base, &self.secret);
        let mut bytes = group::padded(&shared)?;
        let key = Zeroizing::new(sha512(&[&bytes[..]]));
        bytes.zeroize();
        Some(key)
    }
}

impl fmt::Debug for ServerHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerHandshake(…)")
    }
}

/// SHA-512 of the concatenated parts.
fn sha512(parts: &[&[u8]]) -> [u8; HASH_LEN] {
    let mut context = digest::Context::new(&digest::SHA512);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; HASH_LEN];
    out.copy_from_slice(context.finish().as_ref());
    out
}
