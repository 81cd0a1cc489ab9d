//! Messages in words, before anybody gets them.

use admin_wire::{ErrorBody, Preview};
use axum::extract::State;
use domain::message::{Channel, Message, MessageKind};
use http::StatusCode;

use crate::Shared;
use crate::auth::Operator;
use crate::call::{Body, Form};
use crate::error::Reply;
use crate::wire::Words;

impl Form for Preview {
    fn problem(_: &str) -> String {
        "operation, language, channel, anti_phishing_code".to_owned()
    }
}

/// Shows a message in words without sending it.
#[utoipa::path(post, operation_id = "previewMessage", path = "/admin/v1/messages/preview", tag = "messages", request_body = Preview, responses(
    (status = 200, body = Words), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn preview(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Body(wanted): Body<Preview>,
) -> Reply {
    let message = sample(wanted);
    let words = admin.services.operators.preview(&operator, &message)?;
    let words = Words {
        subject: words.subject,
        text: words.text,
        html: words.html,
    };
    Ok(web::json::reply(StatusCode::OK, &words))
}

/// The message with sample values.
fn sample(wanted: Preview) -> Message {
    let facts = [
        ("until", "2030-01-31T12:00:00.000Z"),
        ("left", "7"),
        ("valid", "1800s"),
        ("at", "2030-01-01T12:00:00.000Z"),
        ("contact", "s***@example.com"),
    ];
    Message {
        surface: "preview".to_owned(),
        channel: wanted.channel.map_or(Channel::Email, channel_asked),
        to: "somebody@example.com".to_owned(),
        kind: MessageKind::Notice,
        operation: wanted.operation,
        language: wanted.language.unwrap_or_else(|| "en".to_owned()),
        code: Some("042137".to_owned()),
        link: Some("https://keyward.example/recovery/sample".to_owned()),
        anti_phishing_code: wanted.anti_phishing_code,
        facts: facts
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    }
}

fn channel_asked(channel: admin_wire::Channel) -> Channel {
    match channel {
        admin_wire::Channel::Email => Channel::Email,
        admin_wire::Channel::Sms => Channel::Sms,
        admin_wire::Channel::Operator => Channel::Operator,
    }
}

pub(crate) fn channel_shown(channel: Channel) -> admin_wire::Channel {
    match channel {
        Channel::Email => admin_wire::Channel::Email,
        Channel::Sms => admin_wire::Channel::Sms,
        Channel::Operator => admin_wire::Channel::Operator,
    }
}
