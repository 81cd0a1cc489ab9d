//! Requests and answers as they are on the wire.

use serde::Serialize;
use utoipa::ToSchema;

/// §2
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    pub(crate) error: Problem,
    /// §9.5: opaque words of the verifier for its client part, where that is switched on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scan_result_blob: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Problem {
    /// What programs branch on.
    #[schema(example = 100_101)]
    pub(crate) code: u32,
    /// For people.
    pub(crate) message: &'static str,
}

/// §7.1, §7.3, §7.4, §7.8
#[derive(Serialize, ToSchema)]
pub(crate) struct Done {
    pub(crate) success: bool,
    pub(crate) message: &'static str,
    /// §9.5
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scan_result_blob: Option<String>,
}

impl Done {
    pub(crate) fn new(message: &'static str) -> Self {
        Self {
            success: true,
            message,
            scan_result_blob: None,
        }
    }
}

/// §7.2
#[derive(Serialize, ToSchema)]
pub(crate) struct Challenge {
    /// 64 lower-case hex digits.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub(crate) challenge: String,
    pub(crate) ttl_seconds: u64,
}

/// §7.3
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §2 field by field"
)]
pub(crate) struct RegisterDevice {
    /// 130 hex digits: the uncompressed point of a P-256 key.
    #[schema(pattern = "^04[0-9A-Fa-f]{128}$")]
    pub(crate) device_id: String,
    /// Hex of the DER signature over the challenge's message.
    #[schema(pattern = "^([0-9A-Fa-f]{2}){1,80}$")]
    pub(crate) signature: String,
    #[schema(min_length = 1, max_length = 64)]
    pub(crate) device_name: Option<String>,
    pub(crate) face_scan: Option<String>,
    pub(crate) audit_trail_image: Option<String>,
    pub(crate) low_quality_audit_trail_image: Option<String>,
    pub(crate) user_agent: Option<String>,
    /// An extension: what `navigator.credentials.get` gave for this device's challenge.
    pub(crate) passkey: Option<ShownPasskey>,
}

/// §7.4, §8.2
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §2 field by field"
)]
pub(crate) struct RegisterFace {
    #[schema(pattern = "^[A-Za-z0-9+/_=-]+$")]
    pub(crate) face_scan: String,
    #[schema(pattern = "^[A-Za-z0-9+/_=-]+$")]
    pub(crate) audit_trail_image: String,
    #[schema(pattern = "^[A-Za-z0-9+/_=-]+$")]
    pub(crate) low_quality_audit_trail_image: String,
    /// Printable ASCII.
    #[schema(pattern = "^[ -~]{1,1024}$")]
    pub(crate) user_agent: String,
}

/// §7.5
#[derive(Serialize, ToSchema)]
pub(crate) struct Face {
    pub(crate) registered: bool,
    pub(crate) registered_at: Option<String>,
}

/// §9.5
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionToken {
    pub(crate) session_token: String,
}

/// §7.6
#[derive(Serialize, ToSchema)]
pub(crate) struct Devices {
    pub(crate) devices: Vec<ListedDevice>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ListedDevice {
    pub(crate) device_verifying_key: String,
    pub(crate) device_name: String,
    pub(crate) is_active: bool,
    pub(crate) created_at: String,
}

/// §7.7
#[derive(Serialize, ToSchema)]
pub(crate) struct Keys {
    pub(crate) keys: Vec<ListedKey>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ListedKey {
    pub(crate) key_id: String,
    pub(crate) created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backup: Option<Backup>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Backup {
    pub(crate) created_at: String,
}

/// §7.8
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §2 field by field"
)]
pub(crate) struct BackupShares {
    #[schema(min_items = 1, max_items = 32)]
    pub(crate) keyshares: Vec<Keyshare>,
}

#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §2 field by field"
)]
pub(crate) struct Keyshare {
    #[schema(pattern = "^[A-Za-z0-9_.:+/=-]{1,128}$")]
    pub(crate) key_id: String,
    /// Opaque printable ASCII, kept byte for byte.
    #[schema(pattern = "^[ -~]+$")]
    pub(crate) encrypted_keyshare: String,
}

/// §7.9
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §2 field by field"
)]
pub(crate) struct RecoverShares {
    #[schema(min_items = 1, max_items = 32)]
    pub(crate) key_ids: Vec<String>,
    pub(crate) face_scan: Option<String>,
    pub(crate) audit_trail_image: Option<String>,
    pub(crate) low_quality_audit_trail_image: Option<String>,
    pub(crate) user_agent: Option<String>,
    /// An extension: what `navigator.credentials.get` gave for the challenge of these keys.
    pub(crate) passkey: Option<ShownPasskey>,
}

/// §7.9
#[derive(Serialize, ToSchema)]
pub(crate) struct Recovered {
    pub(crate) success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<&'static str>,
    pub(crate) keyshares: Vec<RecoveredShare>,
    /// §9.5
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scan_result_blob: Option<String>,
}

/// One asked-for key: its share, or why there is none.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveredShare {
    pub(crate) key_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encrypted_keyshare: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Problem>,
}

/// §7.10
#[derive(Serialize, ToSchema)]
pub(crate) struct Transactions {
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Transaction {
    pub(crate) id: String,
    pub(crate) key_id: String,
    pub(crate) device_verifying_key: String,
    pub(crate) instance: String,
    pub(crate) status: &'static str,
    pub(crate) created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) setup: Option<serde_json::Value>,
}

/// `PublicKeyCredentialCreationOptionsJSON` of Web Authentication Level 3.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreationOptions {
    #[serde(rename = "publicKey")]
    pub(crate) public_key: Creation,
    pub(crate) ttl_seconds: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Creation {
    pub(crate) challenge: String,
    pub(crate) rp: Party,
    pub(crate) user: User,
    pub(crate) pub_key_cred_params: Vec<Wanted>,
    /// Milliseconds.
    pub(crate) timeout: u64,
    pub(crate) attestation: &'static str,
    pub(crate) authenticator_selection: Selection,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Party {
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) display_name: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Wanted {
    pub(crate) r#type: &'static str,
    pub(crate) alg: i32,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Selection {
    pub(crate) resident_key: &'static str,
    pub(crate) user_verification: &'static str,
}

/// `PublicKeyCredentialRequestOptionsJSON` of Web Authentication Level 3.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequestOptions {
    #[serde(rename = "publicKey")]
    pub(crate) public_key: Request,
    pub(crate) ttl_seconds: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    pub(crate) challenge: String,
    pub(crate) rp_id: String,
    pub(crate) allow_credentials: Vec<Allowed>,
    pub(crate) user_verification: &'static str,
    /// Milliseconds.
    pub(crate) timeout: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Allowed {
    pub(crate) r#type: &'static str,
    pub(crate) id: String,
    pub(crate) transports: Vec<String>,
}

#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §2 field by field"
)]
pub(crate) struct PasskeyForDevice {
    #[schema(pattern = "^04[0-9A-Fa-f]{128}$")]
    pub(crate) device_id: String,
}

#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §2 field by field"
)]
pub(crate) struct PasskeyForKeys {
    #[schema(min_items = 1, max_items = 32)]
    pub(crate) key_ids: Vec<String>,
}

#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §2 field by field"
)]
pub(crate) struct RegisterPasskey {
    pub(crate) credential: MadePasskey,
}

/// `RegistrationResponseJSON` of Web Authentication Level 3: what `toJSON()` of a new credential gives.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §2 field by field"
)]
pub(crate) struct MadePasskey {
    #[schema(example = "public-key")]
    pub(crate) r#type: String,
    pub(crate) response: MadeResponse,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §2 field by field"
)]
pub(crate) struct MadeResponse {
    /// base64url without padding, like the rest.
    #[schema(rename = "clientDataJSON")]
    pub(crate) client_data: String,
    pub(crate) attestation_object: String,
    pub(crate) transports: Option<Vec<String>>,
}

/// `AuthenticationResponseJSON` of Web Authentication Level 3.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §2 field by field"
)]
pub(crate) struct ShownPasskey {
    pub(crate) id: String,
    #[schema(example = "public-key")]
    pub(crate) r#type: String,
    pub(crate) response: ShownResponse,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "describes the request; parsing follows §2 field by field"
)]
pub(crate) struct ShownResponse {
    #[schema(rename = "clientDataJSON")]
    pub(crate) client_data: String,
    pub(crate) authenticator_data: String,
    pub(crate) signature: String,
    pub(crate) user_handle: Option<String>,
}
