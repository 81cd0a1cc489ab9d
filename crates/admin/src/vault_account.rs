//! Accounts with vaults, from outside: nothing of what is in them. Named by e-mail address.

use std::sync::Arc;

use admin_wire::{ErrorBody, PlanChoice};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use domain::Error;
use domain::vault::LoginName;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use web::json::Duplicates;
use web::path::RawPath;

use crate::Admin;
use crate::auth::Operator;
use crate::error;

/// An account's outside.
#[derive(Serialize, ToSchema)]
pub(crate) struct VaultAccount {
    /// The keyed hash by which the audit trail names the account.
    alias: String,
    name: String,
    created: String,
    /// The plan that counts.
    plan: String,
    plan_is_default: bool,
    password_generation: u64,
    entries: u64,
    sessions: u64,
    public_key_fingerprint: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AccountDeleted {
    deleted: bool,
}

/// State of an account with a vault.
#[utoipa::path(get, operation_id = "showVaultAccount", path = "/admin/v1/vault-accounts/{name}", tag = "vault accounts",
    params(("name" = String, Path, description = "E-mail address of the account")), responses(
    (status = 200, body = VaultAccount), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn show(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    path: RawPath,
) -> Response {
    let Some(name) = name(&path) else {
        return error::invalid("name: not an e-mail address");
    };
    answer(
        &admin,
        admin
            .services
            .vaults
            .vault_account_state(&operator, name)
            .await,
    )
}

/// Gives an account a plan. It counts at once.
#[utoipa::path(put, operation_id = "setVaultPlan", path = "/admin/v1/vault-accounts/{name}/plan", tag = "vault accounts",
    params(("name" = String, Path, description = "E-mail address of the account")),
    request_body = PlanChoice, responses(
    (status = 200, body = VaultAccount), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn set_plan(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    path: RawPath,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(bytes) = web::body::read(body, &headers, 4096, 15).await else {
        return error::too_large();
    };
    let Some(name) = name(&path) else {
        return error::invalid("name: not an e-mail address");
    };
    let parsed = web::json::object(&bytes, Duplicates::RefuseAll)
        .ok()
        .and_then(|fields| serde_json::from_value::<PlanChoice>(fields.into()).ok());
    let Some(PlanChoice { plan }) = parsed else {
        return error::invalid("plan: a name, or null");
    };
    answer(
        &admin,
        admin
            .services
            .vaults
            .set_vault_plan(&operator, name, plan)
            .await,
    )
}

/// Deletes an account with everything of it, and shreds its data key.
#[utoipa::path(delete, operation_id = "deleteVaultAccount", path = "/admin/v1/vault-accounts/{name}", tag = "vault accounts",
    params(("name" = String, Path, description = "E-mail address of the account")), responses(
    (status = 200, body = AccountDeleted), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn delete(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    path: RawPath,
) -> Response {
    let Some(name) = name(&path) else {
        return error::invalid("name: not an e-mail address");
    };
    let deleted = admin
        .services
        .vaults
        .delete_vault_account(&operator, name)
        .await;
    answer(&admin, deleted.map(|()| AccountDeleted { deleted: true }))
}

fn answer<T: Serialize>(admin: &Admin, outcome: Result<T, Error>) -> Response {
    match outcome {
        Ok(state) => web::json::reply(StatusCode::OK, &state),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

fn name(path: &RawPath) -> Option<LoginName> {
    LoginName::parse(path.0.as_ref().ok()?.get(3)?)
}
