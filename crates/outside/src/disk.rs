//! Small files that must be complete or absent, and readable by their owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Opens a file that must not exist yet, with mode 0600.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    options.open(path)
}

/// Makes files created through `options` readable by their owner only.
pub(crate) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
}

/// Writes a file that must not exist yet, and returns when it is on disk with its name.
///
/// The file is written under another name first and then linked. So a process that is killed half-way leaves no
/// incomplete file under the final name, which would block every later start.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let partial = path.with_file_name(name);
    // A leftover of a killed process with the same process id. In a container the first process always has the
    // same id.
    let _ = fs::remove_file(&partial);
    let linked = create_private(&partial)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::hard_link(&partial, path));
    let _ = fs::remove_file(&partial);
    linked?;
    sync_folder(path)
}

/// A replacement of a file, prepared next to it. While it exists, nobody can begin a second one.
pub(crate) struct Replacement {
    target: PathBuf,
    fresh: PathBuf,
    file: File,
}

impl Replacement {
    /// The path at which a replacement of `path` is prepared.
    pub(crate) fn beside(path: &Path) -> PathBuf {
        let path = Self::target(path);
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        path.with_file_name(name)
    }

    /// Follows links from `path` to the file.
    fn target(path: &Path) -> PathBuf {
        fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
    }

    /// Fails with `AlreadyExists` while another replacement is being prepared. If `path` is a link, the file
    /// behind it is replaced. The new file keeps the owner of the old one.
    pub(crate) fn begin(path: &Path) -> io::Result<Self> {
        let path = &Self::target(path);
        let fresh = Self::beside(path);
        let file = create_private(&fresh)?;
        let owned = keep_owner(path, &file);
        if let Err(error) = owned {
            let _ = fs::remove_file(&fresh);
            return Err(error);
        }
        Ok(Self {
            target: path.to_owned(),
            fresh,
            file,
        })
    }

    /// Replaces the file's content by `bytes`. Afterwards the file has either the old or the new content.
    pub(crate) fn finish(mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_all()?;
        fs::rename(&self.fresh, &self.target)?;
        sync_folder(&self.target)
    }
}

/// Gives `fresh` the owner of `old`, if that exists and belongs to somebody else.
#[cfg(unix)]
fn keep_owner(old: &Path, fresh: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let (Ok(old), new) = (fs::metadata(old), fresh.metadata()?) else {
        return Ok(());
    };
    if (old.uid(), old.gid()) == (new.uid(), new.gid()) {
        return Ok(());
    }
    fchown(fresh, Some(old.uid()), Some(old.gid()))
}

#[cfg(not(unix))]
fn keep_owner(_: &Path, _: &File) -> io::Result<()> {
    Ok(())
}

/// Replaces the content of the file at `path` by `bytes`, for a file that only this process replaces.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A leftover replacement file comes from a killed process.
    let _ = fs::remove_file(Replacement::beside(path));
    Replacement::begin(path)?.finish(bytes)
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // After a rename there is no file with that name.
        let _ = fs::remove_file(&self.fresh);
    }
}

/// Makes the name of `path` durable on disk. Only Unix can open a folder for this.
fn sync_folder(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}
