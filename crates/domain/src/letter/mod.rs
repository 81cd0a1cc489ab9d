//! Messages to people: what they say, and the outbox that they leave by.

pub mod message;
pub mod outbox;
