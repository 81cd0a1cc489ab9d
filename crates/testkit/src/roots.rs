//! Root keys that are the same in every run.

use crypto::Key;
use crypto::aead::SealKey;
use crypto::kdf;
use domain::Error;
use domain::port::Roots;
use domain::port::roots::Root;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

/// One version of each root key, all derived from one number. Another number gives another key file.
#[derive(Debug)]
pub struct FixedRoots {
    seed: Key,
    /// Roots that come out of another number.
    others: Vec<(Root, Key)>,
    /// Roots that have more than one version: what they seal with, and the newest that they know.
    versions: Vec<(Root, u32, u32)>,
    /// Versions that are lost.
    lost: Vec<(Root, u32)>,
    sealed: AtomicU64,
}

impl FixedRoots {
    pub fn new(seed: u8) -> Self {
        Self {
            seed: Key::new([seed; 32]),
            others: Vec::new(),
            versions: Vec::new(),
            lost: Vec::new(),
            sealed: AtomicU64::new(0),
        }
    }

    /// With one root as another key file has it.
    #[must_use]
    pub fn with(mut self, root: Root, seed: u8) -> Self {
        self.others.push((root, Key::new([seed; 32])));
        self
    }

    /// With a root that has the versions up to `newest` and seals with `current`.
    #[must_use]
    pub fn rotated(mut self, root: Root, current: u32, newest: u32) -> Self {
        self.versions.push((root, current, newest));
        self
    }

    /// With a version of a root lost: what only that opens stays closed.
    #[must_use]
    pub fn without(mut self, root: Root, version: u32) -> Self {
        self.lost.push((root, version));
        self
    }

    fn versions_of(&self, root: Root) -> (u32, u32) {
        let known = self.versions.iter().find(|(known, ..)| *known == root);
        known.map_or((1, 1), |(_, current, newest)| (*current, *newest))
    }

    fn key(&self, root: Root, version: u32, purpose: &str) -> Result<Key, Error> {
        let known = 1..=self.versions_of(root).1;
        if !known.contains(&version) || self.lost.contains(&(root, version)) {
            return Err(Error::unavailable(format!(
                "there is no version {version} here"
            )));
        }
        let other = self.others.iter().find(|(other, _)| *other == root);
        let seed = other.map_or(&self.seed, |(_, seed)| seed);
        let name = root.name().as_bytes();
        Ok(match version {
            1 => kdf::derive(seed, purpose, &[name]),
            _ => kdf::derive(seed, purpose, &[name, &version.to_be_bytes()]),
        })
    }
}

impl Default for FixedRoots {
    fn default() -> Self {
        Self::new(1)
    }
}

impl Roots for FixedRoots {
    fn current(&self, root: Root) -> u32 {
        self.versions_of(root).0
    }

    fn seal(&self, root: Root, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; 12];
        let number = self.sealed.fetch_add(1, Ordering::Relaxed);
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        let version = self.current(root);
        let key = SealKey::new(&self.key(root, version, "seal")?);
        let mut sealed = version.to_be_bytes().to_vec();
        sealed.append(&mut key.seal(nonce, aad, plain));
        Ok(sealed)
    }

    fn rewrap(&self, root: Root, aad: &[u8], sealed: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let (version, _) = version_of(sealed)?;
        if self.key(root, version, "seal").is_err() {
            return Err(Error::bug("it was sealed with a key that there is not"));
        }
        if version >= self.current(root) {
            return Ok(None);
        }
        let plain = self.open(root, aad, sealed)?;
        self.seal(root, aad, &plain).map(Some)
    }

    fn open(&self, root: Root, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (version, sealed) = version_of(sealed)?;
        let opened = SealKey::new(&self.key(root, version, "seal")?).open(aad, sealed);
        opened.map_err(|_| {
            Error::bug(format!(
                "a text sealed by root {} does not open",
                root.name()
            ))
        })
    }

    fn prf(&self, root: Root, version: u32, parts: &[&[u8]]) -> Result<Key, Error> {
        let key = self.key(root, version, "prf")?;
        Ok(kdf::derive(&key, root.name(), parts))
    }
}

fn version_of(sealed: &[u8]) -> Result<(u32, &[u8]), Error> {
    let (version, sealed) = sealed
        .split_first_chunk()
        .ok_or_else(|| Error::bug("a text sealed by a root is too short"))?;
    Ok((u32::from_be_bytes(*version), sealed))
}
