//! The secrets of clients, and how they are compared.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::core::port::Random;
use crate::core::port::random::bytes;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;

/// SHA-256 of a secret of 256 random bits, which needs no slow hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SecretHash {
    hash: String,
    /// When the secret ends, because a newer one replaces it.
    expires: Option<Timestamp>,
}

/// Whether a client has proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authentication {
    Right,
    Wrong,
}

/// A new secret: 32 random bytes in base64url.
pub(super) fn new_secret(random: &dyn Random) -> SecretText {
    SecretText::new(URL_SAFE_NO_PAD.encode(bytes::<32>(random)))
}

impl SecretHash {
    pub(super) fn of(secret: &SecretText) -> Self {
        Self {
            hash: hash(secret),
            expires: None,
        }
    }

    fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// Ends the secret then, unless it ends before.
    fn end_at(&mut self, end: Timestamp) {
        self.expires = Some(self.expires.map_or(end, |expires| expires.min(end)));
    }
}

/// Adds a secret. Those before it end after `overlap`, or when they would have ended anyway.
pub(super) fn rotate(
    secrets: &mut Vec<SecretHash>,
    now: Timestamp,
    overlap: Duration,
    new: &SecretText,
) {
    secrets.retain(|secret| secret.is_live(now));
    for secret in secrets.iter_mut() {
        secret.end_at(now.plus(overlap));
    }
    secrets.push(SecretHash::of(new));
}

/// Compares with every secret that has not ended, in constant time.
pub(super) fn compare(
    secrets: &[SecretHash],
    now: Timestamp,
    presented: &SecretText,
) -> Authentication {
    let presented = hash(presented);
    let mut right = subtle::Choice::from(0);
    for known in secrets {
        right |= presented.as_bytes().ct_eq(known.hash.as_bytes())
            & subtle::Choice::from(u8::from(known.is_live(now)));
    }
    if bool::from(right) {
        Authentication::Right
    } else {
        Authentication::Wrong
    }
}

/// The work of [`compare`] for a client that does not exist, so that timing does not reveal which clients exist.
pub(super) fn pretend_to_compare(presented: &SecretText) -> Authentication {
    let presented = hash(presented);
    let nothing = "0".repeat(presented.len());
    std::hint::black_box(presented.as_bytes().ct_eq(nothing.as_bytes()));
    Authentication::Wrong
}

fn hash(secret: &SecretText) -> String {
    URL_SAFE_NO_PAD.encode(crypto::mac::sha256(secret.expose().as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Authentication::{Right, Wrong};
    use super::*;

    const OVERLAP: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn text(text: &str) -> SecretText {
        SecretText::new(text.to_owned())
    }

    /// The secret "old" until second 100 replaced it by "new".
    fn rotated() -> Vec<SecretHash> {
        let mut secrets = vec![SecretHash::of(&text("old"))];
        rotate(&mut secrets, at(100), OVERLAP, &text("new"));
        secrets
    }

    #[test]
    fn only_the_secret_itself_is_right() {
        let secrets = [SecretHash::of(&text("right"))];
        assert_eq!(compare(&secrets, at(0), &text("right")), Right);
        for wrong in ["", "Right", "right ", &hash(&text("right"))] {
            assert_eq!(compare(&secrets, at(0), &text(wrong)), Wrong, "{wrong:?}");
        }
        assert_eq!(compare(&[], at(0), &text("right")), Wrong);
    }

    #[test]
    fn the_record_does_not_hold_the_secret() {
        let stored = serde_json::to_string(&SecretHash::of(&text("a secret"))).unwrap();
        assert!(!stored.contains("a secret"));
        assert!(stored.contains("\"expires\":null"), "{stored}");
    }

    #[test]
    fn an_old_secret_works_until_the_overlap_is_over() {
        let secrets = rotated();
        for (second, verdict) in [(100, Right), (159, Right), (160, Wrong), (1000, Wrong)] {
            assert_eq!(
                compare(&secrets, at(second), &text("old")),
                verdict,
                "{second}"
            );
            assert_eq!(
                compare(&secrets, at(second), &text("new")),
                Right,
                "{second}"
            );
        }
    }

    #[test]
    fn an_overlap_of_nothing_ends_the_old_secret_at_once() {
        let mut secrets = vec![SecretHash::of(&text("old"))];
        rotate(&mut secrets, at(100), Duration::ZERO, &text("new"));
        assert_eq!(compare(&secrets, at(100), &text("old")), Wrong);
        assert_eq!(compare(&secrets, at(100), &text("new")), Right);
    }

    #[test]
    fn a_second_rotation_never_makes_an_old_secret_live_longer() {
        let mut secrets = rotated();
        rotate(&mut secrets, at(150), OVERLAP, &text("newest"));
        assert_eq!(secrets.len(), 3);
        assert_eq!(compare(&secrets, at(159), &text("old")), Right);
        assert_eq!(compare(&secrets, at(160), &text("old")), Wrong);
        assert_eq!(compare(&secrets, at(209), &text("new")), Right);
        assert_eq!(compare(&secrets, at(210), &text("new")), Wrong);
    }

    #[test]
    fn a_rotation_forgets_the_secrets_that_have_ended() {
        let mut secrets = rotated();
        rotate(&mut secrets, at(160), OVERLAP, &text("newest"));
        assert_eq!(secrets.len(), 2);
        assert_eq!(secrets[1], SecretHash::of(&text("newest")));
    }

    #[test]
    fn nobody_proves_to_be_an_unknown_client() {
        let zeros = "0".repeat(43);
        for presented in ["", "a secret", &zeros] {
            assert_eq!(pretend_to_compare(&text(presented)), Wrong);
        }
    }

    proptest! {
        #[test]
        fn a_secret_works_until_the_first_overlap_after_it_is_over(
            rotations in proptest::collection::vec((0_i64..100, 0_u64..100), 1..8),
            pause in 0_i64..100,
        ) {
            let mut secrets = vec![SecretHash::of(&text("0"))];
            // When each secret ends; the newest never does.
            let mut ends: Vec<Option<i64>> = vec![None];
            let mut now = 0;
            for (number, (wait, overlap)) in rotations.into_iter().enumerate() {
                now += wait;
                let overlap_end = now + i64::try_from(overlap).unwrap();
                for end in &mut ends {
                    *end = Some(end.map_or(overlap_end, |end| end.min(overlap_end)));
                }
                ends.push(None);
                let new = text(&(number + 1).to_string());
                rotate(&mut secrets, at(now), Duration::from_secs(overlap), &new);
            }
            now += pause;
            for (number, end) in ends.into_iter().enumerate() {
                let live = end.is_none_or(|end| now < end);
                let verdict = compare(&secrets, at(now), &text(&number.to_string()));
                prop_assert_eq!(verdict == Right, live, "{} at {}", number, now);
            }
        }
    }
}
