//! Typed records over the store's rows: every body is sealed, every column is under the seal.
//!
//! A body is `format (1) | scope (16) | sealed JSON`. The associated data names kind, id, owner, rank,
//! due time, version and scope, so a row cannot be read, changed, moved, swapped or given another
//! expiry by somebody who writes to the database. Ids are random or keyed hashes ([`Rows::id`]).
//!
//! Each scope (a tenant, or an account that must be shreddable) has a random data key, wrapped by the
//! root `KEK-data` in a row of its own. Removing that row makes everything of the scope unreadable.

mod stored;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

pub(crate) use stored::{Place, Scope, Stored};

use crate::core::error::Error;
use crate::core::id::{Id, NamesRow};
use crate::core::port::random::bytes;
use crate::core::port::roots::{Root, Roots};
use crate::core::port::store::{Kind, Page, Row, RowId, Stop, Tx, TxResult};
use crate::core::port::{Random, Store};
use crate::core::record::Record;
use crate::core::time::Timestamp;
use crypto::Key;
use crypto::aead::SealKey;

pub(crate) const DATA_KEY: Kind = "data_key";
const FORMAT: u8 = 1;

/// Seals and opens records.
pub(crate) struct Rows {
    roots: Arc<dyn Roots>,
    random: Arc<dyn Random>,
    index: Key,
    /// Data keys known to be committed. A key made in a transaction that is later rolled back must
    /// never get in here, so only [`Rows::ensure_scope`] fills it.
    data_keys: Mutex<HashMap<Scope, Arc<SealKey>>>,
    /// The same for scopes of which there may be millions: a bounded number of those used lately.
    recent_keys: Mutex<HashMap<Scope, Arc<SealKey>>>,
}

/// Data keys of small scopes that are remembered.
const RECENT: usize = 20_000;

impl Rows {
    pub(crate) fn new(roots: Arc<dyn Roots>, random: Arc<dyn Random>) -> Result<Self, Error> {
        let index = roots.prf(Root::Index, 1, &[b"row ids"])?;
        Ok(Self {
            roots,
            random,
            index,
            data_keys: Mutex::default(),
            recent_keys: Mutex::default(),
        })
    }

    /// The id of the record of kind `R` that a name leads to: the blind index of the name.
    pub(crate) fn named<R: Record>(&self, parts: &[&[u8]]) -> Id<R> {
        Id::new(self.id(R::KIND, parts))
    }

    /// A random id for a new record.
    pub(crate) fn fresh<R: Record>(&self) -> Id<R> {
        Id::new(self.random_id())
    }

    /// The blind index of a name within a kind: stable, and meaningless without the index key.
    pub(crate) fn id(&self, kind: Kind, parts: &[&[u8]]) -> RowId {
        let mut all = vec![kind.as_bytes()];
        all.extend_from_slice(parts);
        let tag = crypto::mac::tag(&self.index, &all);
        RowId(tag[..16].try_into().expect("a tag has 32 bytes"))
    }

    pub(crate) fn random_id(&self) -> RowId {
        RowId(bytes(self.random.as_ref()))
    }

    /// Makes sure that `scope` has a data key, and remembers it.
    pub(crate) async fn ensure_scope(
        self: &Arc<Self>,
        store: &dyn Store,
        scope: Scope,
    ) -> Result<(), Error> {
        let this = Arc::clone(self);
        store
            .write(Box::new(move |tx| {
                this.data_key(tx, scope, Absent::Create).map(|_| ())
            }))
            .await?;
        let row = store.row(DATA_KEY, scope.0).await?;
        let row = row.ok_or_else(|| Error::bug("a data key was committed and is not there"))?;
        let key = self.unwrap(scope, &row)?;
        self.cache().insert(scope, key);
        Ok(())
    }

    /// Removes the data key of `scope`: what is left of it can never be read again.
    pub(crate) fn shred(&self, tx: &mut dyn Tx, scope: Scope) -> TxResult<()> {
        tx.remove(DATA_KEY, &scope.0)?;
        self.cache().remove(&scope);
        self.recent().remove(&scope);
        Ok(())
    }

    /// Seals a data key, as it was just read, under the newest version of its root. Whether an older one had
    /// sealed it.
    pub(crate) fn rewrap(&self, tx: &mut dyn Tx, row: &Row) -> TxResult<bool> {
        let Some(body) = self.roots.rewrap(Root::Data, &row.id.0, &row.body)? else {
            return Ok(false);
        };
        // The columns of a data key are not under its seal.
        let version = row.version.checked_add(1);
        let version = version.filter(|version| i64::try_from(*version).is_ok());
        let version = version.ok_or_else(|| Error::bug("a data key has used up its versions"))?;
        let fresh = Row {
            version,
            body,
            ..row.clone()
        };
        tx.update(DATA_KEY, &fresh)?;
        Ok(true)
    }

    /// Remembers the committed data key of `scope`, if it has one.
    pub(crate) async fn remember(&self, store: &dyn Store, scope: Scope) -> Result<(), Error> {
        self.committed_key(store, scope).await.map(|_| ())
    }

    async fn committed_key(
        &self,
        store: &dyn Store,
        scope: Scope,
    ) -> Result<Option<Arc<SealKey>>, Error> {
        if let Some(key) = self.known(scope) {
            return Ok(Some(key));
        }
        let Some(wrapped) = store.row(DATA_KEY, scope.0).await? else {
            return Ok(None);
        };
        let key = self.unwrap(scope, &wrapped)?;
        let mut recent = self.recent();
        if recent.len() >= RECENT {
            // Any one will do: whoever needs it reads it again.
            let some = recent.keys().next().copied();
            some.map(|some| recent.remove(&some));
        }
        recent.insert(scope, Arc::clone(&key));
        Ok(Some(key))
    }

    fn known(&self, scope: Scope) -> Option<Arc<SealKey>> {
        let known = self.cache().get(&scope).cloned();
        known.or_else(|| self.recent().get(&scope).cloned())
    }

    /// Loads a record and holds its row until the transaction ends.
    pub(crate) fn get<R: Record>(
        &self,
        tx: &mut dyn Tx,
        id: impl NamesRow<R>,
    ) -> TxResult<Option<Stored<R>>> {
        match tx.get(R::KIND, &id.named())? {
            Some(row) => Ok(Some(self.open_in(tx, &row)?)),
            None => Ok(None),
        }
    }

    /// Loads a record without holding its row.
    pub(crate) fn peek<R: Record>(
        &self,
        tx: &mut dyn Tx,
        id: impl NamesRow<R>,
    ) -> TxResult<Option<Stored<R>>> {
        match tx.peek(R::KIND, &id.named())? {
            Some(row) => Ok(Some(self.open_in(tx, &row)?)),
            None => Ok(None),
        }
    }

    /// Loads one committed record outside any transaction.
    pub(crate) async fn read<R: Record>(
        &self,
        store: &dyn Store,
        id: impl NamesRow<R>,
    ) -> Result<Option<Stored<R>>, Error> {
        let Some(row) = store.row(R::KIND, id.named()).await? else {
            return Ok(None);
        };
        let scope = scope_of(&row)?;
        let Some(key) = self.committed_key(store, scope).await? else {
            return Ok(None);
        };
        open(&key, scope, &row).map(Some)
    }

    /// Adds a record.
    pub(crate) fn create<R: Record>(
        &self,
        tx: &mut dyn Tx,
        scope: Scope,
        place: Place,
        value: R,
    ) -> TxResult<Stored<R>> {
        let stored = Stored {
            value,
            place,
            scope,
            version: 1,
        };
        let row = self.seal(tx, &stored, Absent::Create)?;
        tx.insert(R::KIND, &row)?;
        Ok(stored)
    }

    /// A record that is not there yet; [`Rows::put`] adds it. So what is saved for the first time costs as
    /// much as what was there before.
    pub(crate) fn blank<R: Record>(scope: Scope, place: Place, value: R) -> Stored<R> {
        Stored {
            value,
            place,
            scope,
            version: 0,
        }
    }

    /// Saves a loaded record, at its place as it is now (id excepted).
    pub(crate) fn put<R: Record>(&self, tx: &mut dyn Tx, stored: &mut Stored<R>) -> TxResult<()> {
        stored.version += 1;
        let row = self.seal(tx, stored, Absent::Fail)?;
        match stored.version {
            1 => tx.insert(R::KIND, &row),
            _ => tx.update(R::KIND, &row),
        }
    }

    #[expect(
        clippy::unused_self,
        reason = "records are removed as they are read and saved"
    )]
    pub(crate) fn remove<R: Record>(
        &self,
        tx: &mut dyn Tx,
        id: impl NamesRow<R>,
    ) -> TxResult<bool> {
        tx.remove(R::KIND, &id.named())
    }

    /// Takes a record: loads it and removes it. Of parallel takers exactly one gets it.
    pub(crate) fn take<R: Record>(
        &self,
        tx: &mut dyn Tx,
        id: impl NamesRow<R>,
    ) -> TxResult<Option<Stored<R>>> {
        let Some(stored) = self.get(tx, id)? else {
            return Ok(None);
        };
        Ok(tx.remove(R::KIND, &id.named())?.then_some(stored))
    }

    pub(crate) fn children<R: Record>(
        &self,
        tx: &mut dyn Tx,
        owner: &RowId,
        page: Page,
    ) -> TxResult<Vec<Stored<R>>> {
        let rows = tx.children(R::KIND, owner, page)?;
        rows.iter().map(|row| self.open_in(tx, row)).collect()
    }

    pub(crate) fn due<R: Record>(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        limit: usize,
    ) -> TxResult<Vec<Stored<R>>> {
        let rows = tx.due(R::KIND, now, limit)?;
        rows.iter().map(|row| self.open_in(tx, row)).collect()
    }

    /// Opens a row that was just read.
    pub(crate) fn open_in<R: Record>(&self, tx: &mut dyn Tx, row: &Row) -> TxResult<Stored<R>> {
        let scope = scope_of(row)?;
        let key = self.data_key(tx, scope, Absent::Fail)?;
        Ok(open(&key, scope, row)?)
    }

    fn seal<R: Record>(
        &self,
        tx: &mut dyn Tx,
        stored: &Stored<R>,
        absent: Absent,
    ) -> TxResult<Row> {
        let key = self.data_key(tx, stored.scope, absent)?;
        let plain = serde_json::to_vec(&stored.value).map_err(Error::bug)?;
        let plain = zeroize::Zeroizing::new(plain);
        let mut row = Row {
            id: stored.place.id,
            owner: stored.place.owner,
            rank: stored.place.rank,
            due: stored.place.due,
            version: stored.version,
            body: vec![FORMAT],
        };
        row.body.extend_from_slice(&stored.scope.0.0);
        let aad = associated(R::KIND, stored.scope, &row);
        row.body
            .append(&mut key.seal(bytes(self.random.as_ref()), &aad, &plain));
        Ok(row)
    }

    fn data_key(&self, tx: &mut dyn Tx, scope: Scope, absent: Absent) -> TxResult<Arc<SealKey>> {
        if let Some(key) = self.known(scope) {
            return Ok(key);
        }
        match (tx.peek(DATA_KEY, &scope.0)?, absent) {
            (Some(row), _) => Ok(self.unwrap(scope, &row)?),
            (None, Absent::Create) => {
                let plain = zeroize::Zeroizing::new(bytes::<32>(self.random.as_ref()));
                let body = self.roots.seal(Root::Data, &scope.0.0, plain.as_slice())?;
                let row = Row {
                    id: scope.0,
                    owner: None,
                    rank: 0,
                    due: None,
                    version: 1,
                    body,
                };
                tx.insert(DATA_KEY, &row)?;
                Ok(self.unwrap(scope, &row)?)
            }
            // Where a statement sees what was committed after the one before it, the record was removed in between, and
            // its key with it. A new run sees neither; if the key is really lost, every run ends here.
            (None, Absent::Fail) => {
                tracing::warn!(
                    code = "data_key_gone",
                    scope = scope.0.alias(),
                    "the data key of a record is gone: the transaction runs again"
                );
                Err(Stop::Again)
            }
        }
    }

    fn unwrap(&self, scope: Scope, row: &Row) -> Result<Arc<SealKey>, Error> {
        let plain = self.roots.open(Root::Data, &scope.0.0, &row.body)?;
        let key =
            Key::from_slice(&plain).ok_or_else(|| Error::bug("a data key has another length"))?;
        Ok(Arc::new(SealKey::new(&key)))
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, HashMap<Scope, Arc<SealKey>>> {
        self.recent_keys
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, HashMap<Scope, Arc<SealKey>>> {
        self.data_keys
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What to do when a scope has no data key.
#[derive(Clone, Copy)]
enum Absent {
    Create,
    Fail,
}

fn scope_of(row: &Row) -> Result<Scope, Error> {
    match row.body.split_first_chunk::<17>() {
        Some((head, _)) if head[0] == FORMAT => Ok(Scope(RowId(
            head[1..]
                .try_into()
                .expect("sixteen bytes follow the format"),
        ))),
        _ => Err(Error::bug("a row's body has an unknown format")),
    }
}

fn open<R: Record>(key: &SealKey, scope: Scope, row: &Row) -> Result<Stored<R>, Error> {
    let aad = associated(R::KIND, scope, row);
    let plain = key.open(&aad, &row.body[17..]).map_err(|_| {
        Error::bug(format!(
            "a row of kind {} was changed outside the server",
            R::KIND
        ))
    })?;
    let value = serde_json::from_slice(&plain).map_err(Error::bug)?;
    let place = Place {
        id: row.id,
        owner: row.owner,
        rank: row.rank,
        due: row.due,
    };
    Ok(Stored {
        value,
        place,
        scope,
        version: row.version,
    })
}

/// Everything about a row but its body, unambiguously.
fn associated(kind: Kind, scope: Scope, row: &Row) -> Vec<u8> {
    let mut out = Vec::with_capacity(kind.len() + 80);
    out.extend_from_slice(&(kind.len() as u64).to_be_bytes());
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(&scope.0.0);
    out.extend_from_slice(&row.id.0);
    match row.owner {
        Some(owner) => {
            out.push(1);
            out.extend_from_slice(&owner.0);
        }
        None => out.push(0),
    }
    out.extend_from_slice(&row.rank.to_be_bytes());
    out.extend_from_slice(&row.due.map_or(i64::MIN, Timestamp::millis).to_be_bytes());
    out.extend_from_slice(&row.version.to_be_bytes());
    out
}

#[cfg(test)]
mod tests;
