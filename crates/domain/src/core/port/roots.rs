//! The root keys. Nothing of them is ever in the database.

use crypto::Key;
use zeroize::Zeroizing;

use crate::core::error::Error;

/// Which root, and so what it may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Root {
    /// Wraps the data key of each tenant or account (`KEK-data`).
    Data,
    /// Seals what only a time-locked recovery may open (`KEK-recovery`).
    Recovery,
    /// Peppers PIN tags, password hashes and code tags (`PRF`).
    Pepper,
    /// Makes blind indexes: row ids out of names and addresses (`MAC`).
    Index,
    /// Keys the audit chain and its checkpoints (`AUDIT`).
    Audit,
    /// Seeds the keys that sign tokens.
    Token,
}

impl Root {
    pub const ALL: [Self; 6] = [
        Self::Data,
        Self::Recovery,
        Self::Pepper,
        Self::Index,
        Self::Audit,
        Self::Token,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Recovery => "recovery",
            Self::Pepper => "pepper",
            Self::Index => "index",
            Self::Audit => "audit",
            Self::Token => "token",
        }
    }
}

/// A provider of root keys, in versions: new seals use the current version, any listed one opens.
pub trait Roots: Send + Sync {
    /// The version that new seals and tags use.
    fn current(&self, root: Root) -> u32;

    /// Seals a short secret under the current version of `root`, bound to `aad`; the version is in the result.
    fn seal(&self, root: Root, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, Error>;

    /// Seals under the current version what an older one sealed; `None`: there is nothing to do. The content is
    /// not given out; key services call it rewrap. What no known version sealed is [`Error::Bug`].
    fn rewrap(&self, root: Root, aad: &[u8], sealed: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Opens what [`Roots::seal`] made, with whichever version made it.
    fn open(&self, root: Root, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error>;

    /// A pseudo-random key out of `parts`, under that version of `root`.
    fn prf(&self, root: Root, version: u32, parts: &[&[u8]]) -> Result<Key, Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_root_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> =
            Root::ALL.into_iter().map(Root::name).collect();
        assert_eq!(names.len(), Root::ALL.len());
    }
}
