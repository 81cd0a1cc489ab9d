//! An HTTP toolkit that knows no protocol.
//!
//! It contains what every surface needs: reading with limits, strict parsing, exact methods, one log line for each
//! request. It never contains a path, a field name or an error format of an API. Where an answer must have an
//! API's format, the front passes a function that builds it.
//!
//! The way of a request: [`serve()`] accepts and bounds the connection and notes the [`ClientAddr`];
//! [`observe::layer`] names and counts the request; a [`surface`] finds its handler, which reads with [`path`],
//! [`query`], [`body`], [`json`], [`auth`] and [`language`], and answers with [`json::reply`], [`page::html`] or, when
//! the call failed, with the help of [`failure`].

pub mod auth;
pub mod body;
pub mod deadline;
pub mod failure;
pub mod json;
pub mod language;
pub mod media;
pub mod observe;
pub mod openapi;
pub mod page;
pub mod path;
pub mod query;
pub mod serve;
pub mod surface;
pub mod tls;

mod client;
mod percent;
mod proxies;

pub use client::ClientAddr;
pub use proxies::TrustedProxies;
pub use serve::{Limits, ServeOptions, serve};
