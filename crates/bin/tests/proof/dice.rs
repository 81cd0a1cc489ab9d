//! Chance that can be had again: every test prints its seed.

use crate::setting;

/// The generator that is known as `SplitMix64`.
pub(crate) struct Dice(u64);

impl Dice {
    /// From `KEYWARD_PROOF_SEED`, or from the time and the process.
    pub(crate) fn thrown(what: &str) -> Self {
        let seed = setting("KEYWARD_PROOF_SEED")
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(fresh);
        println!("{what}: KEYWARD_PROOF_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from(self.number() % end).unwrap()
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length)
            .map(|_| self.number().to_le_bytes()[0])
            .collect()
    }

    /// Lower-case letters and digits.
    pub(crate) fn word(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        (0..length)
            .map(|_| char::from(*self.pick(LETTERS)))
            .collect()
    }

    /// Dice of another thread.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.number())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "only the seed depends on the time, and it is printed"
)]
fn fresh() -> u64 {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_secs() ^ (u64::from(since.subsec_nanos()) << 20) ^ u64::from(std::process::id())
}
