//! Wallets: federated users, their devices, the shares of their signing keys, and what a signing server may do with
//! those.
//!
//! A user is the pair of issuer and subject. With a token alone a caller can list, add a device while nobody is
//! enrolled, and store shares. It never gets a share back: that takes a step-up of the owner
//! ([`crate::wallet::step_up`]).

mod challenge;
mod chores;
mod device;
mod enrolment;
mod erasure;
mod key;
mod key_creation;
mod key_id;
mod key_use;
mod notice;
mod operator;
pub mod policy;
mod registration;
mod service;
mod share;
pub mod step_up;
mod user;

pub use challenge::IssuedWalletChallenge;
pub use crypto::device_signature::DeviceId;
pub use device::DeviceState;
pub use enrolment::EnrolmentState;
pub use erasure::ErasedUser;
pub use key::WalletKeyState;
pub use key_creation::KeyNotice;
pub use key_id::WalletKeyId;
pub use key_use::{KeyUse, KeyUseDecision, KeyUsePage, KeyUseQuery, KeyUseStatus, SETUP_LIMIT};
pub use operator::WalletUserState;
pub use registration::{DeviceProof, Registration};
pub(crate) use service::KINDS;
pub use service::Wallets;
pub use share::{EncryptedShare, RecoveredShare};
pub use user::Newness;

/// Something done, and what the verifier of a step-up wants its client part to know.
#[derive(Debug)]
pub struct SteppedUp<T> {
    pub done: T,
    pub for_client: Option<String>,
}

/// The answer to a signing server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAnswer {
    Allow,
    Reject,
}
