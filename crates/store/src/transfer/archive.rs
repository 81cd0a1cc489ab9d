//! A whole database in one file.
//!
//! ```text
//! KEYWARD BACKUP 1\n
//! {"engine":"postgres","made":"2026-11-21T12:00:00.000Z",…}\n
//! R kind id owner rank due version body      every row, in the order of (kind, id)
//! E rows (8) sha256 (32)                     over all rows as they are written
//! ```
//!
//! Numbers are big-endian. Before a kind is its length in one byte, before a body its length in four bytes. Before
//! an owner and a due time is a byte that is 0 if there is none. Bodies are sealed: the file reveals no more than
//! a stolen database, and can only be read with the key file, which it does not contain.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use domain::port::Store;
use domain::port::store::{AnyRow, Row, RowId, Stop, Tx, TxResult};
use domain::{Error, Timestamp};

use super::{Digest, KIND_BYTES, PAGE, Source, Summer, mark};
use crate::failure::Failure;

const MAGIC: &str = "KEYWARD BACKUP 1\n";
const HEADER_BYTES: u64 = 4_096;
const ROW: u8 = b'R';
const END: u8 = b'E';
/// Larger than any body that the surfaces accept.
const BODY_BYTES: usize = 256 << 20;

/// What the beginning of a backup says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveInfo {
    /// JSON, on one line.
    pub header: String,
    pub digest: Digest,
}

/// A backup that was read to its end and is complete.
#[derive(Clone, Debug)]
pub struct Archive {
    path: PathBuf,
    pub info: ArchiveInfo,
}

/// Writes the content of `store` at one moment to the new file `path`. `header` is one line of JSON.
pub async fn write_archive(
    store: &dyn Store,
    path: &Path,
    header: &str,
) -> Result<ArchiveInfo, Error> {
    if path.exists() {
        let what = format!(
            "{} exists already: a backup overwrites no file",
            path.display()
        );
        return Err(Failure::new(what).unavailable());
    }
    let partial = beside(path);
    let (target, line) = (partial.clone(), header.to_owned());
    let slot: std::sync::Arc<std::sync::Mutex<Option<Digest>>> = std::sync::Arc::default();
    let filled = std::sync::Arc::clone(&slot);
    let job = move |tx: &mut dyn Tx| {
        let digest = write_rows(tx, &target, &line)?;
        *filled
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(digest);
        Ok(())
    };
    let written = store.read(Box::new(job)).await;
    if let Err(error) = written {
        // The incomplete file is useless. It does no harm if it cannot be removed.
        let _ = std::fs::remove_file(&partial);
        return Err(error);
    }
    std::fs::rename(&partial, path)
        .and_then(|()| sync_folder(path))
        .map_err(|error| cannot("finish the backup", path, error))?;
    let digest = slot
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .take();
    let digest = digest.ok_or_else(|| Failure::new("a backup ended without its checksum").bug())?;
    Ok(ArchiveInfo {
        header: header.to_owned(),
        digest,
    })
}

fn write_rows(tx: &mut dyn Tx, path: &Path, header: &str) -> TxResult<Digest> {
    let fail = |error| Stop::Failed(cannot("write the backup", path, error));
    let file = private(path).map_err(fail)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    out.write_all(MAGIC.as_bytes())
        .and_then(|()| out.write_all(header.as_bytes()))
        .and_then(|()| out.write_all(b"\n"))
        .map_err(fail)?;
    let mut summer = Summer::default();
    let mut after: Option<(String, RowId)> = None;
    loop {
        let behind = after.as_ref().map(|(kind, id)| (kind.as_str(), *id));
        let page = tx.scan(behind, PAGE)?;
        let full = page.len() == PAGE;
        after = page.last().map(|row| (row.kind.clone(), row.row.id));
        for row in page.iter().filter(|row| !mark::is_mark(row)) {
            let mut bytes = Vec::with_capacity(row.row.body.len() + 128);
            encode(row, &mut bytes)?;
            summer.add(&row.kind, &bytes);
            out.write_all(&bytes).map_err(fail)?;
        }
        if !full {
            break;
        }
    }
    let digest = summer.finish();
    out.write_all(&[END])
        .and_then(|()| out.write_all(&digest.rows().to_be_bytes()))
        .and_then(|()| out.write_all(&digest.sha256))
        .and_then(|()| out.flush())
        .and_then(|()| out.get_ref().sync_all())
        .map_err(fail)?;
    Ok(digest)
}

impl Archive {
    /// Reads the backup at `path` to its end. Refuses one that was cut off or changed.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut reader = Reader::open(path)?;
        let mut summer = Summer::default();
        while let Some(row) = reader.row()? {
            let mut bytes = Vec::new();
            encode(&row, &mut bytes)?;
            summer.add(&row.kind, &bytes);
        }
        let digest = summer.finish();
        if reader.end != Some((digest.rows(), digest.sha256)) {
            return Err(broken(path, "its checksum is wrong"));
        }
        Ok(Self {
            path: path.to_owned(),
            info: ArchiveInfo {
                header: reader.header,
                digest,
            },
        })
    }

    /// Reads the rows again, from the first one.
    pub fn rows(&self) -> Result<ArchiveSource, Error> {
        Ok(ArchiveSource(Reader::open(&self.path)?))
    }
}

/// The rows of a backup.
pub struct ArchiveSource(Reader);

#[async_trait]
impl Source for ArchiveSource {
    async fn next(&mut self) -> Result<Option<AnyRow>, Error> {
        self.0.row()
    }
}

struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    header: String,
    last: Option<(String, RowId)>,
    end: Option<(u64, [u8; 32])>,
}

impl Reader {
    fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|error| cannot("read the backup", path, error))?;
        let mut reader = Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(1 << 20, file),
            header: String::new(),
            last: None,
            end: None,
        };
        let magic = reader.bytes(MAGIC.len());
        if magic.ok().as_deref() != Some(MAGIC.as_bytes()) {
            return Err(broken(
                path,
                "it does not begin like a backup of this release",
            ));
        }
        let mut line = Vec::new();
        loop {
            match reader.bytes(1)?[0] {
                b'\n' => break,
                byte => line.push(byte),
            }
            if line.len() as u64 > HEADER_BYTES {
                return Err(broken(path, "its first line is too long"));
            }
        }
        reader.header = String::from_utf8(line)
            .map_err(|_| broken(path, "its first line is not valid text"))?;
        Ok(reader)
    }

    fn row(&mut self) -> Result<Option<AnyRow>, Error> {
        match self.bytes(1)?[0] {
            ROW => {}
            END => {
                self.end = Some((u64::from_be_bytes(self.array()?), self.array()?));
                if !matches!(self.file.read(&mut [0]), Ok(0)) {
                    return Err(broken(&self.path, "there is data after its end"));
                }
                return Ok(None);
            }
            _ => return Err(broken(&self.path, "it contains something other than rows")),
        }
        let length = usize::from(self.bytes(1)?[0]);
        let kind = String::from_utf8(self.bytes(length)?);
        let kind = kind.map_err(|_| broken(&self.path, "a kind is not valid text"))?;
        let id = RowId(self.array()?);
        let owner = if self.is_there()? {
            Some(RowId(self.array()?))
        } else {
            None
        };
        let rank = i64::from_be_bytes(self.array()?);
        let due = if self.is_there()? {
            Some(Timestamp::from_millis(i64::from_be_bytes(self.array()?)))
        } else {
            None
        };
        let version = u64::from_be_bytes(self.array()?);
        let length = u32::from_be_bytes(self.array()?) as usize;
        if kind.len() > KIND_BYTES || length > BODY_BYTES {
            return Err(broken(&self.path, "a row is larger than allowed"));
        }
        let body = self.bytes(length)?;
        let place = (kind.clone(), id);
        if self.last.as_ref().is_some_and(|last| *last >= place) {
            return Err(broken(&self.path, "its rows are not in the right order"));
        }
        self.last = Some(place);
        let row = Row {
            id,
            owner,
            rank,
            due,
            version,
            body,
        };
        Ok(Some(AnyRow { kind, row }))
    }

    /// Reads the byte that says whether a value is present. Other values are refused, so that a row has only one
    /// encoding.
    fn is_there(&mut self) -> Result<bool, Error> {
        match self.bytes(1)?[0] {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(broken(&self.path, "a row is not encoded correctly")),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut out = [0; N];
        self.fill(&mut out)?;
        Ok(out)
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, Error> {
        let mut out = vec![0; length];
        self.fill(&mut out)?;
        Ok(out)
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.file
            .read_exact(out)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => broken(&self.path, "it was cut off"),
                _ => cannot("read the backup", &self.path, error),
            })
    }
}

/// Appends a row in its encoded form.
pub(super) fn encode(row: &AnyRow, out: &mut Vec<u8>) -> Result<(), Error> {
    let AnyRow { kind, row } = row;
    let kind_length = u8::try_from(kind.len())
        .ok()
        .filter(|length| usize::from(*length) <= KIND_BYTES);
    let body_length = u32::try_from(row.body.len())
        .ok()
        .filter(|_| row.body.len() <= BODY_BYTES);
    let (Some(kind_length), Some(body_length)) = (kind_length, body_length) else {
        return Err(Failure::new("a row is larger than allowed").bug());
    };
    out.push(ROW);
    out.push(kind_length);
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(&row.id.0);
    match row.owner {
        Some(owner) => {
            out.push(1);
            out.extend_from_slice(&owner.0);
        }
        None => out.push(0),
    }
    out.extend_from_slice(&row.rank.to_be_bytes());
    match row.due {
        Some(due) => {
            out.push(1);
            out.extend_from_slice(&due.millis().to_be_bytes());
        }
        None => out.push(0),
    }
    out.extend_from_slice(&row.version.to_be_bytes());
    out.extend_from_slice(&body_length.to_be_bytes());
    out.extend_from_slice(&row.body);
    Ok(())
}

fn private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn broken(path: &Path, why: &str) -> Error {
    let what = format!("{} is not a complete backup: {why}", path.display());
    Failure::new(what).unavailable()
}

fn cannot(what: &str, path: &Path, error: std::io::Error) -> Error {
    Failure::because(format!("cannot {what} {}", path.display()), error).unavailable()
}
