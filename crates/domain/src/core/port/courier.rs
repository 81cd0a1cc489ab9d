//! Messages in words, and how they are handed over to providers.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::core::message::Message;
use crate::core::time::Timestamp;

/// How an address is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Channel {
    #[serde(rename = "EMAIL")]
    Email,
    #[serde(rename = "SMS")]
    Sms,
    /// Not a person: a program of the operator's, which is told of what owners are told of.
    #[serde(rename = "OPERATOR")]
    Operator,
}

/// A message in words, ready to leave.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Stays the same over every try: receivers can tell a duplicate.
    pub id: String,
    pub at: Timestamp,
    pub message: Message,
    pub subject: String,
    pub text: String,
    /// The HTML part; only for [`Channel::Email`].
    pub html: String,
}

/// What became of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// A provider took responsibility for it.
    Accepted,
    /// Not now: down, slow, or asked to come back. The reason is for the log and names no person.
    Later(String),
    /// Never: the provider refuses this message for good.
    Refused(String),
}

/// Hands messages over to a provider.
#[async_trait]
pub trait Courier: Send + Sync {
    async fn deliver(&self, letter: &Letter) -> Delivery;

    /// Whether the message must have left before the answer of the request that caused it
    /// (mailbox file and development mailbox).
    fn immediate(&self) -> bool;
}

/// Puts a message into words, in its language.
pub trait Composer: Send + Sync {
    /// Subject, text and HTML. The text holds each code exactly once.
    fn compose(&self, message: &Message) -> Words;
}

/// The subject, the text and the HTML of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    pub subject: String,
    pub text: String,
    pub html: String,
}
