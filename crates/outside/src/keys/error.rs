//! Why a key file was refused, and what to do about it. Never quotes the content of the file.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A key file that cannot be used.
#[derive(Debug)]
pub enum KeyError {
    /// The file does not exist.
    Missing { path: PathBuf },
    /// A key file exists and would be overwritten.
    Exists { path: PathBuf },
    /// Another replacement of the file is in progress, or was interrupted.
    Replacing { fresh: PathBuf },
    /// The operating system refused an operation.
    Io {
        path: PathBuf,
        doing: &'static str,
        source: io::Error,
    },
    /// Other users than the owner have rights on the file.
    TooOpen { path: PathBuf, mode: u32 },
    /// Not a key file, or one that contradicts itself.
    Content { place: String, why: String },
    /// The key file of another database, or an older copy of this database's key file.
    OtherDatabase { why: String },
    /// The operation is not possible with this root key or this provider.
    Unsupported { why: &'static str },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { path } => write!(
                f,
                "there is no key file at {}: put the key file of this database there, or name another folder with \
                 --data, another configuration with --config (a database cannot be read without its keys; new \
                 ones are made only by the first start on an empty database)",
                path.display()
            ),
            Self::Exists { path } => write!(
                f,
                "a key file is already at {}: it is never overwritten, move it away first",
                path.display()
            ),
            Self::Replacing { fresh } => write!(
                f,
                "{} exists: another rotation is running, or one was broken off; if none is running, \
                 delete that file and try again",
                fresh.display()
            ),
            Self::Io { path, doing, .. } => write!(
                f,
                "cannot {doing} the key file {}: make sure that the server's user owns it and its folder",
                path.display()
            ),
            Self::TooOpen { path, mode } => write!(
                f,
                "the key file {} has mode {mode:04o}, so others can reach it: run `chmod 600 {}`, and \
                 if it may have been read, rotate the keys",
                path.display(),
                path.display()
            ),
            Self::Content { place, why } => write!(
                f,
                "the key file {place} is not usable: {why}; restore it from its backup"
            ),
            Self::OtherDatabase { why } => write!(
                f,
                "the key file does not belong to this database: {why}; use the newest key file of this database"
            ),
            Self::Unsupported { why } => f.write_str(why),
        }
    }
}

impl std::error::Error for KeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
