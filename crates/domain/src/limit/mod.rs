//! How often something may be tried, sent or asked for, and how much work is taken on at once.

pub(crate) mod attempt;
pub mod budget;
pub(crate) mod counted;
pub mod counter;
pub mod familiar;
pub mod hashing;
pub mod lockout;
pub mod policy;
pub mod quota;
pub mod rate;
pub mod turns;

use std::ops::Deref;
use std::sync::Arc;

use crate::core::Core;
use crate::core::layer::Layer;
use crate::core::record::RecordKind;
use crate::letter::Letters;

use self::hashing::HashPool;
use self::policy::{HashPolicy, SharedLimits};
use self::quota::Leases;
use self::turns::Turns;

/// Limits, over the messages that tell of them.
pub struct Limits {
    letters: Arc<Letters>,
    pub(crate) hashes: HashPool,
    pub(crate) turns: Turns,
    leases: Leases,
    pub(crate) hash: HashPolicy,
    pub(crate) shared: SharedLimits,
}

impl Limits {
    pub(crate) fn new(letters: Arc<Letters>, hash: HashPolicy, shared: SharedLimits) -> Self {
        Self {
            letters,
            hashes: HashPool::new(hash.threads, hash.queue),
            turns: Turns::new(hash.threads, shared.queue_per_subject),
            leases: Leases::default(),
            hash,
            shared,
        }
    }
}

impl Deref for Limits {
    type Target = Arc<Letters>;

    fn deref(&self) -> &Arc<Letters> {
        &self.letters
    }
}

impl Layer for Limits {
    fn core(&self) -> &Core {
        self.letters.core()
    }
}

/// The kinds of rows of this room.
pub(crate) const KINDS: &[RecordKind] = &[
    RecordKind::of::<budget::GuessBudget>(),
    RecordKind::of::<familiar::Familiar>(),
    RecordKind::of::<lockout::Lockout>(),
    RecordKind::of::<quota::Used>(),
    RecordKind::of::<rate::RateLog>(),
];
