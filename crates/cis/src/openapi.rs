//! The OpenAPI 3.1 description, generated from the handlers.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{
    ClientCredentials, Flow, OAuth2, Scopes, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use crate::wire::{ErrorList, ErrorText};

/// What the description says of the whole. [`crate::surface`] adds the operations.
#[derive(OpenApi)]
#[openapi(
    info(title = "CIS device keys", version = "1",
        description = "Device keys for back ends: clients with permissions, users, and signatures of devices."),
    components(schemas(ErrorText, ErrorList)),
    tags((name = "device keys", description = "Public keys of devices, and checks of their signatures"),
        (name = "tokens", description = "Access tokens of clients"),
        (name = "users", description = "The people that keys belong to"),
        (name = "administration", description = "With a token of a management application")),
    modifiers(&Schemes)
)]
pub(crate) struct About;

/// §2.3: what every call with a token may be refused with.
const REFUSALS: [(&str, &str); 10] = [
    ("400", "Malformed"),
    ("401", "No token, or one that is worth nothing"),
    ("403", "Wrong kind of token, or a permission is missing"),
    ("404", "Unknown here"),
    ("408", "The body came too slowly"),
    ("409", "Taken"),
    ("413", "Body too large"),
    ("415", "Not JSON"),
    ("429", "Too many requests"),
    ("503", "Busy"),
];

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let flow = Flow::ClientCredentials(ClientCredentials::new("/oidc/token", Scopes::new()));
        let scheme = SecurityScheme::OAuth2(OAuth2::new([flow]));
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("ClientAccessToken", scheme);
        let nothing: [&str; 0] = [];
        openapi.security = Some(vec![SecurityRequirement::new("ClientAccessToken", nothing)]);
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}

fn add_refusals(operation: &mut Operation) {
    for (status, description) in REFUSALS {
        let name = if status == "400" {
            "ErrorList"
        } else {
            "ErrorText"
        };
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(name)))
            .build();
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/json", content)
            .build();
        operation
            .responses
            .responses
            .entry(status.to_owned())
            .or_insert_with(|| response.into());
    }
}

/// The description as JSON.
pub fn openapi() -> serde_json::Value {
    let (_, mut description) = crate::surface().into_parts();
    for (path, item) in &mut description.paths.paths {
        if path.starts_with("/cis/v1/") {
            operations(item).for_each(add_refusals);
        }
    }
    serde_json::to_value(description).unwrap_or_default()
}
