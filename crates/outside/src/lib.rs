//! Adapters to the outside: the clock, the random generator, the key file, mail and SMS providers, issuers' key
//! sets, face verifiers, and the texts of messages.
//!
//! Each module implements one port of `domain`. Nothing here makes decisions: a message is sent or not, a sealed
//! text opens or not, and the domain decides what follows.

pub mod clock;
pub mod composer;
pub mod courier;
pub mod disk;
mod http;
pub mod key_sets;
pub mod keys;
pub mod liveness;
pub mod random;

pub use clock::{MovableClock, SystemClock, WatchedClock};
pub use composer::{ComposerOptions, TemplateComposer};
pub use courier::{CourierOptions, OutsideCourier};
pub use key_sets::{HttpKeySets, KeySetOptions, KeySource};
pub use keys::{KeyError, KeyFile, LocalRoots};
pub use liveness::{LivenessOptions, OutsideLiveness};
pub use random::SystemRandom;
