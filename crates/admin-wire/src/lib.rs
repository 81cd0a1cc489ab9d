//! What the admin API and its clients agree on, as types of their own: no domain, no storage, no HTTP.

mod running;

pub use running::Running;
