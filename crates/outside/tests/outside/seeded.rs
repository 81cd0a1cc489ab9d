//! Randomness that a test can repeat.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::port::Random;

/// A hash of a counter.
pub(crate) struct Seeded(AtomicU64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed << 32)))
    }
}

impl Random for Seeded {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let at = self.0.fetch_add(1, Ordering::Relaxed);
            let block = crypto::mac::sha256(&at.to_be_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}
