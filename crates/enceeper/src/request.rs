//! Requests as they are on the wire: paths and bodies.

use domain::vault::{LoginName, Notify, SLOT_BYTES, SlotNumber};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny};
use utoipa::{IntoParams, ToSchema};

/// What clients are told of a slot with more than [`SLOT_BYTES`] bytes.
pub(crate) const SLOT_TOO_LARGE: &str = "The slot is too large";
/// Digits of an id in a path.
const ID_DIGITS: usize = 16;

/// A path without parameters.
#[derive(Deserialize)]
pub(crate) struct NoParameters {}

/// `/user/keys/{keyId}…`
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct KeyPath {
    /// Id of the key
    #[serde(deserialize_with = "id")]
    #[param(value_type = i64)]
    pub(crate) key_id: u64,
}

/// `/user/keys/{keyId}/slots/{slotId}`
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct SlotPath {
    /// Id of the key
    #[serde(deserialize_with = "id")]
    #[param(value_type = i64)]
    pub(crate) key_id: u64,
    /// Id of the slot; -1 is the owner's own
    #[serde(deserialize_with = "slot_id")]
    #[param(value_type = i64)]
    pub(crate) slot_id: SlotNumber,
}

/// `/user/keys/shares/{shareId}`
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct SharePath {
    /// Id of the share
    #[serde(deserialize_with = "id")]
    #[param(value_type = i64)]
    pub(crate) share_id: u64,
}

/// `/user/slots/{identifier}`
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct ReaderPath {
    /// Identifier of the slot
    pub(crate) identifier: String,
}

/// `/user/slots/check/{ref}`
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct CheckPath {
    /// Reference of the request
    #[serde(rename = "ref")]
    pub(crate) reference: String,
}

/// The pages: `…/{token}`
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct PagePath {
    /// The token of a link
    pub(crate) token: String,
}

/// 5.2
#[derive(Deserialize, ToSchema)]
pub(crate) struct Register {
    #[schema(value_type = String, example = "bob@example.org")]
    pub(crate) email: Email,
    #[schema(schema_with = crate::openapi::auth)]
    pub(crate) auth: Given,
}

/// 5.3, 5.15
#[derive(Deserialize, ToSchema)]
pub(crate) struct ByEmail {
    #[schema(value_type = String, example = "bob@example.org")]
    pub(crate) email: Email,
}

/// 5.4
#[derive(Deserialize, ToSchema)]
pub(crate) struct Login {
    pub(crate) srp6a: ClientProof,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct ClientProof {
    #[serde(rename = "A")]
    #[schema(value_type = String, pattern = "^([0-9a-fA-F]{2}){1,1024}$")]
    pub(crate) public: Text,
    #[serde(rename = "M1")]
    #[schema(value_type = String, pattern = "^[0-9a-fA-F]{128}$")]
    pub(crate) proof: Text,
    #[serde(rename = "ref")]
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$")]
    pub(crate) reference: Text,
}

/// 5.5: any members. The handler looks at the whole body.
#[derive(Deserialize)]
pub(crate) struct EditUser {}

/// 5.9
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewKey {
    #[schema(value_type = String, min_length = 1, max_length = 4096)]
    pub(crate) slot: SlotText,
    #[schema(value_type = String, min_length = 1)]
    pub(crate) meta: Text,
    #[schema(value_type = String, min_length = 1)]
    pub(crate) value: Text,
}

/// 5.10: at least one member.
#[derive(Deserialize, ToSchema)]
pub(crate) struct EditKey {
    #[schema(value_type = Option<u8>, minimum = 0, maximum = 1)]
    pub(crate) status: Option<Status>,
    #[schema(value_type = Option<String>)]
    pub(crate) meta: Option<Text>,
    #[schema(value_type = Option<String>)]
    pub(crate) value: Option<Text>,
}

/// 5.12
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewSlot {
    #[schema(value_type = String, min_length = 1, max_length = 4096)]
    pub(crate) value: SlotText,
    #[schema(value_type = Option<u8>, minimum = 0, maximum = 2)]
    pub(crate) notify: Option<NotifyNumber>,
}

/// 5.13: at least one member.
#[derive(Deserialize, ToSchema)]
pub(crate) struct EditSlot {
    #[schema(value_type = Option<u8>, minimum = 0, maximum = 1)]
    pub(crate) status: Option<Status>,
    #[schema(value_type = Option<u8>, minimum = 0, maximum = 2)]
    pub(crate) notify: Option<NotifyNumber>,
    #[schema(value_type = Option<String>)]
    pub(crate) value: Option<SlotText>,
}

/// 5.18
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewShare {
    #[schema(value_type = String, example = "bob@example.org")]
    pub(crate) email: Email,
    #[schema(value_type = String, min_length = 1, max_length = 4096)]
    pub(crate) slot: SlotText,
}

/// 5.19
#[derive(Deserialize, ToSchema)]
pub(crate) struct AcceptShare {
    #[schema(value_type = String, min_length = 1, max_length = 4096)]
    pub(crate) slot: SlotText,
}

/// A member that is there. What it contains is read from the body as the client wrote it.
pub(crate) struct Given;

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(value).map(|_| Self)
    }
}

/// A text that is not empty.
pub(crate) struct Text(pub(crate) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(text: D) -> Result<Self, D::Error> {
        let text = String::deserialize(text)?;
        // Which member it is says enough.
        (!text.is_empty())
            .then_some(Self(text))
            .ok_or_else(|| D::Error::custom(""))
    }
}

/// The text of a slot: not empty, and at most [`SLOT_BYTES`] bytes.
pub(crate) struct SlotText(pub(crate) String);

impl<'de> Deserialize<'de> for SlotText {
    fn deserialize<D: Deserializer<'de>>(text: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(text)?;
        if text.len() > SLOT_BYTES {
            return Err(D::Error::custom(SLOT_TOO_LARGE));
        }
        Ok(Self(text))
    }
}

/// An address as a login name.
pub(crate) struct Email(pub(crate) LoginName);

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: Deserializer<'de>>(text: D) -> Result<Self, D::Error> {
        let name = LoginName::parse(&String::deserialize(text)?);
        name.map(Self).ok_or_else(|| D::Error::custom(""))
    }
}

/// 0 enabled, 1 disabled.
pub(crate) enum Status {
    Enabled,
    Disabled,
}

impl Status {
    pub(crate) fn enabled(self) -> bool {
        matches!(self, Self::Enabled)
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(number: D) -> Result<Self, D::Error> {
        match u64::deserialize(number)? {
            0 => Ok(Self::Enabled),
            1 => Ok(Self::Disabled),
            _ => Err(D::Error::custom("")),
        }
    }
}

/// 0 never, 1 tell the owner, 2 ask the owner.
pub(crate) struct NotifyNumber(pub(crate) Notify);

impl<'de> Deserialize<'de> for NotifyNumber {
    fn deserialize<D: Deserializer<'de>>(number: D) -> Result<Self, D::Error> {
        match u64::deserialize(number)? {
            0 => Ok(Self(Notify::Never)),
            1 => Ok(Self(Notify::OnUse)),
            2 => Ok(Self(Notify::Approve)),
            _ => Err(D::Error::custom("")),
        }
    }
}

/// `-?[0-9]{1,16}`
fn signed_id(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let sound =
        (1..=ID_DIGITS).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| text.parse().ok()).flatten()
}

/// A number that no id can be is 0 here, and so unknown to everybody.
fn unsigned(id: i64) -> u64 {
    u64::try_from(id).unwrap_or(0)
}

fn id<'de, D: Deserializer<'de>>(text: D) -> Result<u64, D::Error> {
    web::json::text(text, |text| signed_id(&text).map(unsigned))
}

fn slot_id<'de, D: Deserializer<'de>>(text: D) -> Result<SlotNumber, D::Error> {
    web::json::text(text, |text| {
        signed_id(&text).map(|id| match id {
            -1 => SlotNumber::Own,
            id => SlotNumber::Numbered(unsigned(id)),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_up_to_sixteen_digits_with_a_sign_or_without() {
        for (text, id) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("-1", Some(-1)),
            ("9999999999999999", Some(9_999_999_999_999_999)),
            ("-9999999999999999", Some(-9_999_999_999_999_999)),
            ("10000000000000000", None),
            ("", None),
            ("-", None),
            ("+1", None),
            ("--1", None),
            ("1a", None),
            (" 1", None),
            ("١", None),
        ] {
            assert_eq!(signed_id(text), id, "{text:?}");
        }
    }

    #[test]
    fn a_negative_id_belongs_to_nothing() {
        assert_eq!(unsigned(-5), 0);
        assert_eq!(unsigned(5), 5);
    }
}
