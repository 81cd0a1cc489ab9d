//! Tools for tests: a clock that tests move, seeded randomness, captured messages, and HTTP exchanges in text
//! files.
//!
//! Used only as a dev-dependency. A [`Kit`] contains the real services over a real store; nothing here imitates
//! them. [`Golden`] runs the text files of a front against its real router, byte for byte.

pub mod backing;
pub mod client;
pub mod clock;
pub mod composer;
pub mod courier;
pub mod device;
pub mod faulty;
pub mod golden;
pub mod issuer;
pub mod kit;
pub mod passkey;
pub mod random;
pub mod refusals;
pub mod roots;
pub mod verifier;

pub use backing::Backing;
pub use crypto::totp;

pub use client::{Answer, Client};
pub use clock::FakeClock;
pub use composer::PlainComposer;
pub use courier::CapturedCourier;
pub use device::TestDevice;
pub use faulty::FaultyStore;
pub use golden::Golden;
pub use issuer::TestIssuer;
pub use kit::{Kit, KitBuilder};
pub use passkey::TestPasskey;
pub use random::SeededRandom;
pub use roots::FixedRoots;
pub use verifier::TestVerifier;

/// The hash of a PIN or address that the server before this one stored.
pub fn scrypt(text: &[u8], salt: &[u8]) -> [u8; 32] {
    *crypto::password::scrypt_16384_8_1(text, salt).expose()
}
