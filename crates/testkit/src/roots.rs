//! Root keys that are the same in every run.

use crypto::Key;
use crypto::aead::SealKey;
use crypto::kdf;
use domain::Error;
use domain::port::Roots;
use domain::port::roots::Root;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

/// One version of each root, all out of one number: another number is another key file.
#[derive(Debug)]
pub struct FixedRoots {
    seed: Key,
    /// Roots that come out of another number.
    others: Vec<(Root, Key)>,
    sealed: AtomicU64,
}

impl FixedRoots {
    pub fn new(seed: u8) -> Self {
        Self {
            seed: Key::new([seed; 32]),
            others: Vec::new(),
            sealed: AtomicU64::new(0),
        }
    }

    /// With one root as another key file has it.
    #[must_use]
    pub fn with(mut self, root: Root, seed: u8) -> Self {
        self.others.push((root, Key::new([seed; 32])));
        self
    }

    fn key(&self, root: Root, purpose: &str) -> Key {
        let other = self.others.iter().find(|(other, _)| *other == root);
        let seed = other.map_or(&self.seed, |(_, seed)| seed);
        kdf::derive(seed, purpose, &[root.name().as_bytes()])
    }
}

impl Default for FixedRoots {
    fn default() -> Self {
        Self::new(1)
    }
}

impl Roots for FixedRoots {
    fn current(&self, _root: Root) -> u32 {
        1
    }

    fn seal(&self, root: Root, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; 12];
        let number = self.sealed.fetch_add(1, Ordering::Relaxed);
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        Ok(SealKey::new(&self.key(root, "seal")).seal(nonce, aad, plain))
    }

    fn open(&self, root: Root, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let opened = SealKey::new(&self.key(root, "seal")).open(aad, sealed);
        opened.map_err(|_| {
            Error::bug(format!(
                "a text sealed by root {} does not open",
                root.name()
            ))
        })
    }

    fn prf(&self, root: Root, version: u32, parts: &[&[u8]]) -> Result<Key, Error> {
        if version != 1 {
            return Err(Error::unavailable(format!(
                "there is no version {version} here"
            )));
        }
        Ok(kdf::derive(&self.key(root, "prf"), root.name(), parts))
    }
}
