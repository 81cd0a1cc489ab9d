//! Random values, new in each run: names, addresses, PINs.

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    crypto::random::fill(&mut out);
    out
}

/// A random number below `bound`. The bias of the remainder is at most `bound` in 2^64.
pub(crate) fn below(bound: u64) -> u64 {
    u64::from_be_bytes(bytes()) % bound
}
