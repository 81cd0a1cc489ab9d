//! People: accounts that are reached through an e-mail address or a phone number, and what they do.
//!
//! - `registration`, `login`, `password_recovery`, `address_recovery`: without a session, as processes
//! - `password_change`, `address_change`, `phrase`, `factor`, `authenticator`: with a session ([`own`])
//! - `account`, `session`: what the owner of a session sees and ends; `operator`: what operators do
//!
//! Every operation proves control of an address with a one-time token ([`crate::proof::token`]). What a stranger is
//! told never depends on whether an account exists.

pub mod account;
pub mod address_change;
pub mod address_recovery;
pub mod authenticator;
mod chores;
pub mod factor;
pub mod login;
pub mod operator;
mod own;
pub mod password_change;
pub mod password_recovery;
pub mod phrase;
pub mod policy;
pub mod process;
pub mod registration;
mod service;
mod session;

pub use crate::proof::account::AccountId;
pub use crate::proof::way::{Factor, Way, WayKind};
pub use account::Details;
pub use authenticator::{NewAuthenticator, RecoveryCodes};
pub use login::{LoggedIn, PresentedCode};
pub(crate) use service::KINDS;
pub use service::People;
