//! An attempt: a try at a secret, or at showing oneself in person, whose check is slow.
//!
//! 1. Wait for a turn at the subject, and for a place in the hash queue: nothing is counted yet.
//! 2. Reserve a try, durably ([`Attempt::begin`]). While nothing is left nothing is checked; while what is left
//!    is in flight with others, wait and ask again.
//! 3. Check, outside any transaction ([`Attempt::check`]). When that is impossible because a root key is not at
//!    hand, nothing was judged, and the try is given back.
//! 4. Settle the try, and have the effect in the same transaction ([`Attempt::settle`]). A wrong try is a decision
//!    that is saved. When the secret was replaced meanwhile nothing is told: from step 2, against the new one, so
//!    that a try counts against the secret that it was judged by.
//!
//! The flow runs in a task of its own: a caller who hangs up after step 2 does not leave a try unsettled. What is
//! judged without slow work needs none of this: [`Limits::judge_at_once`].

use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument as _;

use super::counted::Counted;
use super::counter::{Counter, Reserve, TryId};
use super::hashing::{HashQueue, Ticket};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::limit::Limits;

/// How often a secret may be replaced under a try before the caller is told to come back.
const ROUNDS: usize = 5;

/// What differs between attempts. `L` is the service whose secret is tried.
pub(crate) trait Attempt<L: Layer>: Send + Sync + 'static {
    type Counter: Counter;
    /// What the check needs, read in the transaction that reserves the try.
    type Loaded: Send + 'static;
    /// What the check found.
    type Judged: Send + Sync + 'static;
    type Done: Send + 'static;

    /// The queue in which the check waits for a core; `None`: it costs none.
    const QUEUE: Option<HashQueue>;

    /// Attempts with the same line wait for one another; `None`: they do not wait.
    fn line(&self) -> Option<RowId>;

    /// Step 2: reserves the try by [`Opening::reserve`], and loads what the check needs. Runs again while the
    /// answer is [`Begun::Wait`].
    fn begin(
        &self,
        hub: &L,
        tx: &mut dyn Tx,
        opening: &Opening<'_>,
    ) -> TxResult<Begun<Self::Counter, Self::Loaded, Self::Done>>;

    /// Step 3. `place` is the place in the hash queue, if there is a queue.
    fn check(
        &self,
        hub: &Arc<L>,
        loaded: Self::Loaded,
        place: Option<&Ticket>,
    ) -> impl Future<Output = Result<Self::Judged, Error>> + Send;

    /// Step 4: settles the try by `open`, and has the effect. A refusal is an answer; what was written is saved.
    fn settle(
        &self,
        hub: &L,
        tx: &mut dyn Tx,
        open: OpenTry<'_, Self::Counter>,
        judged: &Self::Judged,
    ) -> TxResult<Settled<Self::Done>>;
}

/// A try that is about to be reserved.
pub(crate) struct Opening<'a> {
    limits: &'a Limits,
    id: TryId,
    pub(crate) now: Timestamp,
    /// Whether the attempt has waited: then this is not the first transaction that began it.
    pub(crate) waited: bool,
}

impl Opening<'_> {
    /// Takes one try of every counter, or none.
    pub(crate) fn reserve<C: Counter>(
        &self,
        tx: &mut dyn Tx,
        counted: Vec<Counted<C>>,
    ) -> TxResult<Reservation<C>> {
        let reserve = self
            .limits
            .reserve_in_all(tx, self.now, &counted, self.id)?;
        Ok(match reserve {
            Reserve::Granted => Reservation::Granted(ReservedTry {
                counted,
                id: self.id,
            }),
            Reserve::Exhausted { until } => Reservation::Exhausted { until },
            Reserve::Wait => Reservation::Wait,
        })
    }
}

/// The answer to the wish to try.
pub(crate) enum Reservation<C: Counter> {
    Granted(ReservedTry<C>),
    /// Nothing is left until then.
    Exhausted {
        until: Timestamp,
    },
    /// What is left is in flight with other callers.
    Wait,
}

impl<C: Counter> Reservation<C> {
    /// Begins the check with `loaded`, or refuses, or waits.
    pub(crate) fn begin<W, T>(self, loaded: W) -> Begun<C, W, T> {
        match self {
            Self::Granted(reserved) => Begun::Reserved(reserved, loaded),
            Self::Exhausted { until } => Begun::Refused(Refusal::Exhausted { until }),
            Self::Wait => Begun::Wait,
        }
    }
}

/// A try that was reserved. Only [`Opening::reserve`] makes one, so it proves that the limit was kept.
pub(crate) struct ReservedTry<C: Counter> {
    counted: Vec<Counted<C>>,
    id: TryId,
}

impl<C: Counter> ReservedTry<C> {
    /// The try, to be settled in a transaction at `now`.
    pub(crate) fn open<'a>(&'a self, limits: &'a Limits, now: Timestamp) -> OpenTry<'a, C> {
        OpenTry {
            limits,
            reserved: self,
            now,
        }
    }
}

/// How an attempt began.
pub(crate) enum Begun<C: Counter, W, T> {
    /// A try was reserved, and this is what the check needs.
    Reserved(ReservedTry<C>, W),
    /// Refused before anything was changed.
    Refused(Refusal),
    /// Decided without a check. What was written is saved, and messages leave.
    Decided(Verdict<T>),
    /// No try is free at present.
    Wait,
}

/// A reserved try inside the transaction that settles it. It must be used up by one of its methods, because
/// only they make what [`Settled`] asks for.
#[must_use]
pub(crate) struct OpenTry<'a, C: Counter> {
    limits: &'a Limits,
    reserved: &'a ReservedTry<C>,
    pub(crate) now: Timestamp,
}

impl<C: Counter> OpenTry<'_, C> {
    /// The try was wrong.
    pub(crate) fn fail(self, tx: &mut dyn Tx) -> TxResult<Closed> {
        let (now, id) = (self.now, self.reserved.id);
        self.close(tx, |counter, counted| counted.fail(counter, now, id))
    }

    /// The try was right. Whether the failures before it are forgotten is said by each counter.
    pub(crate) fn succeed(self, tx: &mut dyn Tx) -> TxResult<Closed> {
        let id = self.reserved.id;
        self.close(tx, |counter, counted| counted.succeed(counter, id))
    }

    /// The try was not judged: it is given back.
    pub(crate) fn withdraw(self, tx: &mut dyn Tx) -> TxResult<Closed> {
        let id = self.reserved.id;
        self.close(tx, |counter, _| counter.withdraw(id))
    }

    /// The subject was removed meanwhile, and its counters with it.
    #[expect(clippy::unused_self, reason = "giving the value up is the proof")]
    pub(crate) fn abandon(self) -> Closed {
        Closed { failures: 0 }
    }

    fn close(self, tx: &mut dyn Tx, change: impl Fn(&mut C, &Counted<C>)) -> TxResult<Closed> {
        let failures = self
            .limits
            .change_all(tx, self.now, &self.reserved.counted, change)?;
        Ok(Closed { failures })
    }
}

/// Proof that a try was settled.
pub(crate) struct Closed {
    /// Failures that the try's first counter holds now.
    pub(crate) failures: u32,
}

impl Closed {
    /// Ends the attempt with an answer.
    #[expect(clippy::unused_self, reason = "giving the value up is the proof")]
    pub(crate) fn answer<T>(self, verdict: impl Into<Verdict<T>>) -> Settled<T> {
        Settled(Some(verdict.into()))
    }

    /// The secret was replaced during the check: the attempt begins again.
    #[expect(clippy::unused_self, reason = "giving the value up is the proof")]
    pub(crate) fn again<T>(self) -> Settled<T> {
        Settled(None)
    }
}

/// How an attempt ended. Only a [`Closed`] try makes one.
pub(crate) struct Settled<T>(Option<Verdict<T>>);

impl Limits {
    /// Runs an attempt of the service `hub`, steps 1 to 4.
    pub(crate) async fn attempt<L: Layer, A: Attempt<L>>(
        self: &Arc<Self>,
        hub: &Arc<L>,
        attempt: A,
    ) -> Result<A::Done, Error> {
        let running = Running {
            limits: Arc::clone(self),
            hub: Arc::clone(hub),
            attempt: Arc::new(attempt),
        };
        tokio::spawn(running.run().in_current_span())
            .await
            .map_err(Error::bug)?
    }
}

struct Running<L, A> {
    limits: Arc<Limits>,
    hub: Arc<L>,
    attempt: Arc<A>,
}

impl<L: Layer, A: Attempt<L>> Running<L, A> {
    async fn run(self) -> Result<A::Done, Error> {
        let _turn = match self.attempt.line() {
            Some(line) => Some(self.limits.turns.join(line).await?),
            None => None,
        };
        for _ in 0..ROUNDS {
            if let Some(verdict) = self.round().await? {
                return verdict.answer();
            }
        }
        Err(Error::Busy { seconds: 1 })
    }

    /// Steps 1 (the hash queue) to 4. `None`: the secret was replaced during the check.
    async fn round(&self) -> Result<Option<Verdict<A::Done>>, Error> {
        let place = match A::QUEUE {
            Some(queue) => Some(self.limits.hashes.admit(queue)?),
            None => None,
        };
        let (reserved, loaded) = match self.begin().await? {
            Begun::Reserved(reserved, loaded) => (reserved, loaded),
            Begun::Refused(refusal) => return Ok(Some(Verdict::Refused(refusal))),
            Begun::Decided(verdict) => {
                self.limits.posted(self.limits.now()).await;
                return Ok(Some(verdict));
            }
            Begun::Wait => return Err(Error::Busy { seconds: 1 }),
        };
        let judged = self.attempt.check(&self.hub, loaded, place.as_ref()).await;
        drop(place);
        let judged = match judged {
            // A root key that the check needs is not at hand: nothing was judged.
            Err(error @ Error::Unavailable(_)) => {
                self.give_back(reserved).await?;
                return Err(error);
            }
            judged => judged?,
        };
        self.settle(reserved, judged).await
    }

    /// Step 2, again and again while what is left is in flight, perhaps on other nodes.
    async fn begin(&self) -> Result<Begun<A::Counter, A::Loaded, A::Done>, Error> {
        let mut waited = Duration::ZERO;
        loop {
            let (now, id) = (self.limits.now(), TryId(self.limits.random_u64()));
            let (limits, attempt) = (Arc::clone(&self.limits), Arc::clone(&self.attempt));
            let again = !waited.is_zero();
            let begun = self
                .hub
                .write(move |hub, tx| {
                    let opening = Opening {
                        limits: &limits,
                        id,
                        now,
                        waited: again,
                    };
                    attempt.begin(hub, tx, &opening)
                })
                .await?;
            if !matches!(begun, Begun::Wait) || waited > self.limits.shared.wait {
                return Ok(begun);
            }
            let pause = Duration::from_millis(5 + id.0 % 20);
            waited += pause;
            #[expect(
                clippy::disallowed_methods,
                reason = "waits for a try in flight, perhaps on another node"
            )]
            tokio::time::sleep(pause).await;
        }
    }

    /// Step 4.
    async fn settle(
        &self,
        reserved: ReservedTry<A::Counter>,
        judged: A::Judged,
    ) -> Result<Option<Verdict<A::Done>>, Error> {
        let now = self.limits.now();
        let (limits, attempt) = (Arc::clone(&self.limits), Arc::clone(&self.attempt));
        let settled = self
            .hub
            .write(move |hub, tx| attempt.settle(hub, tx, reserved.open(&limits, now), &judged))
            .await;
        let Settled(verdict) = match settled {
            // That gave the try back. It stays reserved, and counts as failed when its life is over.
            Err(Error::Refused(refusal)) => {
                return Err(Error::bug(format!(
                    "a settlement was rolled back with a refusal: {refusal:?}"
                )));
            }
            settled => settled?,
        };
        self.limits.posted(now).await;
        Ok(verdict)
    }

    async fn give_back(&self, reserved: ReservedTry<A::Counter>) -> Result<(), Error> {
        let (limits, now) = (Arc::clone(&self.limits), self.limits.now());
        self.hub
            .write(move |_, tx| reserved.open(&limits, now).withdraw(tx).map(|_| ()))
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::Id;

    use crate::core::port::store::RowId;
    use crate::limit::budget::{GuessBudget, GuessLimits};
    use crate::limit::counted::OnSuccess;
    use crate::limit::familiar::CallerStanding;

    type Start = Begun<GuessBudget, u8, ()>;

    #[test]
    fn a_check_begins_with_what_was_loaded_only_if_a_try_was_reserved() {
        let limits = GuessLimits {
            failures: 3,
            window: Duration::from_secs(60),
            in_a_row: 0,
        };
        let counted = Counted::new(
            Id::new(RowId([1; 16])),
            limits.by(CallerStanding::Familiar),
            OnSuccess::Keep,
        );
        let reserved = ReservedTry {
            counted: vec![counted],
            id: TryId(4),
        };
        let begun: Start = Reservation::Granted(reserved).begin(7);
        let Begun::Reserved(reserved, 7) = begun else {
            panic!("a granted try is not begun");
        };
        assert_eq!((reserved.id, reserved.counted.len()), (TryId(4), 1));
    }

    #[test]
    fn without_a_try_an_attempt_is_refused_or_waits() {
        let until = Timestamp::from_millis(5);
        let begun: Start = Reservation::Exhausted { until }.begin(7);
        assert!(matches!(
            begun,
            Begun::Refused(Refusal::Exhausted { until: moment }) if moment == until
        ));
        let begun: Start = Reservation::<GuessBudget>::Wait.begin(7);
        assert!(matches!(begun, Begun::Wait));
    }

    #[test]
    fn a_settled_try_is_answered_or_begins_again() {
        let closed = || Closed { failures: 2 };
        let Settled(answer) = closed().answer(Verdict::Done(7));
        assert_eq!(answer, Some(Verdict::Done(7)));
        let Settled(answer) = closed().answer::<u8>(Refusal::BadProof { left: Some(1) });
        let refused = Verdict::Refused(Refusal::BadProof { left: Some(1) });
        assert_eq!(answer, Some(refused));
        let Settled(answer) = closed().again::<u8>();
        assert_eq!(answer, None);
    }
}
