//! The audit trail: written in the transaction of what it describes, then linked into a keyed chain.
//!
//! 1. A use case records an [`Event`] (`event`): one sealed row, in its own transaction.
//! 2. Within a second a job moves what was committed into the next [`Link`] (`chain`): a batch of events with
//!    the tag of the link before. If every writer updated the end of the chain, it would be one hot row of the
//!    whole database; so one job touches it, once a batch.
//! 3. The newest tag is kept outside the database as a signed [`Checkpoint`] (`checkpoint`), so that a chain
//!    whose end was cut off, or an old database that was put back, is noticed too.
//! 4. An operator has the whole chain verified (`verify`).
//!
//! Events name ids and keyed hashes, never PINs, codes, addresses or key material.

pub(crate) mod chain;
mod checkpoint;
pub(crate) mod event;
mod verify;

pub use chain::Link;
pub(crate) use chain::{BATCH, Head};
pub use checkpoint::Checkpoint;
pub use event::Event;
pub(crate) use event::Recent;
pub use verify::ChainReport;
