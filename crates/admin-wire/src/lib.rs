//! What the admin API and its clients agree on, as types of their own: no domain, no storage, no HTTP.
//!
//! The admin API parses and writes these types; the command line and `torture` write and parse the same ones. An answer
//! that clients only show to people needs no type here.

mod account;
mod application;
mod audit;
mod client;
mod dev;
mod error;
mod guarded_key;
mod import;
mod message;
mod role;
mod running;
mod tenant;
mod user;
mod vault_account;
mod wallet;

pub use account::Unlock;
pub use application::{ApplicationRequest, NewApplication};
pub use audit::Verdict;
pub use client::{ClientRequest, SecretRotation};
pub use dev::{ClockAdvance, ClockState, Mailbox};
pub use error::{ErrorBody, Problem};
pub use guarded_key::{Contact, GuardedKey};
pub use import::{FailedLine, Imported};
pub use message::{Channel, Preview};
pub use role::RoleRequest;
pub use running::Running;
pub use tenant::{Name, NewManager};
pub use user::UserRequest;
pub use vault_account::PlanChoice;
pub use wallet::{DeviceKey, OWN_ISSUER, WalletUser};
