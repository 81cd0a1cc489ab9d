//! Records: what a row of one kind holds, and what becomes of it without a request.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::port::store::Kind;

/// What a row of one kind holds.
pub(crate) trait Record: Serialize + DeserializeOwned + Send + 'static {
    const KIND: Kind;
    const WHEN_DUE: WhenDue;
    const ON_ROLLBACK: OnRollback;
}

/// What happens to a row whose `due` has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenDue {
    /// A job removes it. A row that is removed late is never trusted meanwhile.
    Removed,
    /// Nothing, or what a job of its own does with it.
    Stays,
}

/// What happens to a row when an operator accepts an older database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnRollback {
    /// Nothing: it holds content or names, or bounds costs and not guesses.
    Stays,
    /// It is removed: it works once, or for a while, and may have been used already.
    Ended,
    /// The room that it belongs to limits what it still allows.
    Limited,
}

/// One kind of row, for lists of all of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordKind {
    pub kind: Kind,
    pub when_due: WhenDue,
    pub on_rollback: OnRollback,
}

impl RecordKind {
    pub(crate) const fn of<R: Record>() -> Self {
        Self {
            kind: R::KIND,
            when_due: R::WHEN_DUE,
            on_rollback: R::ON_ROLLBACK,
        }
    }
}
