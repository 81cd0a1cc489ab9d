//! The hub: accounts, credentials, custody, guess budgets, time locks, challenges, messages, audit.
//!
//! Knows no HTTP, no SQL and no vendor. Each concept is one module: its state, its pure transitions,
//! and the use cases of [`Keeper`] that load, decide and save.

pub mod error;
pub mod message;
pub mod port;
pub mod rows;
pub mod secret;
pub mod time;

pub use error::{Error, Refusal};
pub use time::Timestamp;
