//! What the domain asks of the outside: only what is slow, random, remote or swappable.

pub mod clock;
pub mod courier;
pub mod key_sets;
pub mod liveness;
pub mod random;
pub mod roots;
pub mod store;

pub use clock::Clock;
pub use courier::{Composer, Courier};
pub use key_sets::KeySets;
pub use liveness::Liveness;
pub use random::Random;
pub use roots::Roots;
pub use store::{Store, Tx};
