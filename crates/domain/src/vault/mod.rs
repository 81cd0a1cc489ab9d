//! Vaults: accounts whose secrets only their clients can read, entries, slots for readers, and sharing.
//!
//! The server stores encrypted texts and decides who gets them. A login proves knowledge of the password without
//! sending it ([`login`]). An [`entry`] is one encrypted text with a slot for each reader. An outside reader opens a
//! [`slot`] by its identifier, perhaps only after the owner approved ([`reading`]). A [`share`] becomes a slot of the
//! receiver when the receiver accepts it.
//!
//! Transactions hold rows in this order, so that no two wait for each other: accounts by id, then entries by id, then
//! everything else. What an entry contains (slots, open requests) is stored in the row of the entry, so each
//! transition is a change of one row.
//!
//! Each file decides in functions of values, with their tests beside them; the use cases load, decide and save.

mod account;
mod account_edit;
mod account_removal;
mod address;
mod application;
mod approval;
mod chores;
mod confirmation;
mod document;
mod entry;
mod entry_change;
mod guest;
mod joining;
mod listing;
mod login;
mod number;
mod operator;
mod owner_message;
pub mod plan;
pub mod policy;
mod profile;
mod reading;
mod service;
mod session;
mod share;
mod slot;
mod slot_notice;
mod view;
mod web_pass;

pub use account_edit::Edit;
pub use address::LoginName;
pub use application::Applied;
pub use approval::{ApprovalDecision, ApprovalQuestion};
pub use confirmation::Confirmed;
pub use document::Document;
pub use entry::{EntryEdit, NewEntry, Notify, SLOT_BYTES};
pub use joining::RegistrationMessages;
pub use login::{LoginChallenge, LoginProof, Welcome};
pub use operator::VaultAccountState;
pub use owner_message::MessageTemplate;
pub use plan::Plan;
pub use profile::{Names, Profile};
pub use reading::{Approved, Reading, SlotAnswer};
pub(crate) use service::KINDS;
pub use service::Vaults;
pub use session::{Entrance, VaultMember, VaultStanding};
pub use share::{ShareFault, ShareOutcome};
pub use slot::{SlotEdit, SlotNumber};
pub use view::{EntryView, RequestView, Sender, SlotView, Vault};
pub use web_pass::Overview;
