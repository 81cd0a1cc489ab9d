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

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            surface: "test".to_owned(),
            channel: Channel::Email,
            to: "anna@example.com".to_owned(),
            kind: MessageKind::Code,
            operation: "verify".to_owned(),
            language: "en".to_owned(),
            code: Some("123456".to_owned()),
            link: Some("https://example.com/secret".to_owned()),
            anti_phishing_code: Some("blue".to_owned()),
            facts: BTreeMap::new(),
        }
    }

    #[test]
    fn a_printed_message_shows_neither_its_code_nor_its_recipient() {
        let printed = format!("{:?}", message());
        assert!(printed.contains("verify"));
        for secret in ["123456", "secret", "blue", "anna"] {
            assert!(!printed.contains(secret), "{secret}");
        }
    }

    #[test]
    fn a_waiting_message_is_stored_with_the_names_of_its_kind_and_channel() {
        let stored = serde_json::to_value(message()).unwrap();
        assert_eq!(
            (&stored["kind"], &stored["channel"]),
            (&"OTT".into(), &"EMAIL".into())
        );
        let notice = serde_json::to_value(MessageKind::Notice).unwrap();
        assert_eq!(notice, "NOTICE");
        for (channel, name) in [(Channel::Sms, "SMS"), (Channel::Operator, "OPERATOR")] {
            assert_eq!(serde_json::to_value(channel).unwrap(), name);
        }
        assert!(serde_json::from_value::<Message>(stored).unwrap() == message());
    }
}
