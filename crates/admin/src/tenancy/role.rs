//! Roles that a tenant gives to its clients.

use std::sync::Arc;

use admin_wire::{ErrorBody, RoleRequest};
use axum::extract::State;
use axum::response::Response;
use domain::permission::{Manage, Permission};
use domain::tenant::{RoleForm, RoleView};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::tenant::Done;
use super::{SURFACE, Within, unknown};
use crate::Admin;
use crate::error;

#[derive(Serialize, ToSchema)]
pub(crate) struct Role {
    role_id: String,
    name: String,
    description: Option<String>,
    permissions: Vec<String>,
}

impl From<RoleView> for Role {
    fn from(view: RoleView) -> Self {
        Self {
            role_id: view.id.to_string(),
            name: view.name,
            description: view.description,
            permissions: view.permissions.iter().map(ToString::to_string).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Roles {
    roles: Vec<Role>,
}

/// Makes a role.
#[utoipa::path(post, operation_id = "createRole", path = "/admin/v1/tenants/{tenantId}/roles", tag = "roles", request_body = RoleRequest,
    params(("tenantId" = String, Path)), responses(
    (status = 201, body = Role), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn create(State(admin): State<Arc<Admin>>, call: Within<Manage>) -> Response {
    let (grant, form) = match call.body::<RoleRequest>().await {
        Ok((grant, form)) => (grant, role_form(form)),
        Err(response) => return response,
    };
    let form = match form {
        Ok(form) => form,
        Err(why) => return error::invalid(why),
    };
    match admin
        .services
        .tenants
        .create_role(SURFACE, grant, form)
        .await
    {
        Ok(view) => web::json::reply(StatusCode::CREATED, &Role::from(view)),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// The tenant's roles, oldest first.
#[utoipa::path(get, operation_id = "listRoles", path = "/admin/v1/tenants/{tenantId}/roles", tag = "roles",
    params(("tenantId" = String, Path)), responses(
    (status = 200, body = Roles), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn list(State(admin): State<Arc<Admin>>, call: Within<Manage>) -> Response {
    match admin.services.tenants.list_roles(call.grant).await {
        Ok(views) => {
            let roles = views.into_iter().map(Into::into).collect();
            web::json::reply(StatusCode::OK, &Roles { roles })
        }
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Changes a role, and with it the rights of its clients, at once.
#[utoipa::path(put, operation_id = "changeRole", path = "/admin/v1/tenants/{tenantId}/roles/{roleId}", tag = "roles", request_body = RoleRequest,
    params(("tenantId" = String, Path), ("roleId" = String, Path)), responses(
    (status = 200, body = Role), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn change(State(admin): State<Arc<Admin>>, call: Within<Manage>) -> Response {
    let Some(id) = call.role() else {
        return unknown(&admin);
    };
    let (grant, form) = match call.body::<RoleRequest>().await {
        Ok((grant, form)) => (grant, role_form(form)),
        Err(response) => return response,
    };
    let form = match form {
        Ok(form) => form,
        Err(why) => return error::invalid(why),
    };
    match admin
        .services
        .tenants
        .change_role(SURFACE, grant, id, form)
        .await
    {
        Ok(view) => web::json::reply(StatusCode::OK, &Role::from(view)),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Deletes a role that no client has.
#[utoipa::path(delete, operation_id = "deleteRole", path = "/admin/v1/tenants/{tenantId}/roles/{roleId}", tag = "roles",
    params(("tenantId" = String, Path), ("roleId" = String, Path)), responses(
    (status = 200, body = Done), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn delete(State(admin): State<Arc<Admin>>, call: Within<Manage>) -> Response {
    let Some(id) = call.role() else {
        return unknown(&admin);
    };
    match admin
        .services
        .tenants
        .delete_role(SURFACE, call.grant, id)
        .await
    {
        Ok(()) => web::json::reply(StatusCode::OK, &Done::ANSWER),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

fn role_form(form: RoleRequest) -> Result<RoleForm, &'static str> {
    let permissions = match form.permissions {
        None => None,
        Some(texts) => {
            let parsed: Option<Vec<Permission>> =
                texts.iter().map(|text| Permission::parse(text)).collect();
            Some(parsed.ok_or("permissions: each is subject:verb with a known verb")?)
        }
    };
    Ok(RoleForm {
        name: form.name,
        description: form.description,
        permissions,
    })
}
