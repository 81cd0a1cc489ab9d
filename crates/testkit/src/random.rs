//! Repeatable randomness.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use domain::port::Random;

/// Returns the same values in the same order for the same seed.
///
/// Values of different lengths come from separate streams, so that a change in how often a row is sealed (nonces
/// of 12 bytes) does not change the ids, keys and codes in goldens.
#[derive(Debug)]
pub struct SeededRandom {
    seed: u64,
    drawn: Mutex<BTreeMap<usize, u64>>,
}

impl SeededRandom {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            drawn: Mutex::default(),
        }
    }
}

impl Random for SeededRandom {
    fn fill(&self, out: &mut [u8]) {
        let number = {
            let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
            let number = drawn.entry(out.len()).or_default();
            *number += 1;
            *number
        };
        for (block, part) in (0_u64..).zip(out.chunks_mut(32)) {
            let words = [self.seed, part.len() as u64, number, block];
            let text: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            part.copy_from_slice(&crypto::mac::sha256(&text)[..part.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::port::random::bytes;

    #[test]
    fn repeats_for_a_seed_and_lengths_do_not_disturb_each_other() {
        let (one, two, other) = (
            SeededRandom::new(1),
            SeededRandom::new(1),
            SeededRandom::new(2),
        );
        let first: [u8; 16] = bytes(&one);
        let _nonce: [u8; 12] = bytes(&two);
        assert_eq!(first, bytes(&two));
        assert_ne!(first, bytes::<16>(&other));
        assert_ne!(first, bytes::<16>(&one));
    }
}
