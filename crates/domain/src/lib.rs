//! The hub: accounts, credentials, custody, guess budgets, time locks, challenges, messages, audit.
//!
//! Knows no HTTP, no SQL and no vendor. Its rooms, top to bottom; each may use what is below it:
//!
//! - the concepts `guarded_key`, `person`, `vault`, `wallet` and `tenant`, none of which knows another;
//! - `proof`: what proves something about a person;
//! - `limit`: how often something may be tried, sent or asked for;
//! - `letter`: messages to people;
//! - `trail`: the audit trail and the jobs;
//! - `core`: transactions, ports, errors, times and secrets.

pub mod core;
pub mod guarded_key;
pub mod letter;
pub mod limit;
pub mod person;
pub mod policy;
pub mod proof;
pub mod tenant;
pub mod trail;
pub mod vault;
pub mod wallet;

pub use crate::core::error::{Condition, Error, Refusal};
pub use crate::core::keeper::{Caller, Keeper, Ports};
pub use crate::core::time::Timestamp;

// The paths by which other crates know these modules.
pub use crate::core::{error, keeper, port, rows, secret, time};
pub use crate::guarded_key as custody;
pub use crate::guarded_key::{contact, lock, recovery};
pub use crate::letter::{message, outbox};
pub use crate::limit::{budget, hashing, lockout, quota, rate, turns};
pub use crate::person::{process, session};
pub use crate::proof::{bearer, challenge, password, signing, token, vouched};
pub use crate::tenant::{access_token, device_key, permission};
pub use crate::trail::{audit, jobs, resealing, rollback};
pub use crate::wallet::step_up;

/// The service for PIN-guarded keys. Until the hub is divided, every service is the one [`Keeper`].
pub type GuardedKeys = Keeper;
/// The service for accounts with one-time tokens.
pub type People = Keeper;
/// The service for accounts with an encrypted vault.
pub type Vaults = Keeper;
/// The service for wallets: users, devices and keyshares.
pub type Wallets = Keeper;
/// The service for tenants, their applications and clients, and device keys.
pub type Tenants = Keeper;
/// The service for what only an operator may do.
pub type Operators = Keeper;
