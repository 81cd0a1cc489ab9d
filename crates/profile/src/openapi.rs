//! The OpenAPI 3.1 description, generated from the handlers.

use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::{account, address, keys, login, password, registration, second_step, wire};

#[derive(OpenApi)]
#[openapi(
    info(title = "One-time tokens and profiles", version = "1",
        description = "Registration, login with a second step, recovery and changes, proved with one-time tokens."),
    paths(registration::start, registration::token, registration::verify, registration::finish,
        login::login, login::token, login::verify, login::refresh, login::logout,
        password::recover, password::recovery_token, password::verify, password::renew,
        password::change_token, password::change,
        address::recover, address::recovery_token, address::verify_recovery, address::recovered_token,
        address::finish_recovery, address::adding_email_token, address::adding_phone_token,
        address::add_email, address::add_phone, address::change_token, address::changed_token,
        address::change, address::removing_token, address::remove,
        account::details, account::phrase_change_token, account::phrase_add_token, account::set_phrase,
        second_step::list, second_step::enable, second_step::disabling_token, second_step::disable,
        second_step::start_authenticator, second_step::confirm_authenticator,
        keys::jwks, keys::discovery),
    components(schemas(wire::Problem)),
    modifiers(&BearerScheme)
)]
struct Description;

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

/// The description as JSON.
pub fn openapi() -> serde_json::Value {
    serde_json::to_value(Description::openapi()).unwrap_or_default()
}
