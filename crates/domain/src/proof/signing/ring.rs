//! The keys of one purpose, as a node has read them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::jws::{Algorithm, Compact, PublicNumbers, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::{SigningKeyRow, SigningPurpose};
use crate::core::error::Error;
use crate::core::time::Timestamp;

/// A public key as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicSigningKey {
    pub kid: String,
    pub algorithm: Algorithm,
    pub numbers: PublicNumbers,
    pub created: Timestamp,
    pub retires: Option<Timestamp>,
}

/// How long a node trusts the set that it read.
const FRESH: Duration = Duration::from_secs(60);

/// The keys of one purpose, newest first.
pub struct Ring {
    keys: Vec<RingKey>,
    read_at: Timestamp,
}

struct RingKey {
    public: PublicSigningKey,
    signing: SigningKey,
    verifying: VerifyingKey,
}

impl Ring {
    /// The set that was read at that moment. `rows`: oldest first.
    pub(super) fn of(rows: &[SigningKeyRow], read_at: Timestamp) -> Result<Self, Error> {
        let keys: Result<Vec<_>, Error> = rows.iter().rev().map(RingKey::of).collect();
        Ok(Self {
            keys: keys?,
            read_at,
        })
    }

    /// Whether the set may still be used without reading it again. One from the future is not trusted.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        self.read_at <= now && now < self.read_at.plus(FRESH)
    }

    /// The published keys: those that sign or still verify.
    pub fn public(&self, now: Timestamp) -> Vec<PublicSigningKey> {
        self.live(now).map(|key| key.public.clone()).collect()
    }

    /// The keys that still verify.
    fn live(&self, now: Timestamp) -> impl Iterator<Item = &RingKey> {
        self.keys
            .iter()
            .filter(move |key| key.public.retires.is_none_or(|retires| now < retires))
    }

    /// The key that signs.
    fn newest(&self) -> Option<&RingKey> {
        self.keys.iter().find(|key| key.public.retires.is_none())
    }

    pub(super) fn knows(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.public.kid == kid)
    }

    /// Signs `claims` (JSON) with the newest key that is not retired.
    pub(super) fn sign(
        &self,
        algorithm: Algorithm,
        typ: &str,
        claims: &[u8],
    ) -> Result<String, Error> {
        let key = self
            .newest()
            .ok_or_else(|| Error::bug("a purpose has no signing key"))?;
        let header =
            serde_json::json!({ "alg": algorithm.name(), "typ": typ, "kid": key.public.kid });
        key.signing
            .sign(header.to_string().as_bytes(), claims)
            .map_err(Error::bug)
    }

    /// Whether the key that the token names signed it, and still verifies.
    pub(super) fn verify(&self, now: Timestamp, token: &Compact<'_>) -> bool {
        let named = token.header().key_id();
        self.live(now)
            .find(|key| named == Some(&key.public.kid))
            .is_some_and(|key| key.verifying.verifies(token))
    }
}

/// The sets that this node has read.
#[derive(Default)]
pub(crate) struct Rings(Mutex<HashMap<&'static str, Arc<Ring>>>);

impl Rings {
    pub(super) fn known(&self, purpose: SigningPurpose) -> Option<Arc<Ring>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(purpose.name)
            .cloned()
    }

    pub(super) fn keep(&self, purpose: SigningPurpose, ring: &Arc<Ring>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(purpose.name, Arc::clone(ring));
    }
}

impl RingKey {
    fn of(row: &SigningKeyRow) -> Result<Self, Error> {
        let algorithm =
            Algorithm::named(&row.algorithm).ok_or_else(|| Error::bug("an unknown algorithm"))?;
        let pkcs8 = Zeroizing::new(STANDARD.decode(row.pkcs8.as_bytes()).map_err(Error::bug)?);
        let signing = SigningKey::from_pkcs8(algorithm, &pkcs8).map_err(Error::bug)?;
        let numbers = signing.public_numbers().map_err(Error::bug)?;
        let verifying = VerifyingKey::new(algorithm, &numbers).map_err(Error::bug)?;
        let public = PublicSigningKey {
            kid: row.kid.clone(),
            algorithm,
            numbers,
            created: row.created,
            retires: row.retires,
        };
        Ok(Self {
            public,
            signing,
            verifying,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * SECOND)
    }

    fn row(kid: &str, retires: Option<i64>) -> SigningKeyRow {
        let pkcs8 = SigningKey::generate(Algorithm::Es256).unwrap();
        SigningKeyRow {
            kid: kid.to_owned(),
            algorithm: Algorithm::Es256.name().to_owned(),
            pkcs8: Zeroizing::new(STANDARD.encode(pkcs8.as_slice())),
            created: at(0),
            retires: retires.map(at),
        }
    }

    fn verifies(ring: &Ring, now: i64, token: &str) -> bool {
        ring.verify(at(now), &Compact::parse(token).unwrap())
    }

    #[test]
    fn a_set_is_fresh_for_a_minute_and_never_before_it_was_read() {
        let ring = Ring::of(&[], at(100)).unwrap();
        for (now, fresh) in [(99, false), (100, true), (159, true), (160, false)] {
            assert_eq!(ring.is_fresh(at(now)), fresh, "{now}");
        }
    }

    #[test]
    fn a_retired_key_verifies_until_its_moment_and_signs_no_more() {
        let mut rows = vec![row("old", None)];
        let before = Ring::of(&rows, at(0)).unwrap();
        let token = before.sign(Algorithm::Es256, "JWT", b"{}").unwrap();
        rows[0].retires = Some(at(50));
        rows.push(row("new", None));
        let ring = Ring::of(&rows, at(0)).unwrap();
        assert!(verifies(&ring, 49, &token));
        assert!(!verifies(&ring, 50, &token));
        let newer = ring.sign(Algorithm::Es256, "JWT", b"{}").unwrap();
        let newer = Compact::parse(&newer).unwrap();
        assert_eq!(newer.header().key_id(), Some("new"));
        assert!(ring.verify(at(49), &newer));
    }

    #[test]
    fn a_token_verifies_only_with_the_key_that_it_names() {
        let one = Ring::of(&[row("same", None)], at(0)).unwrap();
        let other = Ring::of(&[row("same", None)], at(0)).unwrap();
        let token = one.sign(Algorithm::Es256, "JWT", b"{}").unwrap();
        assert!(verifies(&one, 0, &token));
        assert!(!verifies(&other, 0, &token));
    }

    #[test]
    fn retired_keys_are_published_as_long_as_they_verify_newest_first() {
        let rows = [row("old", Some(50)), row("new", None)];
        let ring = Ring::of(&rows, at(0)).unwrap();
        let kids = |now| {
            let keys = ring.public(at(now)).into_iter();
            keys.map(|key| key.kid).collect::<Vec<_>>()
        };
        assert_eq!(kids(49), ["new", "old"]);
        assert_eq!(kids(50), ["new"]);
        assert!(ring.knows("old"));
        assert!(!ring.knows("other"));
    }

    #[test]
    fn without_a_key_that_signs_nothing_is_signed() {
        let ring = Ring::of(&[row("old", Some(50))], at(0)).unwrap();
        assert!(ring.sign(Algorithm::Es256, "JWT", b"{}").is_err());
    }

    #[test]
    fn a_row_that_holds_no_key_is_a_bug_and_not_an_empty_set() {
        let broken: [fn(&mut SigningKeyRow); 3] = [
            |row| row.algorithm = "none".to_owned(),
            |row| row.pkcs8 = Zeroizing::new("%".to_owned()),
            |row| row.pkcs8 = Zeroizing::new(STANDARD.encode(b"no key")),
        ];
        for (number, change) in broken.into_iter().enumerate() {
            let mut row = row("a", None);
            change(&mut row);
            let set = Ring::of(&[row], at(0));
            assert!(matches!(set, Err(Error::Bug(_))), "{number}");
        }
    }

    #[test]
    fn the_newest_of_several_keys_signs() {
        let rows = [
            row("first", None),
            row("second", None),
            row("third", Some(50)),
        ];
        let ring = Ring::of(&rows, at(0)).unwrap();
        let token = ring.sign(Algorithm::Es256, "JWT", b"{}").unwrap();
        let token = Compact::parse(&token).unwrap();
        assert_eq!(token.header().key_id(), Some("second"));
        assert_eq!(token.header().typ(), Some("JWT"));
    }

    #[test]
    fn each_purpose_has_a_set_of_its_own() {
        let purpose = |name| SigningPurpose {
            name,
            algorithm: Algorithm::Es256,
        };
        let rings = Rings::default();
        let ring = Arc::new(Ring::of(&[row("a", None)], at(0)).unwrap());
        rings.keep(purpose("one"), &ring);
        assert!(
            rings
                .known(purpose("one"))
                .is_some_and(|ring| ring.knows("a"))
        );
        assert!(rings.known(purpose("other")).is_none());
    }
}
