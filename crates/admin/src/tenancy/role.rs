//! Roles that a tenant gives to its clients.

use admin_wire::{ErrorBody, RoleRequest};
use axum::extract::State;
use domain::tenant::permission::{Manage, Permission};
use domain::tenant::{RoleForm, RoleView};
use http::StatusCode;

use super::{SURFACE, Whole, Within, done};
use crate::Shared;
use crate::call::Body;
use crate::error::{Failure, Reply};
use crate::path::{RolePath, TenantPath};
use crate::wire::{Done, Role, Roles};

/// Makes a role.
#[utoipa::path(post, operation_id = "createRole", path = "/admin/v1/tenants/{tenantId}/roles", tag = "roles", request_body = RoleRequest,
    params(TenantPath), responses(
    (status = 201, body = Role), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn create(
    State(admin): State<Shared>,
    Within { grant, .. }: Within<Manage, Whole>,
    Body(form): Body<RoleRequest>,
) -> Reply {
    let form = form_of(form)?;
    let view = admin.services.tenants.create_role(SURFACE, grant, form);
    Ok(web::json::reply(StatusCode::CREATED, &shown(view.await?)))
}

/// The tenant's roles, oldest first.
#[utoipa::path(get, operation_id = "listRoles", path = "/admin/v1/tenants/{tenantId}/roles", tag = "roles",
    params(TenantPath), responses(
    (status = 200, body = Roles), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn list(
    State(admin): State<Shared>,
    Within { grant, .. }: Within<Manage, Whole>,
) -> Reply {
    let views = admin.services.tenants.list_roles(grant).await?;
    let roles = views.into_iter().map(shown).collect();
    Ok(web::json::reply(StatusCode::OK, &Roles { roles }))
}

/// Changes a role, and with it the rights of its clients, at once.
#[utoipa::path(put, operation_id = "changeRole", path = "/admin/v1/tenants/{tenantId}/roles/{roleId}", tag = "roles", request_body = RoleRequest,
    params(TenantPath, RolePath), responses(
    (status = 200, body = Role), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn change(
    State(admin): State<Shared>,
    Within { grant, path }: Within<Manage, RolePath>,
    Body(form): Body<RoleRequest>,
) -> Reply {
    let form = form_of(form)?;
    let tenants = &admin.services.tenants;
    let view = tenants
        .change_role(SURFACE, grant, path.role_id, form)
        .await?;
    Ok(web::json::reply(StatusCode::OK, &shown(view)))
}

/// Deletes a role that no client has.
#[utoipa::path(delete, operation_id = "deleteRole", path = "/admin/v1/tenants/{tenantId}/roles/{roleId}", tag = "roles",
    params(TenantPath, RolePath), responses(
    (status = 200, body = Done), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn delete(
    State(admin): State<Shared>,
    Within { grant, path }: Within<Manage, RolePath>,
) -> Reply {
    let tenants = &admin.services.tenants;
    tenants.delete_role(SURFACE, grant, path.role_id).await?;
    Ok(done())
}

fn form_of(form: RoleRequest) -> Result<RoleForm, Failure> {
    let permissions = match form.permissions {
        None => None,
        Some(texts) => {
            let parsed: Option<Vec<Permission>> =
                texts.iter().map(|text| Permission::parse(text)).collect();
            let rule = "permissions: each is subject:verb with a known verb";
            Some(parsed.ok_or(Failure::invalid(rule))?)
        }
    };
    Ok(RoleForm {
        name: form.name,
        description: form.description,
        permissions,
    })
}

fn shown(view: RoleView) -> Role {
    Role {
        role_id: view.id.to_string(),
        name: view.name,
        description: view.description,
        permissions: view.permissions.iter().map(ToString::to_string).collect(),
    }
}
