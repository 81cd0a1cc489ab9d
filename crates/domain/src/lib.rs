//! The hub: accounts, credentials, custody, guess budgets, time locks, challenges, messages, audit.
//!
//! Knows no HTTP, no SQL and no vendor. Each concept is one module: its state, its pure transitions,
//! and the use cases of [`Keeper`] that load, decide and save.

pub mod access_token;
pub mod audit;
pub mod bearer;
pub mod budget;
pub mod challenge;
pub mod contact;
pub mod custody;
pub mod device_key;
pub mod error;
pub mod hashing;
pub mod jobs;
pub mod keeper;
pub mod lock;
pub mod lockout;
pub mod message;
pub mod outbox;
pub mod password;
pub mod permission;
pub mod person;
pub mod policy;
pub mod port;
pub mod process;
pub mod quota;
pub mod rate;
pub mod recovery;
pub mod resealing;
pub mod rollback;
pub mod rows;
pub mod secret;
pub mod session;
pub mod signing;
pub mod step_up;
pub mod tenant;
pub mod time;
pub mod token;
pub mod turns;
pub mod vault;
pub mod vouched;
pub mod wallet;

pub use error::{Condition, Error, Refusal};
pub use keeper::{Caller, Keeper, Ports};
pub use time::Timestamp;

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
