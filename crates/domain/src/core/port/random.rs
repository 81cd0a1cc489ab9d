//! The one source of randomness.

/// Fills buffers with secure random bytes.
pub trait Random: Send + Sync {
    fn fill(&self, out: &mut [u8]);
}

/// `N` random bytes.
pub fn bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut out = [0; N];
    random.fill(&mut out);
    out
}

/// A uniform number below `bound`, by rejection: no modulo bias.
///
/// # Panics
/// Never for a bound of at least 1, which every caller states as a constant.
pub fn below(random: &dyn Random, bound: u32) -> u32 {
    let zone = u32::MAX - (u32::MAX % bound) - 1;
    loop {
        let draw = u32::from_be_bytes(bytes(random));
        if draw <= zone {
            return draw % bound;
        }
    }
}

/// A random (version 4) UUID.
pub fn uuid(random: &dyn Random) -> uuid::Uuid {
    uuid::Builder::from_random_bytes(bytes(random)).into_uuid()
}

/// `digits` uniform decimal digits, leading zeros kept. At most nine.
pub fn digits(random: &dyn Random, digits: u32) -> String {
    let number = below(random, 10_u32.pow(digits.min(9)));
    format!("{number:0width$}", width = digits as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Script(Vec<u32>, AtomicU32);

    impl Random for Script {
        fn fill(&self, out: &mut [u8]) {
            let at = self.1.fetch_add(1, Ordering::Relaxed) as usize;
            out.copy_from_slice(&self.0[at].to_be_bytes()[..out.len()]);
        }
    }

    #[test]
    fn draws_beyond_the_last_whole_block_are_rejected() {
        let script = Script(vec![u32::MAX, 4_294_000_000, 42], AtomicU32::new(0));
        assert_eq!(digits(&script, 6), "000042");
    }

    #[test]
    fn a_number_below_a_bound_takes_the_rest_of_a_draw() {
        for (draw, bound, number) in [(0, 1, 0), (9, 10, 9), (10, 10, 0), (u32::MAX - 2, 2, 1)] {
            let script = Script(vec![draw], AtomicU32::new(0));
            assert_eq!(below(&script, bound), number, "{draw} {bound}");
        }
    }

    #[test]
    fn codes_have_nine_digits_at_most() {
        let script = Script(vec![7], AtomicU32::new(0));
        assert_eq!(digits(&script, 9), "000000007");
    }
}
