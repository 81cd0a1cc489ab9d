//! Passwords: what is kept of them, and which may be chosen.

pub(crate) mod attempt;

use std::sync::{Arc, LazyLock};

use crypto::Key;
use crypto::password::{Cost, Memory, argon2id};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::core::error::{Error, Refusal};
use crate::core::port::random::bytes;
use crate::core::port::roots::{Root, Roots};
use crate::core::secret::SecretText;
use crate::limit::hashing::HashQueue;
use crate::limit::lockout::Right;
use crate::proof::Proofs;

/// A password in the form in which it is hashed: NFKC, never cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Password(SecretText);

impl Password {
    pub fn new(text: &str) -> Self {
        Self(SecretText::new(text.nfkc().collect()))
    }

    fn length(&self) -> usize {
        self.0.expose().chars().count()
    }
}

/// Which passwords may be chosen.
#[derive(Debug, Clone)]
pub struct PasswordRules {
    /// In Unicode code points.
    pub least: usize,
    pub most: usize,
    pub upper_case: Needed,
    pub special: Needed,
    /// What the service is called: a password that says only that is no password.
    pub service: String,
}

/// Whether a password needs letters of some kind. NIST SP 800-63B-4 forbids such rules; some wires know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    Never,
    Always,
}

/// Passwords of eight letters and more that attackers try first. Its source is named in `NOTICE.md` beside it.
static COMMON: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| include_str!("password/common.txt").lines().collect());

impl PasswordRules {
    /// Whether `password` may be chosen by who is reached at `names`.
    pub fn judge(&self, password: &Password, names: &[&str]) -> Result<(), Refusal> {
        let refuse = |why| {
            Err(Refusal::Invalid {
                field: "password",
                why,
            })
        };
        let text = password.0.expose();
        if password.length() < self.least {
            return refuse("too short");
        }
        if password.length() > self.most {
            return refuse("too long");
        }
        if self.upper_case == Needed::Always && !text.chars().any(char::is_uppercase) {
            return refuse("needs an upper case letter");
        }
        if self.special == Needed::Always && text.chars().all(char::is_alphanumeric) {
            return refuse("needs a special letter");
        }
        let lower = text.to_lowercase();
        if is_common(&lower) || says_only(&lower, &self.service.to_lowercase()) {
            return refuse("too common");
        }
        if names
            .iter()
            .any(|name| !name.is_empty() && lower.contains(&name.to_lowercase()))
        {
            return refuse("contains the user's address");
        }
        Ok(())
    }
}

/// On the list, or a word of the list said twice or more.
fn is_common(lower: &str) -> bool {
    let listed = |word: &str| COMMON.binary_search(&word).is_ok();
    listed(lower)
        || (2..=lower.len() / 8).any(|times| {
            lower.len().is_multiple_of(times)
                && lower
                    .get(..lower.len() / times)
                    .is_some_and(|word| listed(word) && !one_letter(word) && says_only(lower, word))
        })
}

fn one_letter(word: &str) -> bool {
    let first = word.chars().next();
    word.chars().all(|letter| Some(letter) == first)
}

fn says_only(text: &str, word: &str) -> bool {
    !word.is_empty() && text.replace(word, "").is_empty()
}

/// What is kept of a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PasswordVerifier {
    salt: [u8; 16],
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    pepper: u32,
    check: [u8; 32],
}

impl PasswordVerifier {
    /// Slow: pool only.
    pub(crate) fn check(
        &self,
        roots: &dyn Roots,
        password: &Password,
        memory: &mut Memory,
    ) -> Result<Right, Error> {
        let check = hash(
            roots,
            self.pepper,
            &self.cost(),
            &self.salt,
            password,
            memory,
        )?;
        Ok(if check == Key::new(self.check) {
            Right::Yes
        } else {
            Right::No
        })
    }

    fn cost(&self) -> Cost {
        Cost {
            memory_kib: self.memory_kib,
            passes: self.passes,
            lanes: self.lanes,
        }
    }
}

fn hash(
    roots: &dyn Roots,
    pepper: u32,
    cost: &Cost,
    salt: &[u8; 16],
    password: &Password,
    memory: &mut Memory,
) -> Result<Key, Error> {
    let slow = argon2id(cost, password.0.expose().as_bytes(), salt, memory)
        .ok_or_else(|| Error::bug("the configured hash cost is impossible"))?;
    roots.prf(Root::Pepper, pepper, &[b"password", slow.expose()])
}

/// How a new password will be hashed.
#[derive(Clone, Copy)]
pub(crate) struct PasswordRecipe {
    salt: [u8; 16],
    cost: Cost,
    pepper: u32,
}

impl PasswordRecipe {
    fn is_that_of(&self, verifier: &PasswordVerifier) -> bool {
        // A newer pepper is another node's, which was started with the next key file.
        verifier.cost() == self.cost && verifier.pepper >= self.pepper
    }

    /// Slow: pool only.
    pub(crate) fn hash(
        &self,
        roots: &dyn Roots,
        password: &Password,
        memory: &mut Memory,
    ) -> Result<PasswordVerifier, Error> {
        let check = hash(roots, self.pepper, &self.cost, &self.salt, password, memory)?;
        Ok(PasswordVerifier {
            salt: self.salt,
            memory_kib: self.cost.memory_kib,
            passes: self.cost.passes,
            lanes: self.cost.lanes,
            pepper: self.pepper,
            check: *check.expose(),
        })
    }

    /// What an unknown subject's password is checked against, so that the work is the same.
    fn decoy(&self) -> PasswordVerifier {
        PasswordVerifier {
            salt: self.salt,
            memory_kib: self.cost.memory_kib,
            passes: self.cost.passes,
            lanes: self.cost.lanes,
            pepper: self.pepper,
            check: [0; 32],
        }
    }
}

impl Proofs {
    pub(crate) fn password_recipe(&self) -> PasswordRecipe {
        PasswordRecipe {
            salt: bytes(self.random.as_ref()),
            cost: self.hash.cost,
            pepper: self.roots.current(Root::Pepper),
        }
    }

    /// Hashes a new password on the pool.
    pub(crate) async fn hash_password(
        self: &Arc<Self>,
        password: Password,
    ) -> Result<PasswordVerifier, Error> {
        let ticket = self.hashes.admit(HashQueue::Password)?;
        let (recipe, roots) = (self.password_recipe(), Arc::clone(&self.roots));
        ticket
            .run(move |memory| recipe.hash(roots.as_ref(), &password, memory))
            .await?
    }

    /// Compares on the pool, counting nothing: whether a new password is the one that is kept.
    pub(crate) async fn is_password(
        self: &Arc<Self>,
        verifier: Option<PasswordVerifier>,
        password: Password,
    ) -> Result<Right, Error> {
        let ticket = self.hashes.admit(HashQueue::Password)?;
        let roots = Arc::clone(&self.roots);
        let verifier = verifier.unwrap_or_else(|| self.password_recipe().decoy());
        ticket
            .run(move |memory| verifier.check(roots.as_ref(), &password, memory))
            .await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> PasswordRules {
        PasswordRules {
            least: 15,
            most: 128,
            upper_case: Needed::Never,
            special: Needed::Never,
            service: "Keyward".to_owned(),
        }
    }

    fn judged(text: &str) -> Option<&'static str> {
        match rules().judge(&Password::new(text), &["jon.smith@example.com"]) {
            Err(Refusal::Invalid {
                field: "password",
                why,
            }) => Some(why),
            other => {
                assert_eq!(other, Ok(()));
                None
            }
        }
    }

    #[test]
    fn the_list_is_sorted_as_it_is_searched() {
        assert!(COMMON.is_sorted());
        assert!(COMMON.len() > 8000);
    }

    #[test]
    fn length_is_in_code_points_of_the_normal_form() {
        assert_eq!(judged("fourteen chars"), Some("too short"));
        assert_eq!(judged("fifteen  chars!"), None);
        assert_eq!(judged("ä".repeat(15).as_str()), None);
        assert_eq!(judged("a\u{308}".repeat(14).as_str()), Some("too short"));
        assert_eq!(judged("x".repeat(128).as_str()), None);
        assert_eq!(judged("x".repeat(129).as_str()), Some("too long"));
        assert_eq!(Password::new("ﬁ"), Password::new("fi"));
    }

    #[test]
    fn common_words_the_address_and_the_service_are_refused() {
        for bad in [
            "passwordpassword",
            "PasswordPassword",
            "1q2w3e4r5t6y7u8i9o",
            "KeywardKeywardKeyward",
        ] {
            assert_eq!(judged(bad), Some("too common"), "{bad}");
        }
        assert_eq!(
            judged("Jon.Smith@example.com 1"),
            Some("contains the user's address")
        );
        assert_eq!(judged("correct horse battery"), None);
    }

    #[test]
    fn needed_letters_are_a_switch() {
        let strict = PasswordRules {
            upper_case: Needed::Always,
            special: Needed::Always,
            ..rules()
        };
        let judge = |text: &str| strict.judge(&Password::new(text), &[]).is_ok();
        assert!(!judge("all lower case words"));
        assert!(!judge("NoSpecialLettersHere"));
        assert!(judge("Some Words Of Mine"));
    }

    const COST: Cost = Cost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    fn recipe(cost: Cost, pepper: u32) -> PasswordRecipe {
        PasswordRecipe {
            salt: [7; 16],
            cost,
            pepper,
        }
    }

    #[test]
    fn a_verifier_is_out_of_date_with_other_costs_or_an_older_pepper() {
        let kept = recipe(COST, 2).decoy();
        for (cost, pepper, current) in [
            (COST, 2, true),
            // A node with a newer key file made it.
            (COST, 1, true),
            (COST, 3, false),
            (Cost { passes: 2, ..COST }, 2, false),
            (
                Cost {
                    memory_kib: 16,
                    ..COST
                },
                2,
                false,
            ),
            (Cost { lanes: 2, ..COST }, 2, false),
        ] {
            let today = recipe(cost, pepper);
            assert_eq!(today.is_that_of(&kept), current, "{cost:?} {pepper}");
        }
    }

    #[test]
    fn a_verifier_is_stored_with_the_numbers_that_it_was_made_with() {
        let stored = serde_json::to_value(recipe(COST, 3).decoy()).unwrap();
        let expected = serde_json::json!({
            "salt": vec![7; 16], "memory_kib": 8, "passes": 1, "lanes": 1, "pepper": 3, "check": vec![0; 32],
        });
        assert_eq!(stored, expected);
    }

    #[test]
    fn addresses_are_found_in_any_case_and_an_empty_one_nowhere() {
        let judge = |text: &str, names: &[&str]| rules().judge(&Password::new(text), names).is_ok();
        assert!(judge("long and ordinary words", &[""]));
        assert!(!judge("long and ORDINARY words", &["", "ordinary"]));
        assert!(!judge("long and ordinary words", &["ORDINARY"]));
    }

    #[test]
    fn a_common_word_with_something_else_beside_it_is_accepted() {
        for good in [
            "passwordpassword!",
            "keyward and a window",
            "my passwordpassword",
        ] {
            assert_eq!(judged(good), None, "{good}");
        }
    }
}
