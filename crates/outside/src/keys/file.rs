//! The key file: JSON, mode 0600, one list of versions per root.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::Key;
use domain::Timestamp;
use domain::port::Random;
use domain::port::random::bytes;
use domain::port::roots::Root;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::KeyError;
use crate::disk::{self, Replacement};

const FORMAT: u32 = 1;
/// Maximum size: enough for more than a century of monthly rotations. A larger file is not a key file.
const LONGEST: u64 = 1 << 20;

/// One version of one root key.
#[derive(Clone)]
pub(super) struct Version {
    pub(super) number: u32,
    pub(super) key: Key,
    /// A prepared version can open, but seals only after the next rotation, so that every node has it before any
    /// node uses it.
    pub(super) prepared: bool,
}

/// The content of a key file, checked.
pub struct KeyFile {
    path: Option<PathBuf>,
    database: Uuid,
    created: Timestamp,
    /// In the order of [`Root::ALL`]. Each list has ascending versions and is never empty.
    roots: Vec<Vec<Version>>,
}

impl KeyFile {
    /// Creates new keys for `database`, in memory only.
    pub fn generate(database: Uuid, now: Timestamp, random: &dyn Random) -> Self {
        let fresh = |_| {
            vec![Version {
                number: 1,
                key: Key::new(bytes(random)),
                prepared: false,
            }]
        };
        let roots = Root::ALL.into_iter().map(fresh).collect();
        Self {
            path: None,
            database,
            created: now,
            roots,
        }
    }

    /// Creates new keys for `database` and writes them to `path`, which must not exist yet.
    pub fn create(
        path: &Path,
        database: Uuid,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<Self, KeyError> {
        let mut file = Self::generate(database, now, random);
        disk::create(path, file.text().as_bytes()).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Exists {
                path: path.to_owned(),
            },
            _ => failed(path, "write", error),
        })?;
        file.path = Some(path.to_owned());
        Ok(file)
    }

    /// Reads the key file at `path`. Refuses it if anybody except its owner has rights on it.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let mut file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => KeyError::Missing {
                path: path.to_owned(),
            },
            _ => failed(path, "open", error),
        })?;
        let length = private_length(&file, path)?;
        // The whole size is reserved first, so that a growing buffer leaves no copy of the text in memory.
        let mut text = Zeroizing::new(String::with_capacity(length));
        file.read_to_string(&mut text)
            .map_err(|error| failed(path, "read", error))?;
        let mut keys = Self::read(&text, &path.display().to_string())?;
        keys.path = Some(path.to_owned());
        Ok(keys)
    }

    /// Reads the content of a key file that came from elsewhere, such as an environment variable.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        Self::read(text, "given as text")
    }

    /// The content of the file, for a secret store that takes it as one value.
    pub fn text(&self) -> Zeroizing<String> {
        let list = |root: Root| -> Vec<WireKey> {
            let wire = |version: &Version| WireKey {
                version: version.number,
                key: STANDARD.encode(version.key.expose()),
                prepared: version.prepared,
            };
            self.versions(root).iter().map(wire).collect()
        };
        let wire = Wire {
            format: FORMAT,
            database: self.database.to_string(),
            created: self.created.rfc3339(),
            roots: WireRoots {
                data: list(Root::Data),
                recovery: list(Root::Recovery),
                pepper: list(Root::Pepper),
                index: list(Root::Index),
                audit: list(Root::Audit),
                token: list(Root::Token),
            },
        };
        let keys: usize = self.roots.iter().map(Vec::len).sum();
        let mut out = Zeroizing::new(Vec::with_capacity(1024 + keys * 128));
        serde_json::to_writer_pretty(&mut *out, &wire)
            .expect("plain values always have a JSON form");
        out.push(b'\n');
        Zeroizing::new(String::from_utf8(std::mem::take(&mut *out)).expect("JSON is UTF-8"))
    }

    /// Makes a server seal with a new version of `root` after its next start: with the prepared version, or with
    /// one that is added now. Returns its number.
    ///
    /// Reads the file again first, so that a version that another process has added stays. The file is replaced
    /// completely or not at all.
    pub fn rotate(&mut self, root: Root, random: &dyn Random) -> Result<u32, KeyError> {
        self.add(root, random, false)
    }

    /// Adds a version to `root` that can open after the next start of a server, and seals only after
    /// [`KeyFile::rotate`].
    pub fn prepare(&mut self, root: Root, random: &dyn Random) -> Result<u32, KeyError> {
        self.add(root, random, true)
    }

    fn add(&mut self, root: Root, random: &dyn Random, prepared: bool) -> Result<u32, KeyError> {
        if let Some(why) = why_never(root) {
            return Err(KeyError::Unsupported { why });
        }
        let Some(path) = self.path.clone() else {
            return Err(KeyError::Unsupported {
                why: "keys that were not read from a file cannot be rotated here: rotate them where they are stored",
            });
        };
        let replacement = Replacement::begin(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Replacing {
                fresh: Replacement::beside(&path),
            },
            _ => failed(&path, "replace", error),
        })?;
        let mut next = Self::load(&path)?;
        if next.database != self.database {
            return Err(KeyError::OtherDatabase {
                why: format!(
                    "it is for database {}, not {}",
                    next.database, self.database
                ),
            });
        }
        let done = next.step(root, random, prepared)?;
        let text = next.text();
        replacement
            .finish(text.as_bytes())
            .map_err(|error| failed(&path, "replace", error))?;
        *self = next;
        Ok(done)
    }

    fn step(&mut self, root: Root, random: &dyn Random, prepared: bool) -> Result<u32, KeyError> {
        let versions = &mut self.roots[position(root)];
        match versions.last_mut() {
            Some(last) if last.prepared && prepared => {
                return Err(KeyError::Unsupported {
                    why: "a version is prepared already: give it to every node, then rotate",
                });
            }
            Some(last) if last.prepared => {
                last.prepared = false;
                return Ok(last.number);
            }
            _ => {}
        }
        let last = versions.last().map_or(0, |version| version.number);
        let number = last.checked_add(1).ok_or(KeyError::Unsupported {
            why: "this root has used up its version numbers",
        })?;
        versions.push(Version {
            number,
            key: Key::new(bytes(random)),
            prepared,
        });
        Ok(number)
    }

    /// The version of `root` that seals, and the prepared version if there is one.
    pub fn state(&self, root: Root) -> (u32, Option<u32>) {
        let used = self.versions(root).iter().rev().find(|held| !held.prepared);
        let prepared = self.versions(root).last().filter(|held| held.prepared);
        (
            used.map_or(1, |held| held.number),
            prepared.map(|held| held.number),
        )
    }

    /// The database that these keys belong to.
    pub fn database(&self) -> Uuid {
        self.database
    }

    pub fn created(&self) -> Timestamp {
        self.created
    }

    pub(super) fn versions(&self, root: Root) -> &[Version] {
        &self.roots[position(root)]
    }

    fn read(text: &str, place: &str) -> Result<Self, KeyError> {
        let refuse = |why: String| KeyError::Content {
            place: place.to_owned(),
            why,
        };
        // The library's own text is not used, because it may quote a value, and every value here is secret.
        let broken = |error: &serde_json::Error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => {
                    "a member is missing, unknown or of the wrong type"
                }
                _ => "the JSON is broken",
            };
            refuse(format!(
                "{what} at line {}, column {}",
                error.line(),
                error.column()
            ))
        };
        let probe: Probe = serde_json::from_str(text).map_err(|error| broken(&error))?;
        if probe.format != FORMAT {
            return Err(refuse(format!(
                "it has format {} and this version of Keyward reads format {FORMAT}",
                probe.format
            )));
        }
        let wire: Wire = serde_json::from_str(text).map_err(|error| broken(&error))?;
        let database = Uuid::parse_str(&wire.database)
            .map_err(|_| refuse("\"database\" is not a UUID".to_owned()))?;
        let created = Timestamp::parse(&wire.created)
            .ok_or_else(|| refuse("\"created\" is not an RFC 3339 time".to_owned()))?;
        let mut roots = Vec::with_capacity(Root::ALL.len());
        for root in Root::ALL {
            let versions = read_versions(wire.roots.of(root));
            roots.push(versions.map_err(|why| refuse(format!("root \"{}\" {why}", root.name())))?);
        }
        if let Some(why) = shared_key(&roots) {
            return Err(refuse(why));
        }
        Ok(Self {
            path: None,
            database,
            created,
            roots,
        })
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

fn failed(path: &Path, doing: &'static str, source: io::Error) -> KeyError {
    KeyError::Io {
        path: path.to_owned(),
        doing,
        source,
    }
}

/// Why a root key can have only one version.
fn why_never(root: Root) -> Option<&'static str> {
    match root {
        Root::Index => {
            Some("the root key `index` cannot be rotated: the ids of all rows depend on it")
        }
        Root::Audit => Some(
            "the root key `audit` cannot be rotated: the whole audit trail is verified with it",
        ),
        Root::Token => Some(
            "the root key `token` is not rotated: keys that sign tokens are rows, with their own rotation",
        ),
        Root::Data | Root::Recovery | Root::Pepper => None,
    }
}

fn position(root: Root) -> usize {
    Root::ALL
        .iter()
        .position(|known| *known == root)
        .expect("ALL names every root")
}

/// Checks rights and size on the open file, so that the checked file is the one that is read.
fn private_length(file: &File, path: &Path) -> Result<usize, KeyError> {
    let meta = file
        .metadata()
        .map_err(|error| failed(path, "read", error))?;
    if !meta.is_file() || meta.len() > LONGEST {
        return Err(KeyError::Content {
            place: path.display().to_string(),
            why: "it is not a regular file of a key file's size".to_owned(),
        });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = meta.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyError::TooOpen {
                path: path.to_owned(),
                mode,
            });
        }
    }
    Ok(usize::try_from(meta.len()).unwrap_or_default() + 1)
}

/// Checks that versions count up from 1 without a gap, so that every version named by an old row exists exactly
/// once.
fn read_versions(list: &[WireKey]) -> Result<Vec<Version>, String> {
    if list.is_empty() {
        return Err("has no version".to_owned());
    }
    let mut versions = Vec::with_capacity(list.len());
    for (item, expected) in list.iter().zip(1_u32..) {
        let number = item.version;
        if number != expected {
            return Err(format!(
                "has version {number} where version {expected} must be: versions count up from 1"
            ));
        }
        let raw = STANDARD
            .decode(&item.key)
            .map(Zeroizing::new)
            .map_err(|_| format!("version {number} is not base64"))?;
        let key = Key::from_slice(&raw)
            .ok_or_else(|| format!("version {number} has {} bytes instead of 32", raw.len()))?;
        let prepared = item.prepared;
        if prepared && (number == 1 || list.len() != versions.len() + 1) {
            return Err(format!(
                "has version {number} prepared: only the newest can be, and never the first"
            ));
        }
        versions.push(Version {
            number,
            key,
            prepared,
        });
    }
    Ok(versions)
}

/// Finds two root keys, or two versions, with the same key: they cannot have been created randomly.
fn shared_key(roots: &[Vec<Version>]) -> Option<String> {
    let named = || {
        Root::ALL
            .into_iter()
            .zip(roots)
            .flat_map(|(root, versions)| versions.iter().map(move |version| (root, version)))
    };
    for (at, (root, version)) in named().enumerate() {
        for (earlier_root, earlier) in named().take(at) {
            if earlier.key == version.key {
                return Some(format!(
                    "root \"{}\" version {} and root \"{}\" version {} are the same key",
                    earlier_root.name(),
                    earlier.number,
                    root.name(),
                    version.number
                ));
            }
        }
    }
    None
}

/// Reads only the format, so that the error for a file of a later format can say so.
#[derive(Deserialize)]
struct Probe {
    format: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    format: u32,
    database: String,
    created: String,
    roots: WireRoots,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRoots {
    data: Vec<WireKey>,
    recovery: Vec<WireKey>,
    pepper: Vec<WireKey>,
    index: Vec<WireKey>,
    audit: Vec<WireKey>,
    token: Vec<WireKey>,
}

impl WireRoots {
    fn of(&self, root: Root) -> &[WireKey] {
        match root {
            Root::Data => &self.data,
            Root::Recovery => &self.recovery,
            Root::Pepper => &self.pepper,
            Root::Index => &self.index,
            Root::Audit => &self.audit,
            Root::Token => &self.token,
        }
    }
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct WireKey {
    version: u32,
    key: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    prepared: bool,
}
