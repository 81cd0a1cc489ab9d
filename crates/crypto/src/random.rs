//! The operating system's random generator, through the library.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// Fills `out` with secure random bytes.
///
/// # Panics
/// Never in practice: the library's generator fails only if the operating system provides no entropy. This server
/// must then stop instead of continuing without it.
pub fn fill(out: &mut [u8]) {
    SystemRandom::new()
        .fill(out)
        .expect("the operating system gives entropy");
}
