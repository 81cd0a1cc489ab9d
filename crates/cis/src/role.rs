//! Client roles (§8).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::permission::{Manage, Permission};
use domain::tenant::RoleForm;
use domain::{Refusal, Tenants};
use http::StatusCode;

use crate::SURFACE;
use crate::call::{Call, Malformed};
use crate::error::{self, ROLE};
use crate::fields::Fields;
use crate::value::{NAME, SHORT};
use crate::wire::{ClientRoleForm, OneRole, Roles};

type App = State<Arc<Tenants>>;

/// Makes a role.
#[utoipa::path(post, path = "/cis/v1/client-roles", operation_id = "createClientRole", tag = "administration",
    request_body = ClientRoleForm, responses((status = 201, description = "The role", body = OneRole)))]
pub(crate) async fn create(State(keeper): App, call: Call<Manage>) -> Response {
    let parsed = async {
        let (grant, mut fields) = call.fields().await?;
        fields.demand("role_name");
        fields.demand("permissions");
        Ok::<_, Malformed>((grant, form(fields)?))
    };
    let (grant, form) = match parsed.await {
        Ok(parsed) => parsed,
        Err(Malformed(response)) => return *response,
    };
    match keeper.create_role(SURFACE, grant, form).await {
        Ok(view) => error::json(
            StatusCode::CREATED,
            &OneRole {
                result: view.into(),
            },
        ),
        Err(error) => error::answer(&error, ROLE, keeper.now()),
    }
}

/// All roles of the tenant, oldest first.
#[utoipa::path(get, path = "/cis/v1/client-roles", operation_id = "getClientRoles", tag = "administration",
    responses((status = 200, description = "The roles", body = Roles)))]
pub(crate) async fn list(State(keeper): App, call: Call<Manage>) -> Response {
    match keeper.list_roles(call.grant).await {
        Ok(views) => {
            let result = views.into_iter().map(Into::into).collect();
            error::json(StatusCode::OK, &Roles { result })
        }
        Err(error) => error::answer(&error, ROLE, keeper.now()),
    }
}

/// Changes a role, and with it the rights of its clients, at once.
#[utoipa::path(put, path = "/cis/v1/client-roles/{role_id}", operation_id = "updateClientRole",
    tag = "administration", request_body = ClientRoleForm, params(("role_id" = String, Path)),
    responses((status = 200, description = "The role", body = OneRole)))]
pub(crate) async fn change(State(keeper): App, call: Call<Manage>) -> Response {
    let id = call.role();
    let parsed = async {
        let (grant, fields) = call.fields().await?;
        Ok::<_, Malformed>((grant, form(fields)?))
    };
    let (grant, form) = match parsed.await {
        Ok(parsed) => parsed,
        Err(Malformed(response)) => return *response,
    };
    let Some(id) = id else {
        return error::answer(&Refusal::UnknownSubject.into(), ROLE, keeper.now());
    };
    match keeper.change_role(SURFACE, grant, id, form).await {
        Ok(view) => error::json(
            StatusCode::OK,
            &OneRole {
                result: view.into(),
            },
        ),
        Err(error) => error::answer(&error, ROLE, keeper.now()),
    }
}

/// Deletes a role that no client has.
#[utoipa::path(delete, path = "/cis/v1/client-roles/{role_id}", operation_id = "deleteClientRole",
    tag = "administration", params(("role_id" = String, Path)),
    responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete(State(keeper): App, call: Call<Manage>) -> Response {
    let Some(id) = call.role() else {
        return error::answer(&Refusal::UnknownSubject.into(), ROLE, keeper.now());
    };
    match keeper.delete_role(SURFACE, call.grant, id).await {
        Ok(()) => error::empty(StatusCode::NO_CONTENT),
        Err(error) => error::answer(&error, ROLE, keeper.now()),
    }
}

fn form(mut fields: Fields) -> Result<RoleForm, Malformed> {
    let name = fields.text_by("role_name", &NAME);
    let description = fields.text_by("description", &SHORT);
    let texts = fields.texts("permissions", 200);
    let permissions: Option<Vec<Permission>> =
        texts.and_then(
            |texts| match texts.iter().map(|text| Permission::parse(text)).collect() {
                Some(permissions) => Some(permissions),
                None => fields.wrong("permissions", "must be subject:verb with a known verb"),
            },
        );
    fields.finish()?;
    Ok(RoleForm {
        name,
        description,
        permissions,
    })
}
