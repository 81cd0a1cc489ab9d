//! The operating system's random generator.

use domain::port::Random;

/// Random bytes from the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, out: &mut [u8]) {
        crypto::random::fill(out);
    }
}
