//! Clients of an application, and their secrets.

use std::time::Duration;

use admin_wire::{ClientRequest, ErrorBody, SecretRotation};
use axum::extract::State;
use domain::tenant::permission::Manage;
use domain::tenant::{self, ClientChange, ClientForm, ClientView, RoleId};
use http::StatusCode;

use super::{Inside, SURFACE, Within, done};
use crate::Shared;
use crate::call::Body;
use crate::error::{Failure, Reply};
use crate::path::{ApplicationPath, ClientPath, TenantPath};
use crate::wire::{Client, Clients, Done, NewSecret};

/// How long an older secret works beside its successor, unless told otherwise.
const OVERLAP_SECONDS: u64 = 86_400;

/// Makes a client.
#[utoipa::path(post, operation_id = "createClient", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/clients", tag = "clients",
    request_body = ClientRequest, params(TenantPath, ApplicationPath), responses(
    (status = 201, body = NewSecret), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn create(
    State(admin): State<Shared>,
    Within { grant, path }: Within<Manage, Inside>,
    Body(form): Body<ClientRequest>,
) -> Reply {
    let change = change_of(form)?;
    let default = ClientForm::default();
    let form = ClientForm {
        name: change.name.unwrap_or(default.name),
        roles: change.roles.unwrap_or_default(),
        token_life: change.token_life.unwrap_or(default.token_life),
        ..ClientForm::default()
    };
    let Inside(ApplicationPath { application_id }) = path;
    let tenants = &admin.services.tenants;
    let new = tenants
        .create_client(SURFACE, grant, application_id, form)
        .await?;
    Ok(web::json::reply(StatusCode::CREATED, &secret(&new)))
}

/// The application's clients, oldest first.
#[utoipa::path(get, operation_id = "listClients", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/clients", tag = "clients",
    params(TenantPath, ApplicationPath), responses(
    (status = 200, body = Clients), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn list(
    State(admin): State<Shared>,
    Within { grant, path }: Within<Manage, Inside>,
) -> Reply {
    let Inside(ApplicationPath { application_id }) = path;
    let tenants = &admin.services.tenants;
    let views = tenants.list_clients(grant, application_id).await?;
    let clients = views.into_iter().map(shown).collect();
    Ok(web::json::reply(StatusCode::OK, &Clients { clients }))
}

/// Changes a client; what is left out stays.
#[utoipa::path(put, operation_id = "changeClient", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/clients/{clientId}",
    tag = "clients", request_body = ClientRequest,
    params(TenantPath, ClientPath), responses(
    (status = 200, body = Client), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn change(
    State(admin): State<Shared>,
    Within { grant, path }: Within<Manage, ClientPath>,
    Body(form): Body<ClientRequest>,
) -> Reply {
    let change = change_of(form)?;
    let tenants = &admin.services.tenants;
    let view = tenants
        .change_client(SURFACE, grant, path.application_id, path.client_id, change)
        .await?;
    Ok(web::json::reply(StatusCode::OK, &shown(view)))
}

/// Deletes a client; its tokens are worth nothing from then on.
#[utoipa::path(delete, operation_id = "deleteClient", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/clients/{clientId}",
    tag = "clients",
    params(TenantPath, ClientPath), responses(
    (status = 200, body = Done), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn delete(
    State(admin): State<Shared>,
    Within { grant, path }: Within<Manage, ClientPath>,
) -> Reply {
    let tenants = &admin.services.tenants;
    tenants
        .delete_client(SURFACE, grant, path.application_id, path.client_id)
        .await?;
    Ok(done())
}

/// Gives a client a new secret; the ones before work for a while longer.
#[utoipa::path(post, operation_id = "rotateClientSecret", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/clients/{clientId}/secret",
    tag = "clients", request_body = SecretRotation,
    params(TenantPath, ClientPath), responses(
    (status = 200, body = NewSecret), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn rotate(
    State(admin): State<Shared>,
    Within { grant, path }: Within<Manage, ClientPath>,
    Body(SecretRotation { overlap_seconds }): Body<SecretRotation>,
) -> Reply {
    let overlap = Duration::from_secs(overlap_seconds.unwrap_or(OVERLAP_SECONDS));
    let tenants = &admin.services.tenants;
    let new = tenants
        .rotate_client_secret(SURFACE, grant, path.application_id, path.client_id, overlap)
        .await?;
    Ok(web::json::reply(StatusCode::OK, &secret(&new)))
}

fn change_of(form: ClientRequest) -> Result<ClientChange, Failure> {
    let roles = match form.role_ids {
        None => None,
        Some(texts) => {
            let roles: Option<Vec<RoleId>> = texts.iter().map(|text| RoleId::parse(text)).collect();
            Some(roles.ok_or(Failure::invalid("role_ids: names an unknown role"))?)
        }
    };
    let sound = |ttl| (1..=86_400).contains(&ttl);
    if form.token_ttl.is_some_and(|ttl| !sound(ttl)) {
        return Err(Failure::invalid("token_ttl: 1 to 86400 seconds"));
    }
    Ok(ClientChange {
        name: form.name,
        roles,
        token_life: form.token_ttl,
        disabled: form.disabled,
        ..ClientChange::default()
    })
}

fn shown(view: ClientView) -> Client {
    Client {
        client_id: view.id.to_string(),
        app_id: view.application.to_string(),
        name: view.name,
        role_ids: view.roles.iter().map(ToString::to_string).collect(),
        token_ttl: view.token_life,
        disabled: view.disabled,
        created_at: view.created.rfc3339(),
        updated_at: view.updated.rfc3339(),
    }
}

fn secret(new: &tenant::NewSecret) -> NewSecret {
    NewSecret {
        client_id: new.client.to_string(),
        client_secret: new.secret.expose().to_owned(),
    }
}
