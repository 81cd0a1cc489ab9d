//! What every room stands on: the parts of a transaction, the ports to the outside, errors, times and secrets.

pub mod error;
pub mod keeper;
pub mod port;
pub mod rows;
pub mod secret;
pub mod time;
