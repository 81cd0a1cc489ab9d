//! Tenants themselves, their managers, and the keys that sign clients' tokens.

use std::sync::Arc;

use admin_wire::{ErrorBody, Name, NewManager};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use domain::tenant::TenantId;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use web::path::RawPath;

use super::{parse, unknown};
use crate::Admin;
use crate::auth::Operator;
use crate::error;

#[derive(Serialize, ToSchema)]
pub(crate) struct Tenants {
    #[schema(value_type = Vec<TenantShown>)]
    tenants: Vec<domain::tenant::TenantView>,
}

#[derive(Serialize, ToSchema)]
struct TenantShown {
    tenant_id: String,
    name: String,
    created_at: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Done {
    done: bool,
}

impl Done {
    pub(crate) const ANSWER: Self = Self { done: true };
}

/// The id of the new signing key.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewSigningKey {
    kid: String,
}

/// Makes a tenant with a management client.
#[utoipa::path(post, operation_id = "createTenant", path = "/admin/v1/tenants", tag = "tenants", request_body = Name, responses(
    (status = 201, body = NewManager), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn create(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Name { name } = match parse(&headers, body).await {
        Ok(named) => named,
        Err(response) => return response,
    };
    match admin.services.tenants.create_tenant(&operator, name).await {
        Ok(new) => web::json::reply(
            StatusCode::CREATED,
            &NewManager {
                tenant_id: new.tenant.to_string(),
                client_id: new.client.to_string(),
                client_secret: new.secret.expose().to_owned(),
            },
        ),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// All tenants, oldest first.
#[utoipa::path(get, operation_id = "listTenants", path = "/admin/v1/tenants", tag = "tenants", responses(
    (status = 200, body = Tenants), (status = 401, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn list(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
) -> Response {
    match admin.services.tenants.list_tenants(&operator).await {
        Ok(tenants) => web::json::reply(StatusCode::OK, &Tenants { tenants }),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Deletes a tenant with everything in it. Its data key goes, so backups of the rows tell nothing either.
#[utoipa::path(delete, operation_id = "deleteTenant", path = "/admin/v1/tenants/{tenantId}", tag = "tenants",
    params(("tenantId" = String, Path)), responses(
    (status = 200, body = Done), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn delete(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    path: RawPath,
) -> Response {
    let Some(tenant) = tenant(&path) else {
        return unknown(&admin);
    };
    match admin
        .services
        .tenants
        .delete_tenant(&operator, tenant)
        .await
    {
        Ok(()) => web::json::reply(StatusCode::OK, &Done::ANSWER),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Makes one more management client, for a tenant that lost its first.
#[utoipa::path(post, operation_id = "addManager", path = "/admin/v1/tenants/{tenantId}/managers", tag = "tenants", request_body = Name,
    params(("tenantId" = String, Path)), responses(
    (status = 201, body = NewManager), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn add_manager(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    path: RawPath,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(tenant) = tenant(&path) else {
        return unknown(&admin);
    };
    let Name { name } = match parse(&headers, body).await {
        Ok(named) => named,
        Err(response) => return response,
    };
    match admin
        .services
        .tenants
        .add_manager(&operator, tenant, name)
        .await
    {
        Ok(new) => web::json::reply(
            StatusCode::CREATED,
            &NewManager {
                tenant_id: tenant.to_string(),
                client_id: new.client.to_string(),
                client_secret: new.secret.expose().to_owned(),
            },
        ),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Signs clients' tokens with a new key from now on; live tokens stay good.
#[utoipa::path(post, operation_id = "rotateSigningKeys", path = "/admin/v1/signing-keys/rotate", tag = "tenants", responses(
    (status = 200, body = NewSigningKey), (status = 401, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn rotate(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
) -> Response {
    match admin.services.tenants.rotate_token_key(&operator).await {
        Ok(kid) => web::json::reply(StatusCode::OK, &NewSigningKey { kid }),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

fn tenant(path: &RawPath) -> Option<TenantId> {
    TenantId::parse(path.0.as_ref().ok()?.get(3)?)
}
