use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The messages of the development mailbox, oldest first, each as the file of a courier holds it.
#[derive(Serialize, Deserialize)]
pub struct Mailbox {
    pub messages: Vec<Value>,
}

/// By how many seconds the development clock is moved forward.
#[derive(Serialize, Deserialize)]
pub struct ClockAdvance {
    pub seconds: u64,
}

/// What the development clock shows, as an RFC 3339 timestamp.
#[derive(Serialize, Deserialize)]
pub struct ClockState {
    pub now: String,
}
