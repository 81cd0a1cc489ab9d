//! Answers as they are on the wire; requests are in [`request`].

mod request;

use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use request::{
    AgentHeader, AskSetup, BackupShares, DevicePath, FaceParts, Keyshare, NoteKey,
    PasskeyForDevice, PasskeyForKeys, RecoverShares, RegisterDevice, RegisterFace, RegisterPasskey,
    Setup, ShownPasskey, TransactionQuery,
};

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
