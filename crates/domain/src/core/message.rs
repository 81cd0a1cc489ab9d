//! A message to a person: what it says, not yet in words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::core::port::courier::Channel;

/// Whether a message carries something to act with, or only tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageKind {
    /// A one-time token or code.
    #[serde(rename = "OTT")]
    Code,
    /// News about an account, perhaps with a link.
    #[serde(rename = "NOTICE")]
    Notice,
}

/// One message to one address. Sealed while it waits; never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The surface that caused it, by the name its front gave.
    pub surface: String,
    pub channel: Channel,
    pub to: String,
    pub kind: MessageKind,
    /// What it is about: the name of the template.
    pub operation: String,
    /// Language tag of the template, for example `en`.
    pub language: String,
    pub code: Option<String>,
    pub link: Option<String>,
    pub anti_phishing_code: Option<String>,
    /// Values for the template: times, networks, ids. No secrets beside `code` and `link`.
    pub facts: BTreeMap<String, String>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}
