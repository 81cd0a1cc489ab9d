//! Tenants themselves, their managers, and the keys that sign clients' tokens.

use admin_wire::{ErrorBody, Name, NewManager};
use axum::extract::State;
use domain::tenant::TenantView;
use http::StatusCode;

use super::done;
use crate::Shared;
use crate::auth::Operator;
use crate::call::{Body, Path};
use crate::error::Reply;
use crate::path::TenantPath;
use crate::wire::{Done, NewSigningKey, TenantShown, Tenants};

/// Makes a tenant with a management client.
#[utoipa::path(post, operation_id = "createTenant", path = "/admin/v1/tenants", tag = "tenants", request_body = Name, responses(
    (status = 201, body = NewManager), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn create(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Body(Name { name }): Body<Name>,
) -> Reply {
    let tenants = &admin.services.tenants;
    let new = tenants.create_tenant(&operator, name).await?;
    let new = NewManager {
        tenant_id: new.tenant.to_string(),
        client_id: new.client.to_string(),
        client_secret: new.secret.expose().to_owned(),
    };
    Ok(web::json::reply(StatusCode::CREATED, &new))
}

/// All tenants, oldest first.
#[utoipa::path(get, operation_id = "listTenants", path = "/admin/v1/tenants", tag = "tenants", responses(
    (status = 200, body = Tenants), (status = 401, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn list(State(admin): State<Shared>, Operator(operator): Operator) -> Reply {
    let tenants = admin.services.tenants.list_tenants(&operator).await?;
    let tenants = tenants.into_iter().map(shown).collect();
    Ok(web::json::reply(StatusCode::OK, &Tenants { tenants }))
}

/// Deletes a tenant with everything in it. Its data key goes, so backups of the rows tell nothing either.
#[utoipa::path(delete, operation_id = "deleteTenant", path = "/admin/v1/tenants/{tenantId}", tag = "tenants",
    params(TenantPath), responses(
    (status = 200, body = Done), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn delete(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Path(TenantPath { tenant_id }): Path<TenantPath>,
) -> Reply {
    let tenants = &admin.services.tenants;
    tenants.delete_tenant(&operator, tenant_id).await?;
    Ok(done())
}

/// Makes one more management client, for a tenant that lost its first.
#[utoipa::path(post, operation_id = "addManager", path = "/admin/v1/tenants/{tenantId}/managers", tag = "tenants", request_body = Name,
    params(TenantPath), responses(
    (status = 201, body = NewManager), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn add_manager(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Path(TenantPath { tenant_id }): Path<TenantPath>,
    Body(Name { name }): Body<Name>,
) -> Reply {
    let tenants = &admin.services.tenants;
    let new = tenants.add_manager(&operator, tenant_id, name).await?;
    let new = NewManager {
        tenant_id: tenant_id.to_string(),
        client_id: new.client.to_string(),
        client_secret: new.secret.expose().to_owned(),
    };
    Ok(web::json::reply(StatusCode::CREATED, &new))
}

/// Signs clients' tokens with a new key from now on; live tokens stay good.
#[utoipa::path(post, operation_id = "rotateSigningKeys", path = "/admin/v1/signing-keys/rotate", tag = "tenants", responses(
    (status = 200, body = NewSigningKey), (status = 401, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn rotate(State(admin): State<Shared>, Operator(operator): Operator) -> Reply {
    let kid = admin.services.tenants.rotate_token_key(&operator).await?;
    Ok(web::json::reply(StatusCode::OK, &NewSigningKey { kid }))
}

fn shown(view: TenantView) -> TenantShown {
    TenantShown {
        tenant_id: view.tenant_id.to_string(),
        name: view.name,
        created_at: view.created_at,
    }
}
