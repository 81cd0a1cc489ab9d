//! Ids that know which record they lead to.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::port::store::RowId;

/// The row id of a record of kind `R`. Sixteen bytes, serialised as an array of them.
pub struct Id<R>(RowId, PhantomData<fn() -> R>);

impl<R> Id<R> {
    pub(crate) const fn new(row: RowId) -> Self {
        Self(row, PhantomData)
    }

    /// The same id without its type, as the store and the owner column know it.
    pub const fn row(self) -> RowId {
        self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0.0
    }

    /// The short form that logs and the audit trail show, where the whole id is itself a secret.
    pub(crate) fn alias(self) -> String {
        self.0.alias()
    }
}

// Written out, because a derive would ask the same of the record.
impl<R> Clone for Id<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Id<R> {}

impl<R> PartialEq for Id<R> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<R> Eq for Id<R> {}

impl<R> PartialOrd for Id<R> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<R> Ord for Id<R> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl<R> Hash for Id<R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<R> fmt::Debug for Id<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<R> Serialize for Id<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.0.serialize(serializer)
    }
}

impl<'de, R> Deserialize<'de> for Id<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <[u8; 16]>::deserialize(deserializer).map(|bytes| Self::new(RowId(bytes)))
    }
}

/// What names a row of kind `R` to [`Rows`](super::rows::Rows).
pub(crate) trait NamesRow<R>: Copy {
    fn named(&self) -> RowId;
}

impl<R> NamesRow<R> for Id<R> {
    fn named(&self) -> RowId {
        self.0
    }
}

impl<R> NamesRow<R> for &Id<R> {
    fn named(&self) -> RowId {
        self.0
    }
}

impl<R> From<Id<R>> for RowId {
    fn from(id: Id<R>) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Record;

    #[test]
    fn an_id_is_kept_as_its_sixteen_bytes() {
        let id = Id::<Record>::new(RowId([7; 16]));
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(text, serde_json::to_string(&[7_u8; 16]).unwrap());
        assert_eq!(serde_json::from_str::<Id<Record>>(&text).unwrap(), id);
    }

    #[test]
    fn fewer_bytes_are_no_id() {
        assert!(serde_json::from_str::<Id<Record>>("[1,2,3]").is_err());
    }

    #[test]
    fn ids_are_equal_and_ordered_as_their_bytes() {
        let id = |byte| Id::<Record>::new(RowId([byte; 16]));
        assert_eq!(id(1), id(1));
        assert!(id(1) < id(2));
        let mut ids = std::collections::HashSet::from([id(1)]);
        assert!(!ids.insert(id(1)));
        assert!(ids.insert(id(2)));
    }

    #[test]
    fn an_id_names_its_row_in_every_form() {
        let row = RowId([7; 16]);
        let id = Id::<Record>::new(row);
        assert_eq!(id.named(), row);
        assert_eq!(RowId::from(id), row);
        assert_eq!(id.as_bytes(), &row.0);
    }

    #[test]
    fn the_short_form_shows_half_of_the_id() {
        let id = Id::<Record>::new(RowId([0xab; 16]));
        assert_eq!(id.alias(), "ab".repeat(8));
    }
}
