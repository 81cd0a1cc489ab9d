//! Trying a password: an [`Attempt`] at the lockouts that count for it.
//!
//! A user who does not exist has a verifier that nothing matches, so the work is the same for everybody.

use std::sync::Arc;

use crypto::password::Memory;

use super::{Password, PasswordRecipe, PasswordVerifier};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer;
use crate::core::port::roots::Roots;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::time::Timestamp;
use crate::limit::attempt::{Attempt, Begun, OpenTry, Opening, Settled};
use crate::limit::counted::OnSuccess;
use crate::limit::hashing::{HashQueue, Ticket};
use crate::limit::lockout::{Lockout, Right, SubjectLockout, counted};
use crate::proof::Proofs;

/// A try at a password.
pub(crate) struct PasswordTry {
    /// Attempts with the same line wait for one another.
    pub(crate) line: RowId,
    pub(crate) lockouts: Vec<SubjectLockout>,
    /// Whose lockouts they are: all of them are listed and forgotten with it. `None`: nobody of that name.
    pub(crate) owner: Option<RowId>,
    /// `None`: nobody of that name.
    pub(crate) verifier: Option<PasswordVerifier>,
    pub(crate) password: Password,
    /// Hashed besides, for a change of the password.
    pub(crate) new: Option<Password>,
    /// Whether a right password is all that is asked for.
    pub(crate) then: OnSuccess,
}

/// What a try at a password found.
pub(crate) struct Tried {
    pub(crate) right: Right,
    /// A verifier to keep: of the new password, or of the same one under today's numbers.
    pub(crate) renewed: Option<PasswordVerifier>,
    /// Whether the new password is the one it replaces.
    pub(crate) unchanged: bool,
}

/// What is done with a judged password, right or wrong.
type Effect<L, T> =
    dyn Fn(&L, &mut dyn Tx, Timestamp, &Tried) -> TxResult<Result<T, Refusal>> + Send + Sync;

struct PasswordAttempt<L, T> {
    proofs: Arc<Proofs>,
    tried: PasswordTry,
    effect: Box<Effect<L, T>>,
}

impl Proofs {
    /// Tries a password. `effect` gets what was found and the transaction in which the try is settled; its
    /// refusal is an answer, and the try stays settled. It is called for wrong passwords too.
    pub(crate) async fn try_password<L: Layer, T: Send + 'static>(
        self: &Arc<Self>,
        hub: &Arc<L>,
        tried: PasswordTry,
        effect: impl Fn(&L, &mut dyn Tx, Timestamp, &Tried) -> TxResult<Result<T, Refusal>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, Error> {
        let attempt = PasswordAttempt {
            proofs: Arc::clone(self),
            tried,
            effect: Box::new(effect),
        };
        self.attempt(hub, attempt).await
    }
}

impl<L: Layer, T: Send + 'static> Attempt<L> for PasswordAttempt<L, T> {
    type Counter = Lockout;
    type Loaded = ();
    type Judged = Tried;
    type Done = T;

    const QUEUE: Option<HashQueue> = Some(HashQueue::Password);

    fn line(&self) -> Option<RowId> {
        Some(self.tried.line)
    }

    fn begin(
        &self,
        _hub: &L,
        tx: &mut dyn Tx,
        opening: &Opening<'_>,
    ) -> TxResult<Begun<Lockout, (), T>> {
        let lockouts = self.tried.lockouts.iter();
        let lockouts = lockouts.map(|lockout| {
            let counted = counted(*lockout, self.tried.then);
            match self.tried.owner {
                Some(owner) => counted.of(owner),
                None => counted,
            }
        });
        let lockouts = lockouts.collect();
        Ok(opening.reserve(tx, lockouts)?.begin(()))
    }

    async fn check(&self, _hub: &Arc<L>, (): (), place: Option<&Ticket>) -> Result<Tried, Error> {
        let place = place.ok_or_else(|| Error::bug("a password is hashed without a place"))?;
        let recipe = self.proofs.password_recipe();
        let roots = Arc::clone(&self.proofs.roots);
        let verifier = self.tried.verifier.clone();
        let (password, new) = (self.tried.password.clone(), self.tried.new.clone());
        place
            .run(move |memory| {
                judge(
                    &recipe,
                    roots.as_ref(),
                    verifier,
                    &password,
                    new.as_ref(),
                    memory,
                )
            })
            .await?
    }

    fn settle(
        &self,
        hub: &L,
        tx: &mut dyn Tx,
        open: OpenTry<'_, Lockout>,
        tried: &Tried,
    ) -> TxResult<Settled<T>> {
        let now = open.now;
        let closed = match tried.right {
            Right::Yes => open.succeed(tx)?,
            Right::No => open.fail(tx)?,
        };
        let verdict = (self.effect)(hub, tx, now, tried)?;
        Ok(closed.answer(verdict))
    }
}

/// The check as one piece of work for the pool.
fn judge(
    recipe: &PasswordRecipe,
    roots: &dyn Roots,
    verifier: Option<PasswordVerifier>,
    password: &Password,
    new: Option<&Password>,
    memory: &mut Memory,
) -> Result<Tried, Error> {
    let known = verifier.is_some();
    let verifier = verifier.unwrap_or_else(|| recipe.decoy());
    let mut right = verifier.check(roots, password, memory)?;
    if !known {
        right = Right::No;
    }
    let renewed = match (right, new) {
        (Right::Yes, Some(new)) => Some(recipe.hash(roots, new, memory)?),
        (Right::Yes, None) if !recipe.is_that_of(&verifier) => {
            Some(recipe.hash(roots, password, memory)?)
        }
        _ => None,
    };
    Ok(Tried {
        right,
        renewed,
        unchanged: new == Some(password),
    })
}

#[cfg(test)]
mod tests {
    use crypto::Key;
    use crypto::password::Cost;
    use zeroize::Zeroizing;

    use super::*;
    use crate::core::port::roots::Root;

    const CHEAP: Cost = Cost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    /// Root keys of which only the first version of the pepper is at hand.
    struct OnePepper;

    impl Roots for OnePepper {
        fn current(&self, _root: Root) -> u32 {
            1
        }

        fn seal(&self, _: Root, _: &[u8], _: &[u8]) -> Result<Vec<u8>, Error> {
            Err(Error::bug("a password is not sealed"))
        }

        fn rewrap(&self, _: Root, _: &[u8], _: &[u8]) -> Result<Option<Vec<u8>>, Error> {
            Err(Error::bug("a password is not sealed"))
        }

        fn open(&self, _: Root, _: &[u8], _: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
            Err(Error::bug("a password is not sealed"))
        }

        fn prf(&self, _: Root, version: u32, parts: &[&[u8]]) -> Result<Key, Error> {
            match version {
                1 => Ok(Key::new(crypto::mac::tag(&Key::new([1; 32]), parts))),
                _ => Err(Error::unavailable("that version is not at hand")),
            }
        }
    }

    fn recipe(cost: Cost, pepper: u32) -> PasswordRecipe {
        PasswordRecipe {
            salt: [7; 16],
            cost,
            pepper,
        }
    }

    fn kept(password: &str) -> PasswordVerifier {
        recipe(CHEAP, 1)
            .hash(&OnePepper, &Password::new(password), &mut Memory::default())
            .unwrap()
    }

    fn judged(
        recipe: PasswordRecipe,
        verifier: Option<PasswordVerifier>,
        password: &str,
        new: Option<&str>,
    ) -> Result<Tried, Error> {
        let new = new.map(Password::new);
        judge(
            &recipe,
            &OnePepper,
            verifier,
            &Password::new(password),
            new.as_ref(),
            &mut Memory::default(),
        )
    }

    #[test]
    fn a_right_password_is_right_and_renews_nothing_that_is_up_to_date() {
        let tried = judged(recipe(CHEAP, 1), Some(kept("secret")), "secret", None).unwrap();
        assert_eq!(tried.right, Right::Yes);
        assert!(tried.renewed.is_none());
    }

    #[test]
    fn a_wrong_password_is_wrong_and_hashes_no_new_one() {
        let verifier = Some(kept("secret"));
        let tried = judged(recipe(CHEAP, 1), verifier, "guess", Some("new")).unwrap();
        assert_eq!(tried.right, Right::No);
        assert!(tried.renewed.is_none());
    }

    #[test]
    fn nobodys_password_is_never_right() {
        let tried = judged(recipe(CHEAP, 1), None, "secret", None).unwrap();
        assert_eq!(tried.right, Right::No);
    }

    #[test]
    fn a_verifier_of_older_costs_is_renewed_for_the_same_password() {
        let today = Cost { passes: 2, ..CHEAP };
        let tried = judged(recipe(today, 1), Some(kept("secret")), "secret", None).unwrap();
        let renewed = tried.renewed.unwrap();
        assert_ne!(renewed, kept("secret"));
        let again = judged(recipe(today, 1), Some(renewed), "secret", None).unwrap();
        assert_eq!(again.right, Right::Yes);
    }

    #[test]
    fn a_new_password_is_hashed_when_the_old_one_is_right() {
        let verifier = Some(kept("secret"));
        let tried = judged(recipe(CHEAP, 1), verifier, "secret", Some("new")).unwrap();
        assert_eq!(tried.renewed, Some(kept("new")));
        assert!(!tried.unchanged);
    }

    #[test]
    fn a_new_password_that_is_the_old_one_is_told() {
        let verifier = Some(kept("secret"));
        let tried = judged(recipe(CHEAP, 1), verifier, "secret", Some("secret")).unwrap();
        assert!(tried.unchanged);
    }

    #[test]
    fn without_its_pepper_a_password_is_neither_right_nor_wrong() {
        let verifier = PasswordVerifier {
            pepper: 2,
            ..kept("secret")
        };
        let tried = judged(recipe(CHEAP, 1), Some(verifier), "secret", None);
        assert!(matches!(tried, Err(Error::Unavailable(_))));
    }
}
