//! Counters of tries: what each way of limiting guesses must be able to do.
//!
//! A counter is pure state. It holds failed tries and tries in flight together, so `failed + in flight` never
//! passes the limit, whatever the number of callers, processes and nodes:
//!
//! 1. [`Counter::reserve`] takes one try before anything is checked.
//! 2. [`Counter::fail`], [`Counter::succeed`] or [`Counter::withdraw`] settles it.
//!
//! A try that is never settled (the process died) counts as failed after [`Counter::LIFE`]: a crash costs the
//! owner a guess and gives the attacker none.
//!
//! What a counter must know about the caller or the limit is in its rules, which come with every call. So a
//! counter can be divided (one part for callers who are known to the subject, one for all others) without a
//! change here.

use std::time::Duration;

use crate::core::record::Record;
use crate::core::time::Timestamp;

/// The name of one try: random, so that two nodes never mean the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TryId(pub u64);

impl TryId {
    /// A try that is reserved and settled in one transaction: no other transaction sees it, so its id need not be random.
    pub(crate) const AT_ONCE: Self = Self(0);
}

/// The answer to the wish to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserve {
    /// One try is taken; it must be settled.
    Granted,
    /// Nothing is left until then. Nothing may be checked.
    Exhausted { until: Timestamp },
    /// What is left is in flight with other callers, who may give it back.
    Wait,
}

/// The count of one subject's failed tries, and its tries in flight.
pub(crate) trait Counter: Record + Clone + Default + PartialEq {
    /// The numbers that it counts by.
    type Rules: Clone + Send + Sync + 'static;

    /// How long a try may stay unsettled before it counts as failed.
    const LIFE: Duration;

    /// Counts tries that were never settled as failed, and forgets failures that no rule counts any more.
    fn expire(&mut self, now: Timestamp, rules: &Self::Rules);

    /// Takes one try under the name `id`, or none.
    fn reserve(&mut self, now: Timestamp, rules: &Self::Rules, id: TryId) -> Reserve;

    /// The try was wrong. A try that expired was counted then, and is not counted twice.
    fn fail(&mut self, now: Timestamp, rules: &Self::Rules, id: TryId);

    /// Gives a try back that was not judged, or that was right and tells nothing about the failures before it.
    fn withdraw(&mut self, id: TryId);

    /// Forgets the failures, after the subject was proved. Tries in flight stay.
    fn clear(&mut self);

    /// The try was right: what it took is given back and the failures before it are forgotten.
    fn succeed(&mut self, id: TryId) {
        self.withdraw(id);
        self.clear();
    }

    /// Failures that count at present.
    fn failures(&self) -> u32;
}

#[cfg(test)]
pub(crate) mod laws;
