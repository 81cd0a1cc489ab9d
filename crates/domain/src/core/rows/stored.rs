//! Where records lie, and records as they were loaded.

use std::ops::{Deref, DerefMut};

use crate::core::id::Id;
use crate::core::port::store::RowId;
use crate::core::record::Record;
use crate::core::time::Timestamp;

/// Whose data key seals a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scope(pub RowId);

/// Where a record lies: its id, and the columns a backend sees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub id: RowId,
    pub owner: Option<RowId>,
    pub rank: i64,
    pub due: Option<Timestamp>,
}

impl Place {
    pub(crate) fn at(id: impl Into<RowId>) -> Self {
        Self {
            id: id.into(),
            owner: None,
            rank: 0,
            due: None,
        }
    }

    #[must_use]
    pub(crate) fn of(self, owner: impl Into<RowId>) -> Self {
        Self {
            owner: Some(owner.into()),
            ..self
        }
    }

    #[must_use]
    pub(crate) fn ranked(self, rank: i64) -> Self {
        Self { rank, ..self }
    }

    #[must_use]
    pub(crate) fn due(self, due: Timestamp) -> Self {
        Self {
            due: Some(due),
            ..self
        }
    }
}

/// A record as it was loaded, with the place and version it will be saved to.
#[derive(Clone, Debug)]
pub(crate) struct Stored<R> {
    pub value: R,
    pub place: Place,
    pub(super) scope: Scope,
    pub(super) version: u64,
}

impl<R: Record> Stored<R> {
    /// The typed id of this record.
    pub(crate) fn key(&self) -> Id<R> {
        Id::new(self.place.id)
    }
}

impl<R> Stored<R> {
    pub(crate) fn id(&self) -> RowId {
        self.place.id
    }

    pub(crate) fn scope(&self) -> Scope {
        self.scope
    }

    /// Changes at every save: two loads with equal versions saw the same content.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }
}

impl<R> Deref for Stored<R> {
    type Target = R;
    fn deref(&self) -> &R {
        &self.value
    }
}

impl<R> DerefMut for Stored<R> {
    fn deref_mut(&mut self) -> &mut R {
        &mut self.value
    }
}
