//! The client's part of a login, for a program that tests a server. Clients of the API have their own.

use zeroize::{Zeroize, Zeroizing};

use super::group::{self, Group};
use super::{HASH_LEN, NUMBER_LEN, Verifier, sha512};
use crate::Key;

/// A client's state of one login: x, which is derived from the password, and the secret `a`.
pub struct ClientHandshake {
    password: Zeroizing<[u8; HASH_LEN]>,
    secret: Key,
}

impl ClientHandshake {
    /// `x` as [`HASH_LEN`] bytes, big-endian; `a` must be new and secret for every login.
    pub fn new(x: [u8; HASH_LEN], a: Key) -> Self {
        Self {
            password: Zeroizing::new(x),
            secret: a,
        }
    }

    /// The verifier that the server stores. `None` for an x that gives no valid verifier.
    pub fn verifier(&self) -> Option<Verifier> {
        let bytes = group::padded(&Group::get().power_of_generator(&self.password[..]))?;
        Verifier::from_bytes(&bytes[..]).ok()
    }

    /// A.
    pub fn public(&self) -> Option<Box<[u8; NUMBER_LEN]>> {
        group::padded(&Group::get().generator_power(&self.secret))
    }

    /// M1, for the server's `B`. `None` for a `B` that a client must refuse (RFC 5054 §2.5.3).
    pub fn prove(&self, server: &[u8]) -> Option<[u8; HASH_LEN]> {
        let group = Group::get();
        let public = group.element(server)?;
        if public.is_zero().into() {
            return None;
        }
        let (a, b) = (self.public()?, group::padded(&public)?);
        let u = sha512(&[&a[..], &b[..]]);
        let verifier = group.power_of_generator(&self.password[..]);
        let base = Zeroizing::new(&public - &*group.masked(&verifier));
        // S = base^(a + u*x), without adding or multiplying exponents.
        let first = group::power(&base, &group::exponent(self.secret.expose()));
        let second = group::power(&base, &group::exponent(&u));
        let second = group::power(&second, &group::exponent(&self.password[..]));
        let mut shared = group::padded(&Zeroizing::new(&*first * &*second))?;
        let key = Zeroizing::new(sha512(&[&shared[..]]));
        shared.zeroize();
        Some(sha512(&[&a[..], &b[..], &key[..]]))
    }
}

impl std::fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientHandshake(…)")
    }
}
