//! Root keys held in this process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crypto::Key;
use crypto::aead::SealKey;
use crypto::kdf;
use domain::error::Error;
use domain::port::random::bytes;
use domain::port::roots::Root;
use domain::port::{Random, Roots};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{KeyError, KeyFile};

/// A change of a label would make everything unreadable that was sealed or tagged before.
const SEAL: &str = "keyward/root/seal/1";
const PRF: &str = "keyward/root/prf/1";
const CHECK: &str = "keyward/root/check/1";
/// Follows a root key's name in the check of the keys: the version that seals.
const USED: &str = ".used";

/// [`Roots`] from a key file. A sealed text is `version (4, big endian) | nonce | ciphertext | tag`.
///
/// Sealing and deriving use separate keys, derived from the root key with its name. So no use of a root key
/// reveals anything about another root key or about its other use.
pub struct LocalRoots {
    keys: KeyFile,
    seals: BTreeMap<(&'static str, u32), SealKey>,
    random: Arc<dyn Random>,
}

impl LocalRoots {
    pub fn new(keys: KeyFile, random: Arc<dyn Random>) -> Self {
        let mut seals = BTreeMap::new();
        for root in Root::ALL {
            for version in keys.versions(root) {
                let number = version.number.to_be_bytes();
                let key = kdf::derive(&version.key, SEAL, &[root.name().as_bytes(), &number]);
                seals.insert((root.name(), version.number), SealKey::new(&key));
            }
        }
        Self {
            keys,
            seals,
            random,
        }
    }

    /// The database that these keys belong to.
    pub fn database(&self) -> Uuid {
        self.keys.database()
    }

    /// Returns a text for the database, with which [`LocalRoots::verify`] later recognises these keys.
    ///
    /// It contains the id of the database and one short keyed value for each key. It reveals nothing about a key.
    pub fn check(&self) -> String {
        let mut words = vec![self.database().to_string()];
        words.extend(
            self.fingerprints()
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        // A root key that has only had one version is left out, as in the checks of older releases.
        for root in Root::ALL {
            let used = self.current(root);
            if used > 1 {
                words.push(format!("{}{USED}={used}", root.name()));
            }
        }
        words.join(" ")
    }

    /// Compares these keys with the text that [`LocalRoots::check`] returned when the database was last opened.
    ///
    /// Every key named in the text must exist here unchanged, and a version that was in use must be in use. So
    /// neither the key file of another database nor a copy from before the last rotation is accepted. New keys are
    /// allowed; the caller must then store the new text.
    pub fn verify(&self, kept: &str) -> Result<(), KeyError> {
        let refuse = |why: String| Err(KeyError::OtherDatabase { why });
        let mut words = kept.split(' ');
        let database = words.next().unwrap_or_default();
        if database != self.database().to_string() {
            return refuse(format!(
                "it is for database {}, not {database}",
                self.database()
            ));
        }
        let here = self.fingerprints();
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            if let Some(root) = name.strip_suffix(USED) {
                self.verify_used(root, value)?;
                continue;
            }
            match here.get(name) {
                Some(known) if known == value => {}
                Some(_) => return refuse(format!("key {name} is a different key")),
                None => return refuse(format!("key {name} is missing, so this is an older copy")),
            }
        }
        Ok(())
    }

    /// Refuses a copy in which a version is only prepared if that version was already in use.
    fn verify_used(&self, name: &str, used: &str) -> Result<(), KeyError> {
        let root = Root::ALL.into_iter().find(|root| root.name() == name);
        let here = root.map(|root| self.current(root));
        match (here, used.parse::<u32>()) {
            (Some(here), Ok(used)) if here >= used => Ok(()),
            _ => Err(KeyError::OtherDatabase {
                why: format!(
                    "version {used} of root key {name} was already in use, so this is an older copy"
                ),
            }),
        }
    }

    /// Returns, for each key, `root:version` and 64 bits that depend on the key and the database.
    fn fingerprints(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for root in Root::ALL {
            for version in self.keys.versions(root) {
                let context = [
                    self.keys.database().into_bytes().to_vec(),
                    root.name().as_bytes().to_vec(),
                    version.number.to_be_bytes().to_vec(),
                ];
                let context: Vec<&[u8]> = context.iter().map(Vec::as_slice).collect();
                let value = kdf::derive(&version.key, CHECK, &context);
                let name = format!("{}:{}", root.name(), version.number);
                all.insert(name, hex::encode(&value.expose()[..8]));
            }
        }
        all
    }

    fn seal_key(&self, root: Root, version: u32) -> Result<&SealKey, Error> {
        self.seals
            .get(&(root.name(), version))
            .ok_or_else(|| absent(root, version))
    }
}

impl Roots for LocalRoots {
    fn current(&self, root: Root) -> u32 {
        self.keys.state(root).0
    }

    fn seal(&self, root: Root, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, Error> {
        let version = self.current(root);
        let sealed = self
            .seal_key(root, version)?
            .seal(bytes(self.random.as_ref()), aad, plain);
        let mut out = Vec::with_capacity(4 + sealed.len());
        out.extend_from_slice(&version.to_be_bytes());
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    fn rewrap(&self, root: Root, aad: &[u8], sealed: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let (version, _) = version_of(sealed)?;
        if !self.seals.contains_key(&(root.name(), version)) {
            return Err(Error::bug("it was sealed with a key that does not exist"));
        }
        if version >= self.current(root) {
            return Ok(None);
        }
        let plain = self.open(root, aad, sealed)?;
        self.seal(root, aad, &plain).map(Some)
    }

    fn open(&self, root: Root, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (version, sealed) = version_of(sealed)?;
        let key = self.seal_key(root, version)?;
        let opened = key.open(aad, sealed);
        opened.map_err(|_| {
            Error::bug(format!(
                "a text sealed by root key {} cannot be opened",
                root.name()
            ))
        })
    }

    fn prf(&self, root: Root, version: u32, parts: &[&[u8]]) -> Result<Key, Error> {
        let versions = self.keys.versions(root);
        let held = versions.iter().find(|held| held.number == version);
        let key = &held.ok_or_else(|| absent(root, version))?.key;
        let mut context: Vec<&[u8]> = Vec::with_capacity(1 + parts.len());
        context.push(root.name().as_bytes());
        context.extend_from_slice(parts);
        Ok(kdf::derive(key, PRF, &context))
    }
}

impl fmt::Debug for LocalRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalRoots")
            .field("database", &self.database())
            .finish_non_exhaustive()
    }
}

/// Splits a sealed text into its parts.
fn version_of(sealed: &[u8]) -> Result<(u32, &[u8]), Error> {
    let (version, sealed) = sealed
        .split_first_chunk()
        .ok_or_else(|| Error::bug("a text sealed by a root key is too short"))?;
    Ok((u32::from_be_bytes(*version), sealed))
}

/// The row is intact, but this node does not have all keys. Nothing was judged.
fn absent(root: Root, version: u32) -> Error {
    Error::unavailable(format!(
        "root key {} has no version {version} in the key file of this node: copy the newest key file to it and restart it",
        root.name()
    ))
}
