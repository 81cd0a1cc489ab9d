//! Vaults: accounts whose secrets only their clients can read, entries, slots for readers, and sharing.
//!
//! The server keeps ciphertext and decides who gets it. A login proves knowledge of the password without
//! sending it ([`login`]); an [`entry`] is one ciphertext with a slot for each who may open it; an outside
//! reader opens a [`slot`] by its identifier, perhaps after the owner approved ([`reading`]); a [`share`]
//! turns into a slot of the receiver when he accepts.
//!
//! Order of locks, so that no two transactions wait for each other: accounts by id, then entries by id,
//! then everything else. What an entry holds (slots, open requests) lies in the entry's own row, so each
//! transition of them is one row's change.

pub mod account;
pub mod address;
pub mod approval;
mod chores;
pub mod document;
pub mod entry;
pub mod joining;
pub mod login;
mod number;
pub mod operator;
pub mod plan;
pub mod policy;
pub mod reading;
mod service;
pub mod session;
pub mod share;
pub mod slot;
pub mod web_pass;

pub use account::{Edit, Names, Profile};
pub use address::LoginName;
pub use approval::{ApprovalDecision, ApprovalQuestion};
pub use document::Document;
pub use entry::{
    EntryEdit, EntryView, NewEntry, Notify, RequestView, SLOT_BYTES, Sender, SlotView, Vault,
};
pub use joining::{Applied, Confirmed, RegistrationMessages};
pub use login::{LoginChallenge, LoginProof, Welcome};
pub use operator::VaultAccountState;
pub use plan::Plan;
pub use reading::{Approved, Reading, SlotAnswer};
pub(crate) use service::KINDS;
pub use service::Vaults;
pub use session::{Entrance, VaultMember, VaultStanding};
pub use share::{ShareFault, ShareOutcome};
pub use slot::{SlotEdit, SlotNumber};
pub use web_pass::Overview;

/// A letter as its surface calls it, and the path of the page that takes the token of its link.
#[derive(Debug, Clone, Copy)]
pub struct MessageTemplate {
    pub operation: &'static str,
    /// With a slash at both ends; empty for a letter without a link.
    pub page: &'static str,
}
