//! Wallets: people whom a trusted issuer vouches for, their devices, the shares of their signing keys, and
//! what a signing server may do with those.
//!
//! A person is the pair of issuer and subject. A token alone lists, adds a device while nobody is enrolled,
//! and stores shares; it never gets a share back: that takes the owner in person ([`crate::wallet::step_up`]).

mod chores;
mod decision;
mod device;
mod enrolment;
mod key;
mod notice;
mod operator;
pub mod policy;
mod service;
mod share;
pub mod step_up;
mod user;

pub use crypto::device_signature::DeviceId;
pub use decision::{KeyUse, KeyUseDecision, KeyUsePage, KeyUseQuery, KeyUseStatus, SETUP_LIMIT};
pub use device::{DeviceProof, DeviceState, IssuedWalletChallenge, Registration};
pub use enrolment::EnrolmentState;
pub use key::{KeyNotice, WalletKeyId, WalletKeyState};
pub use operator::{ErasedUser, WalletUserState};
pub(crate) use service::KINDS;
pub use service::Wallets;
pub use share::{EncryptedShare, RecoveredShare};
pub use user::Newness;

/// Something done, and the opaque words of a verifier that took part in it.
#[derive(Debug)]
pub struct SteppedUp<T> {
    pub done: T,
    pub for_client: Option<String>,
}

/// What a signing server is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAnswer {
    Allow,
    Reject,
}
