//! The OpenAPI 3.1 description, generated from the handlers.

use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi, openapi};

/// What the description says of the whole. [`crate::surface`] adds the operations.
#[derive(OpenApi)]
#[openapi(
    info(title = "Photon key server", version = "2",
        description = "Keys behind a PIN, recovered through verified addresses after a delay."),
    tags((name = "keys", description = "Keys behind a PIN"), (name = "users", description = "Recovery addresses")),
    modifiers(&PinScheme)
)]
pub(crate) struct About;

struct PinScheme;

impl Modify for PinScheme {
    fn modify(&self, openapi: &mut openapi::OpenApi) {
        let basic = Http::builder()
            .scheme(HttpAuthScheme::Basic)
            .description(Some("The PIN is the password; the user name is ignored."))
            .build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("pin", SecurityScheme::Http(basic));
    }
}

/// The description as JSON.
pub fn openapi() -> serde_json::Value {
    let (_, mut description) = crate::surface().into_parts();
    name_the_second_method(&mut description);
    serde_json::to_value(description).unwrap_or_default()
}

/// One handler serves two methods (§13.7), and each of its operations needs an id of its own.
fn name_the_second_method(description: &mut openapi::OpenApi) {
    let path = description
        .paths
        .paths
        .get_mut("/v2/key/{keyId}/user/{userId}");
    if let Some(post) = path.and_then(|path| path.post.as_mut()) {
        post.operation_id = Some("verifyUserByPost".to_owned());
    }
}
