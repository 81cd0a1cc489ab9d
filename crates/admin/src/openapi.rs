//! The OpenAPI 3.1 description of the admin API, generated from the handlers.

use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// What the description says of the whole. [`crate::surface`] adds the operations.
#[derive(OpenApi)]
#[openapi(
    info(title = "Keyward admin", version = "1", description = "For the people who run the server."),
    modifiers(&TokenScheme)
)]
pub(crate) struct About;

struct TokenScheme;

impl Modify for TokenScheme {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "The token that the running server keeps in its data directory.",
            ))
            .build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(bearer));
        openapi.security = Some(vec![SecurityRequirement::new(
            "token",
            Vec::<String>::new(),
        )]);
    }
}

/// The description as JSON.
pub fn openapi() -> serde_json::Value {
    let (_, description) = crate::surface().into_parts();
    serde_json::to_value(description).unwrap_or_default()
}
