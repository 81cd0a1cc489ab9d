//! Device keys for back ends, wire-compatible with the Transmit Security CIS API: access tokens for
//! clients, users and their device keys, and the tenant's administration.
//!
//! One request, one use case: a handler receives the proof of what its caller may do and typed values, calls the use
//! case, and renders what it gave.

mod application;
mod call;
mod client;
mod device_key;
mod error;
mod fields;
mod openapi;
mod published;
mod role;
mod token;
mod user;
mod value;
mod wire;

use std::sync::Arc;

use axum::Router;
use web::methods::only;

pub use error::{late, not_found, panicked};
pub use openapi::openapi;

/// Method, pattern, section of the sheet.
pub const ROUTES: &[(&str, &str, &str)] = &[
    ("POST", "/oidc/token", "§3"),
    ("POST", "/cis/oidc/token", "§3"),
    ("GET", "/cis/oidc/jwks", "§2.1, §3.3"),
    ("GET", "/cis/oidc/.well-known/openid-configuration", "§2.1"),
    ("GET", "/cis/v1/users/me/device-keys", "§6.9"),
    ("POST", "/cis/v1/users/{user_id}/device-keys", "§6.1"),
    ("GET", "/cis/v1/users/{user_id}/device-keys", "§6.2"),
    (
        "GET",
        "/cis/v1/users/{user_id}/device-keys/{key_id}",
        "§6.3",
    ),
    (
        "PUT",
        "/cis/v1/users/{user_id}/device-keys/{key_id}",
        "§6.4",
    ),
    (
        "DELETE",
        "/cis/v1/users/{user_id}/device-keys/{key_id}",
        "§6.5",
    ),
    (
        "POST",
        "/cis/v1/users/{user_id}/device-keys/{key_id}/validate",
        "§6.6",
    ),
    (
        "PUT",
        "/cis/v1/users/{user_id}/device-keys/{key_id}/block",
        "§6.7",
    ),
    (
        "PUT",
        "/cis/v1/users/{user_id}/device-keys/{key_id}/unblock",
        "§6.7",
    ),
    (
        "POST",
        "/cis/v1/users/{user_id}/device-keys/{key_id}/challenge",
        "§9",
    ),
    ("POST", "/cis/v1/users", "§7.1"),
    ("GET", "/cis/v1/users/{user_id}", "§7.2"),
    ("GET", "/cis/v1/users/email/{email}", "§7.2"),
    ("DELETE", "/cis/v1/users/{user_id}/apps", "§7.2"),
    ("DELETE", "/cis/v1/manage/users/{user_id}", "§7.2"),
    (
        "PUT",
        "/cis/v1/manage/users/{user_id}/apps/{app_id}",
        "§7.2",
    ),
    ("POST", "/cis/v1/applications", "§8"),
    ("GET", "/cis/v1/applications", "§8"),
    ("GET", "/cis/v1/applications/{app_id}", "§8"),
    ("PUT", "/cis/v1/applications/{app_id}", "§8"),
    ("DELETE", "/cis/v1/applications/{app_id}", "§8"),
    ("POST", "/cis/v1/applications/{app_id}/clients", "§8"),
    (
        "GET",
        "/cis/v1/applications/{app_id}/clients/{client_id}",
        "§8",
    ),
    (
        "PUT",
        "/cis/v1/applications/{app_id}/clients/{client_id}",
        "§8",
    ),
    (
        "DELETE",
        "/cis/v1/applications/{app_id}/clients/{client_id}",
        "§8",
    ),
    ("POST", "/cis/v1/client-roles", "§8"),
    ("GET", "/cis/v1/client-roles", "§8"),
    ("PUT", "/cis/v1/client-roles/{role_id}", "§8"),
    ("DELETE", "/cis/v1/client-roles/{role_id}", "§8"),
];

/// The name of this surface in the audit trail.
pub(crate) const SURFACE: &str = "cis";

/// The state of every handler.
pub(crate) type Tenants = Arc<domain::Tenants>;

/// The routes of [`ROUTES`], answering exactly the methods named there.
pub fn routes(tenants: Arc<domain::Tenants>) -> Router {
    let on_405 = error::method_not_allowed;
    let keys = "/cis/v1/users/{user_id}/device-keys";
    let key = |rest: &str| format!("{keys}/{{key_id}}{rest}");
    let clients = "/cis/v1/applications/{app_id}/clients";
    Router::new()
        .route("/oidc/token", only(on_405).post(token::issue).build())
        .route("/cis/oidc/token", only(on_405).post(token::issue).build())
        .route("/cis/oidc/jwks", only(on_405).get(published::jwks).build())
        .route(
            "/cis/oidc/.well-known/openid-configuration",
            only(on_405).get(published::discovery).build(),
        )
        .route(
            "/cis/v1/users/me/device-keys",
            only(on_405).get(device_key::mine).build(),
        )
        .route(
            keys,
            only(on_405)
                .post(device_key::register)
                .get(device_key::list)
                .build(),
        )
        .route(
            &key(""),
            only(on_405)
                .get(device_key::read)
                .put(device_key::change)
                .delete(device_key::delete)
                .build(),
        )
        .route(
            &key("/validate"),
            only(on_405).post(device_key::validate).build(),
        )
        .route(&key("/block"), only(on_405).put(device_key::block).build())
        .route(
            &key("/unblock"),
            only(on_405).put(device_key::unblock).build(),
        )
        .route(
            &key("/challenge"),
            only(on_405).post(device_key::challenge).build(),
        )
        .route("/cis/v1/users", only(on_405).post(user::create).build())
        .route(
            "/cis/v1/users/{user_id}",
            only(on_405).get(user::read).build(),
        )
        .route(
            "/cis/v1/users/email/{email}",
            only(on_405).get(user::read_by_email).build(),
        )
        .route(
            "/cis/v1/users/{user_id}/apps",
            only(on_405).delete(user::expel).build(),
        )
        .route(
            "/cis/v1/manage/users/{user_id}",
            only(on_405).delete(user::delete).build(),
        )
        .route(
            "/cis/v1/manage/users/{user_id}/apps/{app_id}",
            only(on_405).put(user::admit).build(),
        )
        .route(
            "/cis/v1/applications",
            only(on_405)
                .post(application::create)
                .get(application::list)
                .build(),
        )
        .route(
            "/cis/v1/applications/{app_id}",
            only(on_405)
                .get(application::read)
                .put(application::change)
                .delete(application::delete)
                .build(),
        )
        .route(clients, only(on_405).post(client::create).build())
        .route(
            &format!("{clients}/{{client_id}}"),
            only(on_405)
                .get(client::read)
                .put(client::change)
                .delete(client::delete)
                .build(),
        )
        .route(
            "/cis/v1/client-roles",
            only(on_405).post(role::create).get(role::list).build(),
        )
        .route(
            "/cis/v1/client-roles/{role_id}",
            only(on_405).put(role::change).delete(role::delete).build(),
        )
        .with_state(tenants)
}

/// Whether an unknown path is answered in this surface's shape.
pub fn owns(path: &str) -> bool {
    path.starts_with("/cis/") || path == "/cis" || path.starts_with("/oidc/") || path == "/oidc"
}
