//! The OpenAPI 3.1 description of the admin API, generated from the handlers.

use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(title = "Keyward admin", version = "1", description = "For the people who run the server."),
    paths(crate::status::show, crate::guarded_key::show, crate::guarded_key::delete, crate::import::take_over,
        crate::account::show, crate::account::unlock, crate::account::end_sessions, crate::account::erase,
        crate::account::rotate,
        crate::audit::events, crate::audit::verify, crate::message::preview,
        crate::tenancy::tenant::create, crate::tenancy::tenant::list, crate::tenancy::tenant::delete,
        crate::tenancy::tenant::add_manager, crate::tenancy::tenant::rotate,
        crate::tenancy::application::create, crate::tenancy::application::list,
        crate::tenancy::application::change, crate::tenancy::application::delete,
        crate::tenancy::client::create, crate::tenancy::client::list, crate::tenancy::client::change,
        crate::tenancy::client::delete, crate::tenancy::client::rotate,
        crate::tenancy::role::create, crate::tenancy::role::list, crate::tenancy::role::change,
        crate::tenancy::role::delete,
        crate::tenancy::user::create, crate::tenancy::user::show, crate::tenancy::user::admit,
        crate::tenancy::user::expel, crate::tenancy::user::delete,
        crate::vault_account::show, crate::vault_account::set_plan, crate::vault_account::delete,
        crate::wallet::users, crate::wallet::belongings, crate::wallet::deactivate,
        crate::wallet::remove_enrolment, crate::wallet::erase),
    modifiers(&TokenScheme)
)]
struct Description;

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
    serde_json::to_value(Description::openapi()).unwrap_or_default()
}
