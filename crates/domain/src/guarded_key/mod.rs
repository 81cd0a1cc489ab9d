//! Keys that are guarded by a PIN.
//!
//! Each key is stored in two envelopes. The *PIN envelope* opens only with a value derived from the PIN. The *recovery
//! envelope* opens with the KEK `recovery`; it exists only while a recovery contact is verified, and only the recovery
//! lock leads to its use. Without a contact this server cannot open the key without the PIN.

mod chores;
pub mod contact;
mod create;
mod envelope;
mod guess;
mod import;
mod key;
pub mod lock;
mod open;
mod operator;
mod pin;
pub mod policy;
pub mod recovery;
mod service;

pub use envelope::EncryptionKey;
pub(crate) use guess::Proven;
pub use import::{ImportedContact, ImportedKey};
pub use key::{GuardedKeyId, OpenedKey};
pub use operator::{ContactState, KeyState};
pub use pin::Pin;
pub use service::GuardedKeys;
pub(crate) use service::KINDS;
