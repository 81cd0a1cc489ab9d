//! The database file: opened by one process at a time, and readable by one user only.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::Error;
use rusqlite::{Connection, OpenFlags};

use super::fault;
use crate::failure::Failure;

/// How many prepared statements a connection keeps; there are about twenty.
const STATEMENTS: usize = 64;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The lock that makes this the only process with the database. The system releases it when the process ends,
/// however it ends.
#[derive(Debug)]
pub(super) struct Claim {
    _file: File,
}

/// Locks the database at `path`. Creates its folder and its file if they do not exist, readable by this user only.
pub(super) fn claim(path: &Path) -> Result<Claim, Error> {
    refuse_network(path)?;
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        create_folder(folder).map_err(|error| cannot("create the folder", folder, error))?;
    }
    let lock = beside(path, ".lock");
    let file = private()
        .open(&lock)
        .map_err(|error| cannot("open the lock file", &lock, error))?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => {
            let what = format!(
                "another process is using the database {}: it holds the lock file {}",
                path.display(),
                lock.display()
            );
            Failure::new(what).unavailable()
        }
        TryLockError::Error(error) => cannot("lock the file", &lock, error),
    })?;
    refuse_left_log(path)?;
    private()
        .open(path)
        .map_err(|error| cannot("open the database", path, error))?;
    for suffix in ["", "-wal", "-shm"] {
        let file = beside(path, suffix);
        if file.exists() {
            restrict(&file).map_err(|error| cannot("restrict the file", &file, error))?;
        }
    }
    Ok(Claim { _file: file })
}

/// Detects a log without its database. Creating an empty database would destroy the content of the log.
fn refuse_left_log(path: &Path) -> Result<(), Error> {
    let is_empty = |file: &Path| fs::metadata(file).map_or(true, |meta| meta.len() == 0);
    let log = beside(path, "-wal");
    if !is_empty(path) || is_empty(&log) {
        return Ok(());
    }
    let what = format!(
        "{} holds the newest changes of a database, and {} is not here: the two belong together. Put that \
         back beside it; or, for a new database, move the log away and keep it",
        log.display(),
        path.display()
    );
    Err(Failure::new(what).unavailable())
}

/// Opens a connection that may write. SQLite gives its additional files the mode of the database file.
pub(super) fn writer(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fault::error)?;
    prepare_file(&connection)
        .and_then(|()| prepare(&connection))
        .map_err(fault::error)?;
    Ok(connection)
}

/// Opens a connection that cannot write.
pub(super) fn reader(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fault::error)?;
    prepare(&connection).map_err(fault::error)?;
    Ok(connection)
}

/// Opens a database in memory, which exists as long as this connection.
pub(super) fn memory() -> Result<Connection, Error> {
    let connection = Connection::open_in_memory().map_err(fault::error)?;
    prepare(&connection).map_err(fault::error)?;
    Ok(connection)
}

fn prepare_file(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit must be on the disk before it is acknowledged.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // The writer makes checkpoints itself, between batches.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.pragma_update(None, "cache_size", -16_384)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // A removed key must not remain readable in a free page.
    connection.pragma_update(None, "secure_delete", true)
}

/// Appends a suffix to the name of `path`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

pub(super) fn cannot(what: &str, path: &Path, error: std::io::Error) -> Error {
    Failure::because(format!("cannot {what} {}", path.display()), error).unavailable()
}

/// Refuses network file systems, because locks and shared memory do not work across machines.
fn refuse_network(path: &Path) -> Result<(), Error> {
    const NETWORK: [&str; 9] = [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "afs",
        "ceph",
        "fuse.sshfs",
        "fuse.glusterfs",
    ];
    let Ok(mounts) = fs::read_to_string("/proc/self/mounts") else {
        return Ok(());
    };
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute
        .ancestors()
        .skip(1)
        .find_map(|folder| folder.canonicalize().ok());
    match folder.and_then(|folder| file_system(&mounts, &folder)) {
        Some(kind) if NETWORK.contains(&kind.as_str()) => {
            let what = format!(
                "{} lies on a network file system ({kind}), where SQLite can lose data: \
                 use a local disk, or PostgreSQL",
                path.display()
            );
            Err(Failure::new(what).unavailable())
        }
        _ => Ok(()),
    }
}

/// The type of the file system of `folder`: that of the deepest mount above it, or of the last one if there are
/// several.
fn file_system(mounts: &str, folder: &Path) -> Option<String> {
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some((words.next()?.replace("\\040", " "), words.next()?))
        })
        .filter(|(at, _)| folder.starts_with(at))
        .max_by_key(|(at, _)| at.len())
        .map(|(_, kind)| kind.to_owned())
}

#[cfg(unix)]
pub(super) fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    options
}

#[cfg(unix)]
fn restrict(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if fs::metadata(file)?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(unix)]
fn create_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_deepest_mount() {
        let mounts =
            "/dev/vda / ext4 rw 0 0\nbox:/x /srv nfs4 rw 0 0\ntmpfs /srv/a\\040b tmpfs rw 0 0";
        let kind = |path: &str| file_system(mounts, Path::new(path)).unwrap();
        assert_eq!(kind("/home/k"), "ext4");
        assert_eq!(kind("/srv/k"), "nfs4");
        assert_eq!(kind("/srv/a b/k"), "tmpfs");
        assert_eq!(kind("/srvx"), "ext4");
    }
}
