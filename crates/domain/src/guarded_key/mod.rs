//! Custody of a key behind a PIN.
//!
//! The key lies in two envelopes. The *PIN envelope* opens with the PIN's tag and nothing else. The
//! *recovery envelope* opens with `KEK-recovery`; it exists only while a recovery contact is verified, and
//! only the time lock touches it. Without a contact this server cannot open the key without the PIN.

mod chores;
pub mod contact;
mod envelope;
mod guess;
mod key;
pub mod lock;
mod migrate;
mod pin;
pub mod policy;
pub mod recovery;
mod service;

pub use envelope::EncryptionKey;
pub(crate) use guess::Proven;
pub(crate) use key::GuardedKey;
pub use key::{ContactState, GuardedKeyId, KeyState, OpenedKey};
pub use migrate::{ImportedContact, ImportedKey};
pub(crate) use pin::HashedPin;
pub use pin::Pin;
pub use service::GuardedKeys;
pub(crate) use service::KINDS;
