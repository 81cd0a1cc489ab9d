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
pub mod services;
pub mod tenant;
pub mod trail;
pub mod vault;
pub mod wallet;

pub use crate::core::caller::Caller;
pub use crate::core::error::{Condition, Error, Refusal};
pub use crate::core::time::Timestamp;
pub use crate::services::{Ports, Services};

// The paths by which other crates know these modules.
pub use crate::core::{error, message, port, rows, secret, time};
pub use crate::guarded_key as custody;
pub use crate::guarded_key::{contact, lock, recovery};
pub use crate::letter::outbox;
pub use crate::limit::{budget, hashing, lockout, quota, rate, turns};
pub use crate::person::process;
pub use crate::proof::{bearer, challenge, federated, password, session, signing, token};
pub use crate::tenant::{access_token, device_key, permission};
pub use crate::trail::{audit, jobs, resealing, rollback};
pub use crate::wallet::step_up;

pub use crate::guarded_key::GuardedKeys;
pub use crate::person::People;
pub use crate::proof::operator::{self, Operators};
pub use crate::tenant::Tenants;
pub use crate::trail::jobs::Upkeep;
pub use crate::vault::Vaults;
pub use crate::wallet::Wallets;
