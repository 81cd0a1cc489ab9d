//! The documented JSON form of a message, shared by the mailbox file and the webhook.

use std::collections::BTreeMap;

use domain::message::{Channel, MessageKind};
use domain::port::courier::Letter;
use serde::Serialize;

/// Its members and their order are part of the interface.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line<'a> {
    id: &'a str,
    ts: String,
    surface: &'a str,
    channel: Channel,
    to: &'a str,
    kind: MessageKind,
    operation: &'a str,
    subject: &'a str,
    body: &'a str,
    one_time_token: Option<&'a str>,
    link: Option<&'a str>,
    anti_phishing_code: Option<&'a str>,
}

impl<'a> Line<'a> {
    pub(super) fn of(letter: &'a Letter) -> Self {
        let message = &letter.message;
        Self {
            id: &letter.id,
            ts: letter.at.rfc3339(),
            surface: &message.surface,
            channel: message.channel,
            to: &message.to,
            kind: message.kind,
            operation: &message.operation,
            subject: &letter.subject,
            body: &letter.text,
            one_time_token: message.code.as_deref(),
            link: message.link.as_deref(),
            anti_phishing_code: message.anti_phishing_code.as_deref(),
        }
    }

    /// One line without its end: JSON writes a line break within a text as `\n`.
    pub(super) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain texts can always be written as JSON")
    }
}

/// The JSON form for a program of the operator: the facts, without a text.
#[derive(Serialize)]
pub(super) struct News<'a> {
    id: &'a str,
    ts: String,
    surface: &'a str,
    operation: &'a str,
    #[serde(flatten)]
    facts: &'a BTreeMap<String, String>,
}

impl<'a> News<'a> {
    pub(super) fn of(letter: &'a Letter) -> Self {
        Self {
            id: &letter.id,
            ts: letter.at.rfc3339(),
            surface: &letter.message.surface,
            operation: &letter.message.operation,
            facts: &letter.message.facts,
        }
    }

    pub(super) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain texts can always be written as JSON")
    }
}
