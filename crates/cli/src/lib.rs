//! `keyward admin` and `keyward dev`: clients of a running server's admin listener.

mod account;
mod admin;
mod app;
mod audit;
mod client;
mod dev;
mod duo;
mod enceeper;
mod import;
mod message;
mod photon;
mod place;
mod role;
mod server;
mod tenant;
mod text;
mod user;

pub use admin::{AdminCommand, run as admin};
pub use dev::{DevCommand, run as dev};
pub use server::{Server, Target, parsed};
pub use text::{chain, encode};

use server::Confirmation;
