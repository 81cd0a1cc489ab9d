//! The parameters of paths.

use domain::guarded_key::GuardedKeyId;
use domain::person::AccountId;
use domain::tenant::{ApplicationId, ClientId, RoleId, TenantId, UserId};
use domain::vault::LoginName;
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::call::Params;
use crate::error::Failure;

/// `/admin/v1/guarded-keys/{keyId}`
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct KeyPath {
    /// Id of the key
    #[serde(deserialize_with = "key")]
    #[param(value_type = String)]
    pub(crate) key_id: GuardedKeyId,
}

impl Params for KeyPath {
    fn failure() -> Failure {
        Failure::invalid("keyId: not a UUID")
    }
}

/// `/admin/v1/accounts/{accountId}…`
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct AccountPath {
    /// Id of the account
    #[serde(deserialize_with = "account")]
    #[param(value_type = String)]
    pub(crate) account_id: AccountId,
}

impl Params for AccountPath {
    fn failure() -> Failure {
        Failure::invalid("accountId: not a UUID")
    }
}

/// `/admin/v1/vault-accounts/{name}…`
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct VaultPath {
    /// E-mail address of the account
    #[serde(deserialize_with = "login_name")]
    #[param(value_type = String)]
    pub(crate) name: LoginName,
}

impl Params for VaultPath {
    fn failure() -> Failure {
        Failure::invalid("name: not an e-mail address")
    }
}

/// `/admin/v1/tenants/{tenantId}…`. An id of another form names nothing, here and below.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct TenantPath {
    /// Id of the tenant
    #[serde(deserialize_with = "tenant")]
    #[param(value_type = String)]
    pub(crate) tenant_id: TenantId,
}

impl Params for TenantPath {
    fn failure() -> Failure {
        Failure::Unknown
    }
}

/// `…/applications/{applicationId}…`
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct ApplicationPath {
    /// Id of the application
    #[serde(deserialize_with = "application")]
    #[param(value_type = String)]
    pub(crate) application_id: ApplicationId,
}

/// `…/applications/{applicationId}/clients/{clientId}…`
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct ClientPath {
    /// Id of the application
    #[serde(deserialize_with = "application")]
    #[param(value_type = String)]
    pub(crate) application_id: ApplicationId,
    /// Id of the client
    #[serde(deserialize_with = "client")]
    #[param(value_type = String)]
    pub(crate) client_id: ClientId,
}

/// `…/applications/{applicationId}/users/{userId}`
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct MemberPath {
    /// Id of the application
    #[serde(deserialize_with = "application")]
    #[param(value_type = String)]
    pub(crate) application_id: ApplicationId,
    /// Id of the person
    #[serde(deserialize_with = "user")]
    #[param(value_type = String)]
    pub(crate) user_id: UserId,
}

/// `/admin/v1/tenants/{tenantId}/users/{userId}`
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct UserPath {
    /// Id of the person
    #[serde(deserialize_with = "user")]
    #[param(value_type = String)]
    pub(crate) user_id: UserId,
}

/// `/admin/v1/tenants/{tenantId}/roles/{roleId}`
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct RolePath {
    /// Id of the role
    #[serde(deserialize_with = "role")]
    #[param(value_type = String)]
    pub(crate) role_id: RoleId,
}

fn key<'de, D: Deserializer<'de>>(text: D) -> Result<GuardedKeyId, D::Error> {
    web::json::text(text, |text| Uuid::parse_str(&text).ok().map(GuardedKeyId))
}

fn account<'de, D: Deserializer<'de>>(text: D) -> Result<AccountId, D::Error> {
    web::json::text(text, |text| Uuid::parse_str(&text).ok().map(AccountId))
}

fn login_name<'de, D: Deserializer<'de>>(text: D) -> Result<LoginName, D::Error> {
    web::json::text(text, |text| LoginName::parse(&text))
}

fn tenant<'de, D: Deserializer<'de>>(text: D) -> Result<TenantId, D::Error> {
    web::json::text(text, |text| TenantId::parse(&text))
}

fn application<'de, D: Deserializer<'de>>(text: D) -> Result<ApplicationId, D::Error> {
    web::json::text(text, |text| ApplicationId::parse(&text))
}

fn client<'de, D: Deserializer<'de>>(text: D) -> Result<ClientId, D::Error> {
    web::json::text(text, |text| ClientId::parse(&text))
}

fn user<'de, D: Deserializer<'de>>(text: D) -> Result<UserId, D::Error> {
    Ok(UserId::new(String::deserialize(text)?))
}

fn role<'de, D: Deserializer<'de>>(text: D) -> Result<RoleId, D::Error> {
    web::json::text(text, |text| RoleId::parse(&text))
}
