//! A whole database in one file.
//!
//! ```text
//! KEYWARD BACKUP 1\n
//! {"engine":"postgres","made":"2026-11-21T12:00:00.000Z",…}\n
//! R kind id owner rank due version body      every row, in the order of (kind, id)
//! E rows (8) sha256 (32)                     over all rows as they are written
//! ```
//!
//! Numbers are big-endian. A kind has a length of one byte before it, a body one of four; an owner and a due
//! time have a byte before them that is 0 when there is none. Bodies are sealed already: the file tells
//! what a stolen database tells, and opens with the key file only, which is not in it.

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
/// Larger than any body that the surfaces take.
const BODY_BYTES: usize = 256 << 20;

/// What the first line of a backup says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveInfo {
    /// JSON, on one line.
    pub header: String,
    pub digest: Digest,
}

/// A backup that was read to its end and found whole.
#[derive(Clone, Debug)]
pub struct Archive {
    path: PathBuf,
    pub info: ArchiveInfo,
}

/// Writes everything in `store`, as it is at one moment, to the new file `path`. `header`: one line of JSON.
pub async fn write_archive(
    store: &dyn Store,
    path: &Path,
    header: &str,
) -> Result<ArchiveInfo, Error> {
    if path.exists() {
        let what = format!(
            "{} exists already: a backup replaces nothing",
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
        // What is left of it is of no use; that it stays when this fails is no harm.
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
    let digest = digest.ok_or_else(|| Failure::new("a backup ended without its sum").bug())?;
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
    /// Reads the backup at `path` to its end: one that was cut off or changed is refused.
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
            return Err(broken(path, "its sum is not the one at its end"));
        }
        Ok(Self {
            path: path.to_owned(),
            info: ArchiveInfo {
                header: reader.header,
                digest,
            },
        })
    }

    /// The rows once more, from the first.
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
                "it does not begin as a backup of this release does",
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
        reader.header =
            String::from_utf8(line).map_err(|_| broken(path, "its first line is no text"))?;
        Ok(reader)
    }

    fn row(&mut self) -> Result<Option<AnyRow>, Error> {
        match self.bytes(1)?[0] {
            ROW => {}
            END => {
                self.end = Some((u64::from_be_bytes(self.array()?), self.array()?));
                if !matches!(self.file.read(&mut [0]), Ok(0)) {
                    return Err(broken(&self.path, "it goes on behind its end"));
                }
                return Ok(None);
            }
            _ => return Err(broken(&self.path, "it has something else than rows in it")),
        }
        let length = usize::from(self.bytes(1)?[0]);
        let kind = String::from_utf8(self.bytes(length)?);
        let kind = kind.map_err(|_| broken(&self.path, "a kind is no text"))?;
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
            return Err(broken(&self.path, "a row is larger than any"));
        }
        let body = self.bytes(length)?;
        let place = (kind.clone(), id);
        if self.last.as_ref().is_some_and(|last| *last >= place) {
            return Err(broken(&self.path, "its rows are not in order"));
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

    /// The byte before what may be missing. One row is written in one way only.
    fn is_there(&mut self) -> Result<bool, Error> {
        match self.bytes(1)?[0] {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(broken(&self.path, "a row is not as it is written")),
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

/// Appends a row in its written form.
pub(super) fn encode(row: &AnyRow, out: &mut Vec<u8>) -> Result<(), Error> {
    let AnyRow { kind, row } = row;
    let kind_length = u8::try_from(kind.len())
        .ok()
        .filter(|length| usize::from(*length) <= KIND_BYTES);
    let body_length = u32::try_from(row.body.len())
        .ok()
        .filter(|_| row.body.len() <= BODY_BYTES);
    let (Some(kind_length), Some(body_length)) = (kind_length, body_length) else {
        return Err(Failure::new("a row is larger than any").bug());
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
    let what = format!("{} is no whole backup: {why}", path.display());
    Failure::new(what).unavailable()
}

fn cannot(what: &str, path: &Path, error: std::io::Error) -> Error {
    Failure::because(format!("cannot {what} {}", path.display()), error).unavailable()
}
