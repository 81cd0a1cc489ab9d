//! Requests as they are on the wire. A member that is not known is ignored; null counts as absent.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::secret::SecretText;
use domain::wallet::WalletKeyId;
use domain::wallet::step_up::passkey::{Assertion, NewPasskey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::call::{FACE_BODY, Form, SHARES_BODY};
use crate::error::{self, Code};
use crate::value;

/// `/auth/devices/challenge/{deviceVerifyingKey}`
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct DevicePath {
    /// 130 hex digits
    pub(crate) device_verifying_key: String,
}

/// §9.5
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct AgentHeader {
    /// The client part's own name
    #[param(rename = "X-User-Agent")]
    pub(crate) agent: String,
}

/// §7.3
#[derive(Deserialize, ToSchema)]
pub(crate) struct RegisterDevice {
    /// 130 hex digits: the uncompressed point of a P-256 key.
    #[schema(pattern = "^04[0-9A-Fa-f]{128}$")]
    pub(crate) device_id: String,
    /// Hex of the DER signature over the challenge's message.
    #[schema(pattern = "^([0-9A-Fa-f]{2}){1,80}$")]
    pub(crate) signature: String,
    #[serde(default, deserialize_with = "device_name")]
    #[schema(min_length = 1, max_length = 64)]
    pub(crate) device_name: Option<String>,
    #[serde(default, deserialize_with = "scan")]
    #[schema(value_type = Option<String>)]
    pub(crate) face_scan: Option<SecretText>,
    #[serde(default, deserialize_with = "image")]
    #[schema(value_type = Option<String>)]
    pub(crate) audit_trail_image: Option<SecretText>,
    #[serde(default, deserialize_with = "image")]
    #[schema(value_type = Option<String>)]
    pub(crate) low_quality_audit_trail_image: Option<SecretText>,
    #[serde(default, deserialize_with = "agent")]
    pub(crate) user_agent: Option<String>,
    /// The session of the verifier's client part, if it has one. Printable ASCII.
    #[serde(default, deserialize_with = "agent")]
    pub(crate) session_id: Option<String>,
    /// An extension: what `navigator.credentials.get` gave for this device's challenge.
    #[schema(value_type = Option<ShownPasskey>)]
    pub(crate) passkey: Option<Value>,
}

impl Form for RegisterDevice {
    const BYTES: usize = FACE_BODY;

    /// The key is looked at after the signature's type and the name, and before all the rest.
    fn fault(members: &Map<String, Value>) -> Code {
        let signed = members.get("signature").is_some_and(Value::is_string);
        let named = match members.get("device_name") {
            None | Some(Value::Null) => true,
            Some(Value::String(name)) => value::device_name(name).is_some(),
            Some(_) => false,
        };
        if signed && named {
            device_fault(members, "device_id")
        } else {
            error::MALFORMED
        }
    }
}

/// §7.4, §8.2
#[derive(Deserialize, ToSchema)]
pub(crate) struct RegisterFace {
    #[serde(deserialize_with = "scan")]
    #[schema(value_type = String, pattern = "^[A-Za-z0-9+/_=-]+$")]
    pub(crate) face_scan: Option<SecretText>,
    #[serde(deserialize_with = "image")]
    #[schema(value_type = String, pattern = "^[A-Za-z0-9+/_=-]+$")]
    pub(crate) audit_trail_image: Option<SecretText>,
    #[serde(deserialize_with = "image")]
    #[schema(value_type = String, pattern = "^[A-Za-z0-9+/_=-]+$")]
    pub(crate) low_quality_audit_trail_image: Option<SecretText>,
    /// Printable ASCII.
    #[serde(deserialize_with = "agent")]
    #[schema(value_type = String, pattern = "^[ -~]{1,1024}$")]
    pub(crate) user_agent: Option<String>,
    /// The session of the verifier's client part, if it has one. Printable ASCII.
    #[serde(default, deserialize_with = "agent")]
    pub(crate) session_id: Option<String>,
}

impl Form for RegisterFace {
    const BYTES: usize = FACE_BODY;
}

/// §7.8
#[derive(Deserialize, ToSchema)]
pub(crate) struct BackupShares {
    #[serde(deserialize_with = "keyshares")]
    #[schema(min_items = 1, max_items = 32)]
    pub(crate) keyshares: Vec<Keyshare>,
}

impl Form for BackupShares {
    const BYTES: usize = SHARES_BODY;
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct Keyshare {
    #[serde(deserialize_with = "key_id")]
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_.:+/=-]{1,128}$")]
    pub(crate) key_id: WalletKeyId,
    /// Opaque printable ASCII, kept byte for byte.
    #[serde(deserialize_with = "share")]
    #[schema(pattern = "^[ -~]+$")]
    pub(crate) encrypted_keyshare: String,
}

/// §7.9
#[derive(Deserialize, ToSchema)]
pub(crate) struct RecoverShares {
    #[serde(deserialize_with = "key_ids")]
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 32)]
    pub(crate) key_ids: Vec<WalletKeyId>,
    #[serde(default, deserialize_with = "scan")]
    #[schema(value_type = Option<String>)]
    pub(crate) face_scan: Option<SecretText>,
    #[serde(default, deserialize_with = "image")]
    #[schema(value_type = Option<String>)]
    pub(crate) audit_trail_image: Option<SecretText>,
    #[serde(default, deserialize_with = "image")]
    #[schema(value_type = Option<String>)]
    pub(crate) low_quality_audit_trail_image: Option<SecretText>,
    #[serde(default, deserialize_with = "agent")]
    pub(crate) user_agent: Option<String>,
    /// The session of the verifier's client part, if it has one. Printable ASCII.
    #[serde(default, deserialize_with = "agent")]
    pub(crate) session_id: Option<String>,
    /// An extension: what `navigator.credentials.get` gave for the challenge of these keys.
    #[schema(value_type = Option<ShownPasskey>)]
    pub(crate) passkey: Option<Value>,
}

impl Form for RecoverShares {
    const BYTES: usize = FACE_BODY;
}

/// §8.2: what a client sends of its owner's face. An empty text counts as absent.
pub(crate) struct FaceParts {
    pub(crate) scan: Option<SecretText>,
    pub(crate) image: Option<SecretText>,
    pub(crate) small_image: Option<SecretText>,
    pub(crate) agent: Option<String>,
    pub(crate) session: Option<String>,
}

impl From<RegisterFace> for FaceParts {
    fn from(form: RegisterFace) -> Self {
        Self {
            scan: form.face_scan,
            image: form.audit_trail_image,
            small_image: form.low_quality_audit_trail_image,
            agent: form.user_agent,
            session: form.session_id,
        }
    }
}

/// §7.10
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TransactionQuery {
    /// 1 to 200, 50 when absent
    #[serde(default = "page", deserialize_with = "limit")]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 200)]
    pub(crate) limit: usize,
    /// From the page before
    #[serde(default, deserialize_with = "cursor")]
    #[param(value_type = Option<String>)]
    pub(crate) cursor: Option<(i64, [u8; 16])>,
    /// Only of this key
    #[serde(default, deserialize_with = "wanted_key")]
    #[param(value_type = Option<String>)]
    pub(crate) key_id: Option<WalletKeyId>,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct PasskeyForDevice {
    #[schema(pattern = "^04[0-9A-Fa-f]{128}$")]
    pub(crate) device_id: String,
}

impl Form for PasskeyForDevice {}

#[derive(Deserialize, ToSchema)]
pub(crate) struct PasskeyForKeys {
    #[serde(deserialize_with = "key_ids")]
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 32)]
    pub(crate) key_ids: Vec<WalletKeyId>,
}

impl Form for PasskeyForKeys {}

#[derive(Deserialize, ToSchema)]
pub(crate) struct RegisterPasskey {
    #[serde(deserialize_with = "object")]
    pub(crate) credential: MadePasskey,
}

impl Form for RegisterPasskey {}

/// `RegistrationResponseJSON` of Web Authentication Level 3: what `toJSON()` of a new credential gives.
#[derive(Deserialize, ToSchema)]
pub(crate) struct MadePasskey {
    #[serde(deserialize_with = "credential_type")]
    #[schema(value_type = String, example = "public-key")]
    r#type: CredentialType,
    #[serde(deserialize_with = "object")]
    response: MadeResponse,
}

/// The only type of credential that there is: `public-key`.
enum CredentialType {
    PublicKey,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MadeResponse {
    /// base64url without padding, like the rest.
    #[serde(rename = "clientDataJSON", deserialize_with = "binary")]
    #[schema(value_type = String)]
    client_data: Vec<u8>,
    #[serde(deserialize_with = "binary")]
    #[schema(value_type = String)]
    attestation_object: Vec<u8>,
    #[serde(default, deserialize_with = "transports")]
    #[schema(value_type = Option<Vec<String>>)]
    transports: Vec<String>,
}

impl From<MadePasskey> for NewPasskey {
    fn from(made: MadePasskey) -> Self {
        let MadePasskey {
            r#type: CredentialType::PublicKey,
            response,
        } = made;
        Self {
            client_data: response.client_data,
            attestation: response.attestation_object,
            transports: response.transports,
        }
    }
}

/// `AuthenticationResponseJSON` of Web Authentication Level 3.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ShownPasskey {
    #[serde(deserialize_with = "binary")]
    #[schema(value_type = String)]
    id: Vec<u8>,
    #[serde(deserialize_with = "credential_type")]
    #[schema(value_type = String, example = "public-key")]
    r#type: CredentialType,
    #[serde(deserialize_with = "object")]
    response: ShownResponse,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ShownResponse {
    #[serde(rename = "clientDataJSON", deserialize_with = "binary")]
    #[schema(value_type = String)]
    client_data: Vec<u8>,
    #[serde(deserialize_with = "binary")]
    #[schema(value_type = String)]
    authenticator_data: Vec<u8>,
    #[serde(deserialize_with = "binary")]
    #[schema(value_type = String)]
    signature: Vec<u8>,
    #[serde(default, deserialize_with = "optional_binary")]
    #[schema(value_type = Option<String>)]
    user_handle: Option<Vec<u8>>,
}

impl From<ShownPasskey> for Assertion {
    fn from(shown: ShownPasskey) -> Self {
        let ShownPasskey {
            id,
            r#type: CredentialType::PublicKey,
            response,
        } = shown;
        Self {
            credential: id,
            client_data: response.client_data,
            authenticator_data: response.authenticator_data,
            signature: response.signature,
            handle: response.user_handle,
        }
    }
}

/// §12: tag → texts.
pub(crate) type Setup = Map<String, Value>;

/// §12.2
#[derive(Deserialize, ToSchema)]
pub(crate) struct NoteKey {
    /// The device's key.
    pub(crate) token: String,
    #[serde(deserialize_with = "key_id")]
    #[schema(value_type = String)]
    pub(crate) key_id: WalletKeyId,
    #[serde(deserialize_with = "instance")]
    pub(crate) instance: String,
}

impl Form for NoteKey {
    fn fault(members: &Map<String, Value>) -> Code {
        device_fault(members, "token")
    }
}

/// §12.1, §12.3
#[derive(Deserialize, ToSchema)]
pub(crate) struct AskSetup {
    /// The device's key.
    pub(crate) token: String,
    #[serde(deserialize_with = "instance")]
    pub(crate) instance: String,
    #[serde(deserialize_with = "setup")]
    #[schema(value_type = Object)]
    pub(crate) setup: Setup,
}

impl Form for AskSetup {
    fn fault(members: &Map<String, Value>) -> Code {
        device_fault(members, "token")
    }
}

/// What is wrong with a body whose device key is looked at first.
fn device_fault(members: &Map<String, Value>, name: &str) -> Code {
    let text = members.get(name).and_then(Value::as_str);
    match text.map(value::device) {
        Some(Err(code)) => code,
        Some(Ok(_)) | None => error::MALFORMED,
    }
}

fn device_name<'de, D: Deserializer<'de>>(text: D) -> Result<Option<String>, D::Error> {
    optional(text, |text| value::device_name(&text))
}

fn scan<'de, D: Deserializer<'de>>(text: D) -> Result<Option<SecretText>, D::Error> {
    given(text, |text| value::encoded(text, value::SCAN))
}

fn image<'de, D: Deserializer<'de>>(text: D) -> Result<Option<SecretText>, D::Error> {
    given(text, |text| value::encoded(text, value::IMAGE))
}

fn agent<'de, D: Deserializer<'de>>(text: D) -> Result<Option<String>, D::Error> {
    given(text, value::agent)
}

fn share<'de, D: Deserializer<'de>>(text: D) -> Result<String, D::Error> {
    web::json::text(text, value::share)
}

fn key_id<'de, D: Deserializer<'de>>(text: D) -> Result<WalletKeyId, D::Error> {
    web::json::text(text, |text| WalletKeyId::parse(&text))
}

fn wanted_key<'de, D: Deserializer<'de>>(text: D) -> Result<Option<WalletKeyId>, D::Error> {
    key_id(text).map(Some)
}

/// §7.9: 1 to 32 ids, repeats allowed.
fn key_ids<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<WalletKeyId>, D::Error> {
    checked(list, |texts: Vec<String>| value::key_ids(&texts))
}

const fn page() -> usize {
    50
}

fn limit<'de, D: Deserializer<'de>>(text: D) -> Result<usize, D::Error> {
    web::json::text(text, |text| value::limit(&text))
}

fn cursor<'de, D: Deserializer<'de>>(text: D) -> Result<Option<(i64, [u8; 16])>, D::Error> {
    web::json::text(text, |text| value::parse_cursor(&text)).map(Some)
}

/// Bytes in base64url without padding.
fn binary<'de, D: Deserializer<'de>>(text: D) -> Result<Vec<u8>, D::Error> {
    web::json::text(text, decoded)
}

fn optional_binary<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Vec<u8>>, D::Error> {
    optional(text, decoded)
}

fn decoded(text: String) -> Option<Vec<u8>> {
    let fits = (1..=value::BINARY).contains(&text.len());
    fits.then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten()
}

fn transports<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<String>, D::Error> {
    checked(list, |listed: Option<Vec<String>>| {
        value::transports(listed.unwrap_or_default())
    })
}

fn instance<'de, D: Deserializer<'de>>(text: D) -> Result<String, D::Error> {
    web::json::text(text, |text| value::instance(&text))
}

fn setup<'de, D: Deserializer<'de>>(object: D) -> Result<Setup, D::Error> {
    checked(object, value::setup)
}

/// A text, null, or nothing at all.
fn optional<'de, D: Deserializer<'de>, T>(
    text: D,
    read: impl FnOnce(String) -> Option<T>,
) -> Result<Option<T>, D::Error> {
    checked(text, |text: Option<String>| match text {
        None => Some(None),
        Some(text) => read(text).map(Some),
    })
}

/// As [`optional`], and an empty text counts as absent.
fn given<'de, D: Deserializer<'de>, T>(
    text: D,
    read: impl FnOnce(String) -> Option<T>,
) -> Result<Option<T>, D::Error> {
    checked(text, |text: Option<String>| {
        match text.filter(|text| !text.is_empty()) {
            None => Some(None),
            Some(text) => read(text).map(Some),
        }
    })
}

fn credential_type<'de, D: Deserializer<'de>>(text: D) -> Result<CredentialType, D::Error> {
    web::json::text(text, |text| {
        (text == "public-key").then_some(CredentialType::PublicKey)
    })
}

fn keyshares<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<Keyshare>, D::Error> {
    checked(list, |objects: Vec<Map<String, Value>>| {
        let entries = objects.into_iter().map(web::json::typed);
        entries.collect::<Result<_, _>>().ok()
    })
}

/// A struct that is written as an object. Without this, serde would take a list of its members as well.
fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(object: D) -> Result<T, D::Error> {
    checked(object, |members| web::json::typed(members).ok())
}

/// Reads a raw value with `read`, which gives nothing for a value against its rule.
fn checked<'de, D: Deserializer<'de>, R: Deserialize<'de>, T>(
    raw: D,
    read: impl FnOnce(R) -> Option<T>,
) -> Result<T, D::Error> {
    let rule = || serde::de::Error::custom("a value against its rule");
    read(R::deserialize(raw)?).ok_or_else(rule)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else {
            panic!("an object")
        };
        members
    }

    fn is<T: Form>(value: Value) -> bool {
        web::json::typed::<T>(members(value)).is_ok()
    }

    #[test]
    fn objects_within_a_body_are_not_written_as_lists() {
        let share = json!({ "key_id": "k", "encrypted_keyshare": "s" });
        assert!(is::<BackupShares>(json!({ "keyshares": [share] })));
        assert!(!is::<BackupShares>(json!({ "keyshares": [["k", "s"]] })));

        let made = |kind: Value, response: Value| {
            is::<RegisterPasskey>(json!({ "credential": { "type": kind, "response": response } }))
        };
        let response = json!({ "clientDataJSON": "AA", "attestationObject": "AA" });
        assert!(made(json!("public-key"), response.clone()));
        assert!(!made(json!("password"), response.clone()));
        assert!(!made(json!({ "public-key": null }), response));
        assert!(!made(json!("public-key"), json!(["AA", "AA", null])));
    }

    #[test]
    fn a_device_key_is_looked_at_before_what_follows_it() {
        let hook = |token: &str| AskSetup::fault(&members(json!({ "token": token, "setup": 1 })));
        assert_eq!(hook("04"), error::DEVICE_MALFORMED);
        assert_eq!(AskSetup::fault(&Map::new()), error::MALFORMED);

        let device = |signature: Value, name: Value| {
            let body = json!({ "device_id": "04", "signature": signature, "device_name": name });
            RegisterDevice::fault(&members(body))
        };
        assert_eq!(device(json!("00"), json!(null)), error::DEVICE_MALFORMED);
        assert_eq!(device(json!(0), json!(null)), error::MALFORMED);
        assert_eq!(device(json!("00"), json!("")), error::MALFORMED);
    }
}
