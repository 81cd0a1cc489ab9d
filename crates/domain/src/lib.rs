//! What the server decides and stores, whatever front a request comes through. It knows no HTTP, no SQL and no vendor.
//!
//! Its rooms, top to bottom. Each room may use those below it:
//!
//! - the concepts `guarded_key`, `person`, `vault`, `wallet` and `tenant`, none of which knows another;
//! - `proof`: how people, clients and operators prove who they are;
//! - `limit`: how often something may be tried, sent or asked for;
//! - `letter`: messages to people;
//! - `trail`: the audit trail, rollbacks and jobs;
//! - `core`: transactions, ports, errors, times and secrets.
//!
//! Other crates name an item by its room, and the items of `core` and [`Services`] by this crate.

mod core;
pub mod guarded_key;
pub mod letter;
pub mod limit;
pub mod person;
pub mod policy;
pub mod proof;
mod services;
pub mod tenant;
pub mod trail;
pub mod vault;
pub mod wallet;

pub use crate::core::caller::Caller;
pub use crate::core::error::{Condition, Error, Refusal};
pub use crate::core::time::Timestamp;
pub use crate::core::{error, message, port, secret, time};
pub use crate::services::{Ports, Services};
