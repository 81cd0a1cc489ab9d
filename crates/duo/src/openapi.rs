//! The OpenAPI 3.1 description, generated from the handlers. The hooks are only listed in it: nobody who reads it
//! can reach them.

use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::Offers;

/// What the description says of the whole. [`crate::surface`] adds the operations.
#[derive(OpenApi)]
#[openapi(
    info(title = "Duo auth service", version = "2",
        description = "Device trust, face step-up, keyshare backup and recovery for two-party wallets."),
    tags((name = "devices", description = "Users and their devices"), (name = "face", description = "The owner in person"),
        (name = "passkeys", description = "The owner by passkey: an extension, only where the operator offers it"),
        (name = "keys", description = "Signing keys and their use"), (name = "keyshares", description = "Backup and recovery")),
    modifiers(&TokenScheme)
)]
pub(crate) struct About;

struct TokenScheme;

impl Modify for TokenScheme {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let token = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("An access token of a configured identity provider."))
            .build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(token));
    }
}

/// The description as JSON, with everything that an operator can offer.
pub fn openapi() -> serde_json::Value {
    let offers = Offers {
        session_tokens: true,
        passkeys: true,
    };
    let surface = crate::surface(offers).beside(crate::hook_surface(crate::HOOKS));
    let (_, description) = surface.into_parts();
    serde_json::to_value(description).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// Generators of clients name their functions by them.
    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let description = super::openapi();
        let paths = description["paths"].as_object().expect("paths");
        let operations = paths
            .values()
            .flat_map(|path| path.as_object().into_iter().flatten());
        let names: Vec<&str> = operations
            .filter_map(|(_, operation)| operation["operationId"].as_str())
            .collect();
        assert_eq!(names.len(), 16);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}
