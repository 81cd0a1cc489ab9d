//! The admin API: our own wire, so it is regular. The command line and the console are its only clients
//! and have no privileged way in.
//!
//! Nouns, one module each. Every call needs the bearer token that the running server keeps in its data
//! directory. Errors are `{"error": {"code", "message"}}`.

mod account;
mod audit;
mod auth;
mod console;
mod error;
mod guarded_key;
mod import;
mod message;
mod openapi;
mod status;
mod tenancy;
mod vault_account;
mod wallet;

use std::sync::Arc;

use axum::Router;
use domain::Services;
use domain::audit::Checkpoint;
use web::methods::only;

pub use error::{not_found, panicked};
pub use openapi::openapi;

/// Method, pattern, what it is for.
pub const ROUTES: &[(&str, &str, &str)] = &[
    ("GET", "/", "the console"),
    ("GET", "/admin/v1/status", "version, counts, what waits"),
    (
        "GET",
        "/admin/v1/guarded-keys/{keyId}",
        "state of a PIN-guarded key, without secrets",
    ),
    (
        "DELETE",
        "/admin/v1/guarded-keys/{keyId}",
        "delete a key with its users",
    ),
    (
        "GET",
        "/admin/v1/accounts/{accountId}",
        "state of a person's account, without secrets",
    ),
    (
        "DELETE",
        "/admin/v1/accounts/{accountId}",
        "erase an account with its sessions",
    ),
    (
        "POST",
        "/admin/v1/accounts/{accountId}/unlock",
        "forget the wrong codes of a class",
    ),
    (
        "DELETE",
        "/admin/v1/accounts/{accountId}/sessions",
        "end all sessions",
    ),
    (
        "POST",
        "/admin/v1/accounts/signing-keys/rotate",
        "sign people's tokens with new keys",
    ),
    (
        "POST",
        "/admin/v1/import/photon",
        "take over rows of the original key server",
    ),
    (
        "GET",
        "/admin/v1/vault-accounts/{name}",
        "state of an account with a vault, without secrets",
    ),
    (
        "PUT",
        "/admin/v1/vault-accounts/{name}/plan",
        "give an account a plan",
    ),
    (
        "DELETE",
        "/admin/v1/vault-accounts/{name}",
        "delete an account with everything of it",
    ),
    ("GET", "/admin/v1/wallets/users", "wallet users"),
    (
        "GET",
        "/admin/v1/wallets/belongings",
        "a wallet user's devices and keys",
    ),
    (
        "POST",
        "/admin/v1/wallets/devices/deactivate",
        "switch a device off",
    ),
    (
        "POST",
        "/admin/v1/wallets/enrolment/remove",
        "forget a user's face",
    ),
    (
        "POST",
        "/admin/v1/wallets/erase",
        "erase a user with everything",
    ),
    ("GET", "/admin/v1/audit/events", "newest events"),
    ("POST", "/admin/v1/audit/verify", "walk the whole chain"),
    (
        "POST",
        "/admin/v1/messages/preview",
        "a message in words, without sending it",
    ),
    ("POST", "/admin/v1/tenants", "make a tenant"),
    ("GET", "/admin/v1/tenants", "list tenants"),
    (
        "DELETE",
        "/admin/v1/tenants/{tenantId}",
        "delete and shred a tenant",
    ),
    (
        "POST",
        "/admin/v1/tenants/{tenantId}/managers",
        "one more management client",
    ),
    (
        "POST",
        "/admin/v1/signing-keys/rotate",
        "sign tokens with a new key",
    ),
    (
        "POST",
        "/admin/v1/tenants/{tenantId}/applications",
        "make an application",
    ),
    (
        "GET",
        "/admin/v1/tenants/{tenantId}/applications",
        "list applications",
    ),
    (
        "PUT",
        "/admin/v1/tenants/{tenantId}/applications/{applicationId}",
        "change one",
    ),
    (
        "DELETE",
        "/admin/v1/tenants/{tenantId}/applications/{applicationId}",
        "delete one",
    ),
    (
        "POST",
        "/admin/v1/tenants/{tenantId}/applications/{applicationId}/clients",
        "make a client",
    ),
    (
        "GET",
        "/admin/v1/tenants/{tenantId}/applications/{applicationId}/clients",
        "list clients",
    ),
    (
        "PUT",
        "/admin/v1/tenants/{tenantId}/applications/{applicationId}/clients/{clientId}",
        "change one",
    ),
    (
        "DELETE",
        "/admin/v1/tenants/{tenantId}/applications/{applicationId}/clients/{clientId}",
        "delete one",
    ),
    (
        "POST",
        "/admin/v1/tenants/{tenantId}/applications/{applicationId}/clients/{clientId}/secret",
        "a new secret",
    ),
    ("POST", "/admin/v1/tenants/{tenantId}/roles", "make a role"),
    ("GET", "/admin/v1/tenants/{tenantId}/roles", "list roles"),
    (
        "PUT",
        "/admin/v1/tenants/{tenantId}/roles/{roleId}",
        "change one",
    ),
    (
        "DELETE",
        "/admin/v1/tenants/{tenantId}/roles/{roleId}",
        "delete one",
    ),
    (
        "POST",
        "/admin/v1/tenants/{tenantId}/applications/{applicationId}/users",
        "make a person",
    ),
    (
        "GET",
        "/admin/v1/tenants/{tenantId}/applications/{applicationId}/users/{userId}",
        "a person",
    ),
    (
        "PUT",
        "/admin/v1/tenants/{tenantId}/applications/{applicationId}/users/{userId}",
        "let one in",
    ),
    (
        "DELETE",
        "/admin/v1/tenants/{tenantId}/applications/{applicationId}/users/{userId}",
        "take one out",
    ),
    (
        "DELETE",
        "/admin/v1/tenants/{tenantId}/users/{userId}",
        "delete a person",
    ),
];

/// What the admin API works with.
pub struct Admin {
    pub services: Services,
    pub version: &'static str,
    /// Reads the checkpoint that is kept outside the database.
    pub anchor: Box<dyn Fn() -> Option<Checkpoint> + Send + Sync>,
}

/// The routes of [`ROUTES`].
pub fn routes(admin: Arc<Admin>) -> Router {
    let on_405 = error::method_not_allowed;
    Router::new()
        .route("/admin/v1/status", only(on_405).get(status::show).build())
        .route(
            "/admin/v1/guarded-keys/{keyId}",
            only(on_405)
                .get(guarded_key::show)
                .delete(guarded_key::delete)
                .build(),
        )
        .route(
            "/admin/v1/accounts/signing-keys/rotate",
            only(on_405).post(account::rotate).build(),
        )
        .route(
            "/admin/v1/accounts/{accountId}",
            only(on_405)
                .get(account::show)
                .delete(account::erase)
                .build(),
        )
        .route(
            "/admin/v1/accounts/{accountId}/unlock",
            only(on_405).post(account::unlock).build(),
        )
        .route(
            "/admin/v1/accounts/{accountId}/sessions",
            only(on_405).delete(account::end_sessions).build(),
        )
        .route(
            "/admin/v1/import/photon",
            only(on_405).post(import::take_over).build(),
        )
        .route(
            "/admin/v1/wallets/users",
            only(on_405).get(wallet::users).build(),
        )
        .route(
            "/admin/v1/wallets/belongings",
            only(on_405).get(wallet::belongings).build(),
        )
        .route(
            "/admin/v1/wallets/devices/deactivate",
            only(on_405).post(wallet::deactivate).build(),
        )
        .route(
            "/admin/v1/wallets/enrolment/remove",
            only(on_405).post(wallet::remove_enrolment).build(),
        )
        .route(
            "/admin/v1/wallets/erase",
            only(on_405).post(wallet::erase).build(),
        )
        .route(
            "/admin/v1/vault-accounts/{name}",
            only(on_405)
                .get(vault_account::show)
                .delete(vault_account::delete)
                .build(),
        )
        .route(
            "/admin/v1/vault-accounts/{name}/plan",
            only(on_405).put(vault_account::set_plan).build(),
        )
        .route(
            "/admin/v1/audit/events",
            only(on_405).get(audit::events).build(),
        )
        .route(
            "/admin/v1/audit/verify",
            only(on_405).post(audit::verify).build(),
        )
        .route(
            "/admin/v1/messages/preview",
            only(on_405).post(message::preview).build(),
        )
        .route("/", only(on_405).get(console::show).build())
        .merge(tenancy())
        .with_state(admin)
}

fn tenancy() -> Router<Arc<Admin>> {
    use crate::tenancy::{application, client, role, tenant, user};
    let on_405 = error::method_not_allowed;
    let within = |rest: &str| format!("/admin/v1/tenants/{{tenantId}}{rest}");
    let inside = |rest: &str| within(&format!("/applications/{{applicationId}}{rest}"));
    Router::new()
        .route(
            "/admin/v1/tenants",
            only(on_405).post(tenant::create).get(tenant::list).build(),
        )
        .route(&within(""), only(on_405).delete(tenant::delete).build())
        .route(
            &within("/managers"),
            only(on_405).post(tenant::add_manager).build(),
        )
        .route(
            "/admin/v1/signing-keys/rotate",
            only(on_405).post(tenant::rotate).build(),
        )
        .route(
            &within("/applications"),
            only(on_405)
                .post(application::create)
                .get(application::list)
                .build(),
        )
        .route(
            &inside(""),
            only(on_405)
                .put(application::change)
                .delete(application::delete)
                .build(),
        )
        .route(
            &inside("/clients"),
            only(on_405).post(client::create).get(client::list).build(),
        )
        .route(
            &inside("/clients/{clientId}"),
            only(on_405)
                .put(client::change)
                .delete(client::delete)
                .build(),
        )
        .route(
            &inside("/clients/{clientId}/secret"),
            only(on_405).post(client::rotate).build(),
        )
        .route(
            &within("/roles"),
            only(on_405).post(role::create).get(role::list).build(),
        )
        .route(
            &within("/roles/{roleId}"),
            only(on_405).put(role::change).delete(role::delete).build(),
        )
        .route(&inside("/users"), only(on_405).post(user::create).build())
        .route(
            &inside("/users/{userId}"),
            only(on_405)
                .get(user::show)
                .put(user::admit)
                .delete(user::expel)
                .build(),
        )
        .route(
            &within("/users/{userId}"),
            only(on_405).delete(user::delete).build(),
        )
}
