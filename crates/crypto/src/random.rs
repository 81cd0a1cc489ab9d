//! The operating system's random generator, as the library seeds and serves it.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// Fills `out` with secure random bytes.
///
/// # Panics
/// Never in practice: the library's generator reports an error only when the operating system refuses
/// entropy, and a custody server must stop rather than go on without it.
pub fn fill(out: &mut [u8]) {
    SystemRandom::new()
        .fill(out)
        .expect("the operating system gives entropy");
}
