//! The OpenAPI 3.1 description, generated from the handlers.

use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::{Compat, wire};

/// What the description says of the whole. [`crate::surface`] adds the operations.
#[derive(OpenApi)]
#[openapi(
    info(title = "One-time tokens and profiles", version = "1",
        description = "Registration, login with a second step, recovery and changes, proved with one-time tokens."),
    components(schemas(wire::Problem)),
    modifiers(&BearerScheme)
)]
pub(crate) struct About;

struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The access token of a login."))
            .build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("session", SecurityScheme::Http(bearer));
        openapi.security = Some(vec![SecurityRequirement::new::<&str, [&str; 0], &str>(
            "session",
            [],
        )]);
    }
}

/// The description as JSON. Paths of older versions are only listed in it.
pub fn openapi() -> serde_json::Value {
    let (_, description) = crate::surface(Compat::default()).into_parts();
    serde_json::to_value(description).unwrap_or_default()
}
