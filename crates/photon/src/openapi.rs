//! The OpenAPI 3.1 description, generated from the handlers.

use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(title = "Photon key server", version = "2",
        description = "Keys behind a PIN, recovered through verified addresses after a delay."),
    paths(crate::key::create, crate::key::fetch, crate::key::change_pin,
        crate::user::create, crate::user::verify, crate::user::reset, crate::user::remove),
    tags((name = "keys", description = "Keys behind a PIN"), (name = "users", description = "Recovery addresses")),
    modifiers(&PinScheme, &UniqueNames)
)]
struct Description;

struct PinScheme;

/// One handler serves two methods (§13.7); their operations still need names of their own.
struct UniqueNames;

impl Modify for UniqueNames {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let path = openapi.paths.paths.get_mut("/v2/key/{keyId}/user/{userId}");
        if let Some(post) = path.and_then(|path| path.post.as_mut()) {
            post.operation_id = Some("verifyUserByPost".to_owned());
        }
    }
}

impl Modify for PinScheme {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
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
    serde_json::to_value(Description::openapi()).unwrap_or_default()
}
