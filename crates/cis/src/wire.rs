//! Requests and answers as they are on the wire.

#![expect(clippy::struct_field_names, reason = "the names are the wire's")]

mod path;
mod token;

use domain::tenant::device_key::{DeviceKeyView, KeyName, PublicKey, PushTarget, Status};
use domain::tenant::permission::Permission;
use domain::tenant::{AssertionKey, ClientForm, ClientView, MemberView, RoleId, RoleView};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub(crate) use path::{
    ApplicationPath, ClientPath, EmailPath, KeyPath, MembershipPath, RolePath, UserPath,
};
pub(crate) use token::{CLAIMS, Discovery, Jwk, JwkSet, TokenAnswer, TokenError, TokenForm31};

use crate::value::stored;

/// §2.3, every status but 400
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorText {
    pub(crate) message: String,
    /// The status once more.
    pub(crate) error_code: u16,
}

/// §2.3, status 400
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorList {
    pub(crate) message: Vec<String>,
    pub(crate) error_code: u16,
}

/// §6
#[derive(Serialize, ToSchema)]
pub(crate) struct PushConfig {
    /// 32 to 255 characters.
    pub(crate) device_token: String,
    /// `FCM` or `APN`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bundle_id: Option<String>,
}

/// §6.1
#[derive(ToSchema)]
pub(crate) struct RegisterKey {
    #[schema(value_type = String, pattern = "^[A-Za-z0-9._~:@+=-]{1,128}$")]
    pub(crate) key_id: KeyName,
    /// SPKI or PKCS#1 of an RSA key of 2048 to 4096 bits, or a P-256 key, in base64 or PEM.
    #[schema(value_type = String)]
    pub(crate) public_key: PublicKey,
    pub(crate) display_name: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub(crate) custom_data: Option<String>,
    #[schema(value_type = Option<PushConfig>)]
    pub(crate) push_config: Option<PushTarget>,
}

/// §6.4
#[derive(ToSchema)]
#[expect(
    clippy::option_option,
    reason = "absent stays, null removes, and anything else replaces"
)]
pub(crate) struct ChangeKey {
    #[schema(value_type = Option<String>)]
    pub(crate) display_name: Option<Option<String>>,
    #[schema(value_type = Option<Object>)]
    pub(crate) custom_data: Option<Option<String>>,
    #[schema(value_type = Option<PushConfig>)]
    pub(crate) push_config: Option<Option<PushTarget>>,
}

/// §6.6
#[derive(ToSchema)]
pub(crate) struct Validate {
    /// The text that the device signed, 1 to 4096 bytes.
    pub(crate) challenge: String,
    /// Base64, 1 to 2048 characters.
    pub(crate) signature: String,
}

/// §6: a key as it is given back.
#[derive(Serialize, ToSchema)]
pub(crate) struct Key {
    key_id: String,
    /// `Active` or `Blocked`.
    status: &'static str,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    custom_data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    push_config: Option<PushConfig>,
}

impl From<DeviceKeyView> for Key {
    fn from(view: DeviceKeyView) -> Self {
        Self {
            key_id: view.name.to_string(),
            status: match view.status {
                Status::Active => "Active",
                Status::Blocked => "Blocked",
            },
            created_at: view.created.rfc3339(),
            updated_at: view.updated.rfc3339(),
            display_name: view.label,
            custom_data: view.custom.as_deref().map(stored),
            push_config: view.push.map(
                |PushTarget {
                     device_token,
                     service,
                     bundle,
                 }| PushConfig {
                    device_token,
                    kind: service,
                    bundle_id: bundle,
                },
            ),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OneKey {
    pub(crate) result: Key,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Keys {
    pub(crate) result: Vec<Key>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Validated {
    /// Whether the key is Active and the signature is right.
    pub(crate) result: bool,
}

/// §9
#[derive(Serialize, ToSchema)]
pub(crate) struct Challenge {
    /// To be signed whole, prefix included.
    pub(crate) challenge: String,
    pub(crate) expires_at: String,
    pub(crate) expires_in: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OneChallenge {
    pub(crate) result: Challenge,
}

/// §7.1
#[derive(ToSchema)]
pub(crate) struct CreateUser {
    /// This or `phone_number`.
    pub(crate) email: Option<String>,
    pub(crate) phone_number: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) external_user_id: Option<String>,
    pub(crate) external_account_id: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub(crate) name: Option<Map<String, Value>>,
    pub(crate) birthday: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub(crate) address: Option<Map<String, Value>>,
    pub(crate) picture: Option<String>,
    pub(crate) language: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub(crate) custom_data: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub(crate) custom_app_data: Option<String>,
    pub(crate) secondary_emails: Option<Vec<String>>,
    pub(crate) secondary_phone_numbers: Option<Vec<String>>,
}

/// §7.1; the members that are not named here are given back as they were sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct User {
    user_id: String,
    status: &'static str,
    /// Milliseconds since 1970.
    created_at: i64,
    updated_at: i64,
    app_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<UserEmail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<UserPhone>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_user_id: Option<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    attributes: Map<String, Value>,
    #[serde(flatten)]
    #[schema(ignore)]
    application_attributes: Map<String, Value>,
}

#[derive(Serialize, ToSchema)]
struct UserEmail {
    value: String,
    /// Always `false`: this server verifies no addresses of these users.
    email_verified: bool,
}

#[derive(Serialize, ToSchema)]
struct UserPhone {
    value: String,
    /// Always `false`: this server verifies no addresses of these users.
    phone_number_verified: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OneUser {
    pub(crate) result: User,
}

impl From<MemberView> for OneUser {
    fn from(view: MemberView) -> Self {
        let members = |text: &str| match stored(text) {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        let email = view.email.map(|value| UserEmail {
            value,
            email_verified: false,
        });
        let phone_number = view.phone.map(|value| UserPhone {
            value,
            phone_number_verified: false,
        });
        let result = User {
            user_id: view.user.as_str().to_owned(),
            status: "Active",
            created_at: view.created.millis(),
            updated_at: view.updated.millis(),
            app_name: view.application_name,
            email,
            phone_number,
            username: view.username,
            external_user_id: view.external_id,
            attributes: members(&view.attributes),
            application_attributes: members(&view.application_attributes),
        };
        Self { result }
    }
}

/// §8
#[derive(ToSchema)]
pub(crate) struct CreateApplication {
    pub(crate) app_name: String,
    pub(crate) client_display_name: Option<String>,
    pub(crate) redirect_uris: Option<Vec<String>>,
    pub(crate) app_description: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub(crate) first_client: Option<ClientForm>,
    pub(crate) device_keys: Option<DeviceKeySettings>,
}

/// §8
#[derive(ToSchema)]
pub(crate) struct ChangeApplication {
    pub(crate) app_name: Option<String>,
    pub(crate) app_description: Option<String>,
    pub(crate) device_keys: Option<DeviceKeySettings>,
}

/// §8, §9
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceKeySettings {
    /// Accept only challenges that this server made.
    pub(crate) require_server_challenge: bool,
}

/// §8
#[derive(Serialize, ToSchema)]
pub(crate) struct Application {
    pub(crate) app_id: String,
    pub(crate) tenant_id: String,
    pub(crate) app_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_display_name: Option<String>,
    /// Only in the answer that makes the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
    /// Only in the answer that makes the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_secret: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) device_keys: DeviceKeySettings,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OneApplication {
    pub(crate) result: Application,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Applications {
    pub(crate) result: Vec<Application>,
}

/// §8
#[derive(ToSchema)]
pub(crate) struct CreateClient {
    pub(crate) name: String,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) description: Option<String>,
    #[schema(value_type = Option<Vec<String>>)]
    pub(crate) role_ids: Option<Vec<RoleId>>,
    pub(crate) token_expiration: Option<TokenExpiration>,
    pub(crate) resources: Option<Vec<String>>,
    /// `{"jwks": {"keys": […]}}`: the public keys whose holder may sign assertions.
    #[schema(value_type = Option<Object>)]
    pub(crate) authentication_configuration: Option<Vec<AssertionKey>>,
}

/// §8
#[derive(ToSchema)]
pub(crate) struct ChangeClient {
    pub(crate) name: Option<String>,
    pub(crate) redirect_uris: Option<Vec<String>>,
    pub(crate) description: Option<String>,
    #[schema(value_type = Option<Vec<String>>)]
    pub(crate) role_ids: Option<Vec<RoleId>>,
    pub(crate) token_expiration: Option<TokenExpiration>,
    pub(crate) resources: Option<Vec<String>>,
    #[schema(value_type = Option<Object>)]
    pub(crate) authentication_configuration: Option<Vec<AssertionKey>>,
}

/// §3.2
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenExpiration {
    /// Seconds, 1 to 86,400.
    pub(crate) access_token_ttl: u32,
}

/// §8
#[derive(Serialize, ToSchema)]
pub(crate) struct Client {
    client_id: String,
    /// Only the answer that makes the client shows it.
    client_secret: String,
    app_id: String,
    tenant_id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    redirect_uris: Vec<String>,
    role_ids: Vec<String>,
    token_expiration: TokenExpiration,
    resources: Vec<String>,
    created_at: String,
    updated_at: String,
}

/// What stands for a secret that is not shown.
pub(crate) const HIDDEN: &str = "********";

impl Client {
    pub(crate) fn of(view: ClientView, secret: &str) -> Self {
        Self {
            client_id: view.id.to_string(),
            client_secret: secret.to_owned(),
            app_id: view.application.to_string(),
            tenant_id: view.tenant.to_string(),
            name: view.name,
            description: view.description,
            redirect_uris: view.redirect_uris,
            role_ids: view.roles.iter().map(ToString::to_string).collect(),
            token_expiration: TokenExpiration {
                access_token_ttl: view.token_life,
            },
            resources: view.resources,
            created_at: view.created.rfc3339(),
            updated_at: view.updated.rfc3339(),
        }
    }
}

/// §8
#[derive(ToSchema)]
pub(crate) struct ClientRoleForm {
    pub(crate) role_name: Option<String>,
    #[schema(value_type = Option<Vec<String>>)]
    pub(crate) permissions: Option<Vec<Permission>>,
    pub(crate) description: Option<String>,
}

/// §8
#[derive(Serialize, ToSchema)]
pub(crate) struct ClientRole {
    role_id: String,
    role_name: String,
    permissions: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl From<RoleView> for ClientRole {
    fn from(view: RoleView) -> Self {
        Self {
            role_id: view.id.to_string(),
            role_name: view.name,
            permissions: view.permissions.iter().map(ToString::to_string).collect(),
            description: view.description,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OneRole {
    pub(crate) result: ClientRole,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Roles {
    pub(crate) result: Vec<ClientRole>,
}
