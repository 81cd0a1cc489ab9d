//! Requests and answers as they are on the wire.

use domain::guarded_key::contact::ContactAddress;
use domain::guarded_key::{GuardedKeyId, Pin};
use domain::secret::SecretText;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::value;

/// `/v2/key/{keyId}…`
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct KeyPath {
    /// Id of the key
    #[serde(deserialize_with = "key_id")]
    #[param(value_type = String)]
    pub(crate) key_id: GuardedKeyId,
}

/// `/v2/key/{keyId}/user/{userId}…`
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct UserPath {
    /// Id of the key
    #[serde(deserialize_with = "key_id")]
    #[param(value_type = String)]
    pub(crate) key_id: GuardedKeyId,
    /// The address, percent-encoded
    #[serde(deserialize_with = "user_id")]
    #[param(value_type = String)]
    pub(crate) user_id: ContactAddress,
}

/// `/recovery/{token}`
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct PagePath {
    /// The token of the link in a message
    pub(crate) token: String,
}

/// §4
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateKey {
    /// 4 to 256 UTF-16 code units, no line breaks.
    #[serde(deserialize_with = "pin")]
    #[schema(value_type = String)]
    pub(crate) pin: Pin,
}

/// §6
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangePin {
    #[serde(deserialize_with = "pin")]
    #[schema(value_type = String)]
    pub(crate) new_pin: Pin,
}

/// §7.2
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateUser {
    /// An email address or a phone number in E.164 form with a plus.
    #[serde(deserialize_with = "user_id")]
    #[schema(value_type = String)]
    pub(crate) user_id: ContactAddress,
}

/// §7.3
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verify {
    /// Exactly six digits.
    #[serde(deserialize_with = "code")]
    #[schema(value_type = String, pattern = "^[0-9]{6}$")]
    pub(crate) code: SecretText,
    pub(crate) op: Op,
    /// The PIN that replaces the forgotten one; looked at when the time lock has opened.
    #[serde(default, deserialize_with = "usable_pin")]
    #[schema(value_type = Option<String>)]
    pub(crate) new_pin: Option<Pin>,
}

/// What a code is for.
#[derive(Deserialize, ToSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
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

fn key_id<'de, D: Deserializer<'de>>(text: D) -> Result<GuardedKeyId, D::Error> {
    web::json::text(text, |text| value::key_id(&text))
}

fn user_id<'de, D: Deserializer<'de>>(text: D) -> Result<ContactAddress, D::Error> {
    web::json::text(text, |text| value::user_id(&text))
}

fn pin<'de, D: Deserializer<'de>>(text: D) -> Result<Pin, D::Error> {
    web::json::text(text, value::pin)
}

/// §7.4: a PIN against the rule counts as absent, because a lock that has not opened yet is answered first.
fn usable_pin<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Pin>, D::Error> {
    Ok(Option::<String>::deserialize(text)?.and_then(value::pin))
}

fn code<'de, D: Deserializer<'de>>(text: D) -> Result<SecretText, D::Error> {
    web::json::text(text, value::code)
}
