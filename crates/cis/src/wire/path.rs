//! The parameters of paths. An id of another form is not malformed: it names nothing, and is told so in its turn, after
//! the body was judged (§2.4).

use domain::tenant::device_key::KeyName;
use domain::tenant::{ApplicationId, ClientId, RoleId, UserId};
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

/// `/cis/v1/users/{user_id}…`
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct UserPath {
    /// Id of the user
    #[serde(deserialize_with = "user")]
    #[param(value_type = String)]
    pub(crate) user_id: UserId,
}

/// `/cis/v1/users/{user_id}/device-keys/{key_id}…`
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct KeyPath {
    /// Id of the user
    #[serde(deserialize_with = "user")]
    #[param(value_type = String)]
    pub(crate) user_id: UserId,
    /// Id of the key, which the application chose
    #[serde(deserialize_with = "key")]
    #[param(value_type = String)]
    pub(crate) key_id: KeyName,
}

/// `/cis/v1/users/email/{email}`
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct EmailPath {
    /// Email of the user, without regard to case
    pub(crate) email: String,
}

/// `/cis/v1/manage/users/{user_id}/apps/{app_id}`
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct MembershipPath {
    /// Id of the user
    #[serde(deserialize_with = "user")]
    #[param(value_type = String)]
    pub(crate) user_id: UserId,
    /// Id of the application
    #[serde(deserialize_with = "application")]
    #[param(value_type = String)]
    pub(crate) app_id: Option<ApplicationId>,
}

/// `/cis/v1/applications/{app_id}…`
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct ApplicationPath {
    /// Id of the application
    #[serde(deserialize_with = "application")]
    #[param(value_type = String)]
    pub(crate) app_id: Option<ApplicationId>,
}

/// `/cis/v1/applications/{app_id}/clients/{client_id}`
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct ClientPath {
    /// Id of the application
    #[serde(deserialize_with = "application")]
    #[param(value_type = String)]
    pub(crate) app_id: Option<ApplicationId>,
    /// Id of the client
    #[serde(deserialize_with = "client")]
    #[param(value_type = String)]
    pub(crate) client_id: Option<ClientId>,
}

/// `/cis/v1/client-roles/{role_id}`
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct RolePath {
    /// Id of the role
    #[serde(deserialize_with = "role")]
    #[param(value_type = String)]
    pub(crate) role_id: Option<RoleId>,
}

fn user<'de, D: Deserializer<'de>>(text: D) -> Result<UserId, D::Error> {
    Ok(UserId::new(String::deserialize(text)?))
}

fn key<'de, D: Deserializer<'de>>(text: D) -> Result<KeyName, D::Error> {
    let name = KeyName::parse(String::deserialize(text)?);
    Ok(name.unwrap_or_else(KeyName::nobodys))
}

fn application<'de, D: Deserializer<'de>>(text: D) -> Result<Option<ApplicationId>, D::Error> {
    Ok(ApplicationId::parse(&String::deserialize(text)?))
}

fn client<'de, D: Deserializer<'de>>(text: D) -> Result<Option<ClientId>, D::Error> {
    Ok(ClientId::parse(&String::deserialize(text)?))
}

fn role<'de, D: Deserializer<'de>>(text: D) -> Result<Option<RoleId>, D::Error> {
    Ok(RoleId::parse(&String::deserialize(text)?))
}
