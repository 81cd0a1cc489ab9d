//! Messages in words, before anybody gets them.

use std::sync::Arc;

use admin_wire::{ErrorBody, Preview};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use domain::message::{Channel, Message, MessageKind};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use web::json::Duplicates;

use crate::Admin;
use crate::auth::Operator;
use crate::error;

#[derive(Serialize, ToSchema)]
pub(crate) struct Words {
    subject: String,
    text: String,
    html: String,
}

/// Shows a message in words without sending it.
#[utoipa::path(post, operation_id = "previewMessage", path = "/admin/v1/messages/preview", tag = "messages", request_body = Preview, responses(
    (status = 200, body = Words), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn preview(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(bytes) = web::body::read(body, &headers, 16 * 1024, 15).await else {
        return error::too_large();
    };
    let parsed = web::json::object(&bytes, Duplicates::RefuseAll)
        .ok()
        .and_then(|fields| serde_json::from_value::<Preview>(fields.into()).ok());
    let Some(wanted) = parsed else {
        return error::invalid("operation, language, channel, anti_phishing_code");
    };
    let message = Message {
        surface: "preview".to_owned(),
        channel: wanted.channel.map_or(Channel::Email, channel_asked),
        to: "somebody@example.com".to_owned(),
        kind: MessageKind::Notice,
        operation: wanted.operation,
        language: wanted.language.unwrap_or_else(|| "en".to_owned()),
        code: Some("042137".to_owned()),
        link: Some("https://keyward.example/recovery/sample".to_owned()),
        anti_phishing_code: wanted.anti_phishing_code,
        facts: [
            ("until", "2030-01-31T12:00:00.000Z"),
            ("left", "7"),
            ("valid", "1800s"),
            ("at", "2030-01-01T12:00:00.000Z"),
            ("contact", "s***@example.com"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
    };
    let words = match admin.services.operators.preview(&operator, &message) {
        Ok(words) => words,
        Err(error) => return error::answer(&error, admin.services.now()),
    };
    web::json::reply(
        StatusCode::OK,
        &Words {
            subject: words.subject,
            text: words.text,
            html: words.html,
        },
    )
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
