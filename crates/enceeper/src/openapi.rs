//! The OpenAPI 3.1 description, generated from the handlers.

use utoipa::openapi::schema::{Object, ObjectBuilder};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{Modify, OpenApi, PartialSchema, ToSchema};

use crate::request::EditUser;

/// What the description says of the whole. [`crate::surface`] adds the operations.
#[derive(OpenApi)]
#[openapi(
    info(title = "Enceeper", version = "1.1.0",
        description = "Accounts with SRP-6a logins, encrypted keys, slots for outside readers, sharing."),
    tags((name = "user", description = "Accounts and logins"), (name = "keys", description = "The caller's vault"),
        (name = "slots", description = "Copies of a key's own key, each for one reader"),
        (name = "share", description = "Sharing with other users"),
        (name = "readers", description = "Readers without an account")),
    security(("token" = [])),
    modifiers(&TokenScheme)
)]
pub(crate) struct About;

struct TokenScheme;

impl Modify for TokenScheme {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let value = ApiKeyValue::with_description("X-Enceeper-Auth", "The token of a login.");
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(value));
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("token", scheme);
    }
}

/// The description as JSON.
pub fn openapi() -> serde_json::Value {
    let (_, description) = crate::surface().into_parts();
    serde_json::to_value(description).unwrap_or_default()
}

/// The client's object, which the vaults check and store as the client wrote it.
pub(crate) fn auth() -> Object {
    let public = ObjectBuilder::from(text()).min_length(Some(1));
    let keys = ObjectBuilder::new().property("pub", public).required("pub");
    ObjectBuilder::new()
        .description(Some(
            "At most 12,288 bytes as compact JSON. Other members are the client's own and come back at login.",
        ))
        .property("srp6a", credential())
        .required("srp6a")
        .property("keys", keys)
        .required("keys")
        .build()
}

fn credential() -> Object {
    let hex = |pattern| ObjectBuilder::from(text()).pattern(Some(pattern));
    ObjectBuilder::new()
        .property("salt", hex("^([0-9a-fA-F]{2}){16,128}$"))
        .required("salt")
        .property("verifier", hex("^[0-9a-fA-F]{1,2048}$"))
        .required("verifier")
        .build()
}

fn text() -> Object {
    Object::with_type(utoipa::openapi::Type::String)
}

/// Which members the body has decides what it means, so a derived schema could not describe it.
impl PartialSchema for EditUser {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .description(Some(
                "5.5: a whole new `auth`, or, without one, members that are merged into the stored one.",
            ))
            .property("auth", auth())
            .property("srp6a", credential())
            .into()
    }
}

impl ToSchema for EditUser {}
