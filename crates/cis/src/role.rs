//! Client roles (§8).

use axum::extract::State;
use domain::tenant::RoleForm;
use domain::tenant::permission::{Manage, Permission};
use http::StatusCode;

use crate::call::{Body, Granted, Path};
use crate::error::{self, Failure, ROLE, Reply};
use crate::fields::{Fields, Form};
use crate::value::{NAME, SHORT};
use crate::wire::{ClientRoleForm, OneRole, RolePath, Roles};
use crate::{SURFACE, Tenants};

/// Makes a role.
#[utoipa::path(post, path = "/cis/v1/client-roles", operation_id = "createClientRole", tag = "administration",
    request_body = ClientRoleForm, responses((status = 201, description = "The role", body = OneRole)))]
pub(crate) async fn create(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<Manage>,
    Body(NewRole(form)): Body<NewRole>,
) -> Reply {
    let created = tenants.create_role(SURFACE, grant, form.into()).await;
    let result = created.map_err(error::of(&tenants, ROLE))?.into();
    Ok(error::json(StatusCode::CREATED, &OneRole { result }))
}

/// All roles of the tenant, oldest first.
#[utoipa::path(get, path = "/cis/v1/client-roles", operation_id = "getClientRoles", tag = "administration",
    responses((status = 200, description = "The roles", body = Roles)))]
pub(crate) async fn list(State(tenants): State<Tenants>, Granted(grant): Granted<Manage>) -> Reply {
    let views = tenants.list_roles(grant).await;
    let views = views.map_err(error::of(&tenants, ROLE))?;
    let result = views.into_iter().map(Into::into).collect();
    Ok(error::json(StatusCode::OK, &Roles { result }))
}

/// Changes a role, and with it the rights of its clients, at once.
#[utoipa::path(put, path = "/cis/v1/client-roles/{role_id}", operation_id = "updateClientRole",
    tag = "administration", request_body = ClientRoleForm, params(RolePath),
    responses((status = 200, description = "The role", body = OneRole)))]
pub(crate) async fn change(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<Manage>,
    Path(RolePath { role_id }): Path<RolePath>,
    Body(form): Body<ClientRoleForm>,
) -> Reply {
    let id = role_id.ok_or(Failure::Unknown(ROLE))?;
    let changed = tenants.change_role(SURFACE, grant, id, form.into()).await;
    let result = changed.map_err(error::of(&tenants, ROLE))?.into();
    Ok(error::json(StatusCode::OK, &OneRole { result }))
}

/// Deletes a role that no client has.
#[utoipa::path(delete, path = "/cis/v1/client-roles/{role_id}", operation_id = "deleteClientRole",
    tag = "administration", params(RolePath),
    responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<Manage>,
    Path(RolePath { role_id }): Path<RolePath>,
) -> Reply {
    let id = role_id.ok_or(Failure::Unknown(ROLE))?;
    let deleted = tenants.delete_role(SURFACE, grant, id).await;
    deleted.map_err(error::of(&tenants, ROLE))?;
    Ok(error::empty(StatusCode::NO_CONTENT))
}

/// The form of a role that does not exist yet: a name and permissions are needed.
pub(crate) struct NewRole(ClientRoleForm);

impl Form for NewRole {
    fn read(fields: &mut Fields) -> Option<Self> {
        fields.demand("role_name");
        fields.demand("permissions");
        ClientRoleForm::read(fields).map(Self)
    }
}

impl Form for ClientRoleForm {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            role_name: fields.text_by("role_name", &NAME),
            description: fields.text_by("description", &SHORT),
            permissions: permissions(fields),
        })
    }
}

fn permissions(fields: &mut Fields) -> Option<Vec<Permission>> {
    let texts = fields.texts("permissions", 200)?;
    match texts.iter().map(|text| Permission::parse(text)).collect() {
        Some(permissions) => Some(permissions),
        None => fields.wrong("permissions", "must be subject:verb with a known verb"),
    }
}

impl From<ClientRoleForm> for RoleForm {
    fn from(form: ClientRoleForm) -> Self {
        Self {
            name: form.role_name,
            description: form.description,
            permissions: form.permissions,
        }
    }
}
