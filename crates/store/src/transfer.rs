//! Copies a whole database from one store to another, or to a file and back.
//!
//! Rows are copied as they are, sealed. [`sync`] makes a store equal to a [`Source`]: it walks through both in the
//! order of (kind, id) and changes what differs. So an interrupted copy continues when it is run again, and a
//! second run copies only what has changed meanwhile. [`digest`] checks the result: equal counts, and one hash
//! over every column and every sealed body.

mod archive;
mod mark;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use crypto::mac::Sha256;
use domain::Error;
use domain::port::Store;
use domain::port::store::{AnyRow, Kind, RowId};

use crate::failure::Failure;

pub use archive::{Archive, ArchiveInfo, ArchiveSource, write_archive};
pub use mark::{Mark, Marks, marks, set_mark, unset_mark};

/// Rows read at a time. With the largest possible bodies this is about a hundred megabytes.
const PAGE: usize = 200;
/// Rows, and bytes, changed in one transaction.
const BATCH: usize = 500;
const BATCH_BYTES: usize = 4 << 20;
/// Maximum length of a kind. A longer one means that this is not a database of this program.
const KIND_BYTES: usize = 64;
const KINDS: usize = 1_000;

/// Returns rows one after the other, in the order of (kind, id).
#[async_trait]
pub trait Source: Send {
    async fn next(&mut self) -> Result<Option<AnyRow>, Error>;
}

/// What a [`sync`] changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: u64,
    pub replaced: u64,
    pub removed: u64,
    /// Rows that were already equal.
    pub equal: u64,
}

impl Changes {
    /// Rows of the source that were compared.
    pub fn seen(&self) -> u64 {
        self.added + self.replaced + self.equal
    }

    pub fn changed(&self) -> u64 {
        self.added + self.replaced + self.removed
    }
}

/// A summary of a database: the number of rows of each kind, and a hash over all rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    pub kinds: BTreeMap<String, u64>,
    pub sha256: [u8; 32],
}

impl Digest {
    pub fn rows(&self) -> u64 {
        self.kinds.values().sum()
    }
}

/// The rows of a store, read in pages. Each page shows the store at one moment.
pub struct StoreSource {
    store: Arc<dyn Store>,
    page: std::vec::IntoIter<AnyRow>,
    after: Option<(String, RowId)>,
    over: bool,
}

impl StoreSource {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            page: Vec::new().into_iter(),
            after: None,
            over: false,
        }
    }

    async fn read(&mut self) -> Result<(), Error> {
        let after = self.after.clone();
        let slot: Arc<Mutex<Vec<AnyRow>>> = Arc::default();
        let filled = Arc::clone(&slot);
        let job = move |tx: &mut dyn domain::port::store::Tx| {
            let after = after.as_ref().map(|(kind, id)| (kind.as_str(), *id));
            let rows = tx.scan(after, PAGE)?;
            *filled.lock().unwrap_or_else(PoisonError::into_inner) = rows;
            Ok(())
        };
        self.store.read(Box::new(job)).await?;
        let rows = std::mem::take(&mut *slot.lock().unwrap_or_else(PoisonError::into_inner));
        self.over = rows.len() < PAGE;
        if let Some(last) = rows.last() {
            self.after = Some((last.kind.clone(), last.row.id));
        }
        self.page = rows.into_iter();
        Ok(())
    }
}

#[async_trait]
impl Source for StoreSource {
    async fn next(&mut self) -> Result<Option<AnyRow>, Error> {
        loop {
            match self.page.next() {
                Some(row) if mark::is_mark(&row) => {}
                Some(row) => return Ok(Some(row)),
                None if self.over => return Ok(None),
                None => self.read().await?,
            }
        }
    }
}

/// One change of the target.
enum Change {
    Add(AnyRow),
    Replace(AnyRow),
    Remove(String, RowId),
}

/// Makes `target` equal to `source`. Calls `progress` with the changes so far, after each transaction and after
/// each thousand equal rows.
pub async fn sync(
    source: &mut dyn Source,
    target: &Arc<dyn Store>,
    progress: &mut (dyn FnMut(&Changes) + Send),
) -> Result<Changes, Error> {
    let mut there = StoreSource::new(Arc::clone(target));
    let mut changes = Changes::default();
    let mut batch = Batch::default();
    let (mut ours, mut theirs) = (source.next().await?, there.next().await?);
    loop {
        let order = match (&ours, &theirs) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(ours), Some(theirs)) => key(ours).cmp(&key(theirs)),
        };
        match order {
            std::cmp::Ordering::Less => {
                if let Some(row) = ours.take() {
                    changes.added += 1;
                    batch.push(Change::Add(row));
                }
                ours = source.next().await?;
            }
            std::cmp::Ordering::Greater => {
                if let Some(row) = theirs.take() {
                    changes.removed += 1;
                    batch.push(Change::Remove(row.kind, row.row.id));
                }
                theirs = there.next().await?;
            }
            std::cmp::Ordering::Equal => {
                if ours == theirs {
                    changes.equal += 1;
                    if changes.equal.is_multiple_of(1_000) {
                        progress(&changes);
                    }
                } else if let Some(row) = ours.take() {
                    changes.replaced += 1;
                    batch.push(Change::Replace(row));
                }
                ours = source.next().await?;
                theirs = there.next().await?;
            }
        }
        if batch.is_full() {
            batch.write(target).await?;
            progress(&changes);
        }
    }
    batch.write(target).await?;
    progress(&changes);
    Ok(changes)
}

/// Computes the digest of a whole source.
pub async fn digest(source: &mut dyn Source) -> Result<Digest, Error> {
    let mut summer = Summer::default();
    while let Some(row) = source.next().await? {
        let mut bytes = Vec::new();
        archive::encode(&row, &mut bytes)?;
        summer.add(&row.kind, &bytes);
    }
    Ok(summer.finish())
}

/// Counts and hashes rows in their written form.
#[derive(Default)]
struct Summer {
    kinds: BTreeMap<String, u64>,
    hash: Sha256,
}

impl Summer {
    fn add(&mut self, kind: &str, bytes: &[u8]) {
        match self.kinds.get_mut(kind) {
            Some(count) => *count += 1,
            None => {
                self.kinds.insert(kind.to_owned(), 1);
            }
        }
        self.hash.update(bytes);
    }

    fn finish(self) -> Digest {
        Digest {
            kinds: self.kinds,
            sha256: self.hash.finish(),
        }
    }
}

#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, change: Change) {
        self.bytes += match &change {
            Change::Add(row) | Change::Replace(row) => row.row.body.len(),
            Change::Remove(..) => 0,
        };
        self.changes.push(change);
    }

    fn is_full(&self) -> bool {
        self.changes.len() >= BATCH || self.bytes >= BATCH_BYTES
    }

    async fn write(&mut self, target: &Arc<dyn Store>) -> Result<(), Error> {
        self.bytes = 0;
        if self.changes.is_empty() {
            return Ok(());
        }
        let changes = std::mem::take(&mut self.changes);
        let named: Vec<(Kind, Change)> = changes
            .into_iter()
            .map(|change| Ok((interned(kind_of(&change))?, change)))
            .collect::<Result<_, Error>>()?;
        let job = move |tx: &mut dyn domain::port::store::Tx| {
            for (kind, change) in &named {
                match change {
                    Change::Add(row) => tx.insert(kind, &row.row)?,
                    Change::Replace(row) => {
                        tx.remove(kind, &row.row.id)?;
                        tx.insert(kind, &row.row)?;
                    }
                    Change::Remove(_, id) => {
                        tx.remove(kind, id)?;
                    }
                }
            }
            Ok(())
        };
        target.write(Box::new(job)).await
    }
}

fn key(row: &AnyRow) -> (&str, &RowId) {
    (&row.kind, &row.row.id)
}

fn kind_of(change: &Change) -> &str {
    match change {
        Change::Add(row) | Change::Replace(row) => &row.kind,
        Change::Remove(kind, _) => kind,
    }
}

/// The port's kinds have static lifetime. Those read from a database are few, and are kept for the life of the
/// program.
fn interned(kind: &str) -> Result<Kind, Error> {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kind) = known.get(kind) {
        return Ok(kind);
    }
    if kind.is_empty() || kind.len() > KIND_BYTES || known.len() >= KINDS {
        let what = "the rows have kinds that no database of this program contains";
        return Err(Failure::new(what).unavailable());
    }
    let kept: &'static str = Box::leak(kind.to_owned().into_boxed_str());
    known.insert(kept);
    Ok(kept)
}
