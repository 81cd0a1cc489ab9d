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

/// Changing a label makes everything sealed or tagged before unreadable.
const SEAL: &str = "keyward/root/seal/1";
const PRF: &str = "keyward/root/prf/1";
const CHECK: &str = "keyward/root/check/1";
/// After a root's name, in the mark of the keys: the version that it seals with.
const USED: &str = ".used";

/// [`Roots`] out of a key file. A sealed text is `version (4, big endian) | nonce | ciphertext | tag`.
///
/// Sealing and deriving use keys of their own, drawn out of the root with its name, so no use of one
/// root says anything about another or about its other use.
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

    /// A text to keep in the database, by which [`LocalRoots::verify`] later knows these keys again.
    ///
    /// Names the database and one short keyed value for each key; nothing of a key can be learnt from it.
    pub fn check(&self) -> String {
        let mut words = vec![self.database().to_string()];
        words.extend(
            self.fingerprints()
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        // A root that never had another version needs no word, and has none in older releases' marks.
        for root in Root::ALL {
            let used = self.current(root);
            if used > 1 {
                words.push(format!("{}{USED}={used}", root.name()));
            }
        }
        words.join(" ")
    }

    /// Compares these keys with the text that [`LocalRoots::check`] gave when the database was last opened.
    ///
    /// Every key named there must be here, unchanged, and a version that was in use must be in use: so neither
    /// another database's key file nor a copy from before the last rotation is taken. Keys that are new here are
    /// fine; keep the new text then.
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
                Some(_) => return refuse(format!("key {name} is another one")),
                None => return refuse(format!("key {name} is missing, so this is an older copy")),
            }
        }
        Ok(())
    }

    /// Refuses the copy from between preparing a version and using it, once that is used.
    fn verify_used(&self, name: &str, used: &str) -> Result<(), KeyError> {
        let root = Root::ALL.into_iter().find(|root| root.name() == name);
        let here = root.map(|root| self.current(root));
        match (here, used.parse::<u32>()) {
            (Some(here), Ok(used)) if here >= used => Ok(()),
            _ => Err(KeyError::OtherDatabase {
                why: format!(
                    "version {used} of root {name} was in use already, so this is an older copy"
                ),
            }),
        }
    }

    /// For each key `root:version` and 64 bits that depend on the key and the database.
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
        let key = self.seal_key(root, version)?;
        let opened = key.open(aad, sealed);
        opened.map_err(|_| {
            Error::bug(format!(
                "a text sealed by root {} does not open",
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

/// Takes a sealed text apart.
fn version_of(sealed: &[u8]) -> Result<(u32, &[u8]), Error> {
    let (version, sealed) = sealed
        .split_first_chunk()
        .ok_or_else(|| Error::bug("a text sealed by a root is too short"))?;
    Ok((u32::from_be_bytes(*version), sealed))
}

/// The rows are fine, the keys given at start are not all there: nothing was judged.
fn absent(root: Root, version: u32) -> Error {
    Error::unavailable(format!(
        "root {} has no version {version} in the key file of this node: give it the newest one, and restart it",
        root.name()
    ))
}
