//! The kit as a client meets it: over real sockets, byte by byte.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod body;
mod limits;
mod log;
mod observe;
mod proxy;
mod server;
mod stop;
mod surface;
mod tls;
