//! Accounts with vaults, from outside: nothing of what is in them. Named by e-mail address.

use admin_wire::{ErrorBody, PlanChoice};
use axum::extract::State;
use domain::vault::VaultAccountState;
use http::StatusCode;

use crate::Shared;
use crate::auth::Operator;
use crate::call::{Body, Form, Path};
use crate::error::Reply;
use crate::path::VaultPath;
use crate::wire::{AccountDeleted, VaultAccount};

impl Form for PlanChoice {
    const BYTES: usize = 4096;

    fn problem(_: &str) -> String {
        "plan: a name, or null".to_owned()
    }
}

/// State of an account with a vault.
#[utoipa::path(get, operation_id = "showVaultAccount", path = "/admin/v1/vault-accounts/{name}", tag = "vault accounts",
    params(VaultPath), responses(
    (status = 200, body = VaultAccount), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn show(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Path(VaultPath { name }): Path<VaultPath>,
) -> Reply {
    let vaults = &admin.services.vaults;
    let state = vaults.vault_account_state(&operator, name).await?;
    Ok(web::json::reply(StatusCode::OK, &shown(state)))
}

/// Gives an account a plan. It counts at once.
#[utoipa::path(put, operation_id = "setVaultPlan", path = "/admin/v1/vault-accounts/{name}/plan", tag = "vault accounts",
    params(VaultPath),
    request_body = PlanChoice, responses(
    (status = 200, body = VaultAccount), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn set_plan(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Path(VaultPath { name }): Path<VaultPath>,
    Body(PlanChoice { plan }): Body<PlanChoice>,
) -> Reply {
    let vaults = &admin.services.vaults;
    let state = vaults.set_vault_plan(&operator, name, plan).await?;
    Ok(web::json::reply(StatusCode::OK, &shown(state)))
}

/// Deletes an account with everything of it, and shreds its data key.
#[utoipa::path(delete, operation_id = "deleteVaultAccount", path = "/admin/v1/vault-accounts/{name}", tag = "vault accounts",
    params(VaultPath), responses(
    (status = 200, body = AccountDeleted), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn delete(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Path(VaultPath { name }): Path<VaultPath>,
) -> Reply {
    let vaults = &admin.services.vaults;
    vaults.delete_vault_account(&operator, name).await?;
    let deleted = AccountDeleted { deleted: true };
    Ok(web::json::reply(StatusCode::OK, &deleted))
}

fn shown(state: VaultAccountState) -> VaultAccount {
    VaultAccount {
        alias: state.alias,
        name: state.name,
        created: state.created,
        plan: state.plan,
        plan_is_default: state.plan_is_default,
        password_generation: state.password_generation,
        entries: state.entries,
        sessions: state.sessions,
        public_key_fingerprint: state.public_key_fingerprint,
    }
}
