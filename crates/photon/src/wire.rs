//! Requests and answers as they are on the wire.

use serde::Serialize;
use utoipa::ToSchema;

/// §4
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §3.2 field by field"
)]
pub(crate) struct CreateKey {
    /// 4 to 256 UTF-16 code units, no line breaks.
    pub(crate) pin: String,
}

/// §6
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §3.2 field by field"
)]
pub(crate) struct ChangePin {
    pub(crate) new_pin: String,
}

/// §7.2
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §3.2 field by field"
)]
pub(crate) struct CreateUser {
    /// An email address or a phone number in E.164 form with a plus.
    pub(crate) user_id: String,
}

/// §7.3
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §3.2 field by field"
)]
pub(crate) struct Verify {
    /// Exactly six digits.
    #[schema(pattern = "^[0-9]{6}$")]
    pub(crate) code: String,
    pub(crate) op: Op,
    /// The PIN that replaces the forgotten one; looked at when the time lock has opened.
    pub(crate) new_pin: Option<String>,
}

/// What a code is for.
#[derive(ToSchema, Clone, Copy, PartialEq, Eq)]
#[schema(rename_all = "kebab-case")]
pub(crate) enum Op {
    Verify,
    ResetPin,
}

/// §4
#[derive(Serialize, ToSchema)]
pub(crate) struct Created {
    /// A random UUID: whoever holds it may try PINs.
    pub(crate) id: String,
}

/// §5
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fetched {
    pub(crate) id: String,
    /// 32 bytes in standard base64 with padding.
    pub(crate) encryption_key: String,
}

/// §3.1
#[derive(Serialize, ToSchema)]
pub(crate) struct Message {
    pub(crate) message: String,
    /// With 423 and 429: the moment from which a new try is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2020-12-16T13:56:45.848Z")]
    pub(crate) delay: Option<String>,
}

impl Message {
    pub(crate) fn new(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            delay: None,
        }
    }
}
