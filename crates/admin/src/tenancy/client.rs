//! Clients of an application, and their secrets.

use std::sync::Arc;
use std::time::Duration;

use admin_wire::{ClientRequest, ErrorBody, SecretRotation};
use axum::extract::State;
use axum::response::Response;
use domain::permission::Manage;
use domain::tenant::{ClientChange, ClientForm, ClientView, RoleId};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::tenant::Done;
use super::{SURFACE, Within, unknown};
use crate::Admin;
use crate::error;

/// How long an older secret works beside its successor, unless told otherwise.
const OVERLAP_SECONDS: u64 = 86_400;

#[derive(Serialize, ToSchema)]
pub(crate) struct Client {
    client_id: String,
    app_id: String,
    name: String,
    role_ids: Vec<String>,
    token_ttl: u32,
    disabled: bool,
    created_at: String,
    updated_at: String,
}

impl From<ClientView> for Client {
    fn from(view: ClientView) -> Self {
        Self {
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
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Clients {
    clients: Vec<Client>,
}

/// A secret, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewSecret {
    client_id: String,
    client_secret: String,
}

impl From<domain::tenant::NewSecret> for NewSecret {
    fn from(new: domain::tenant::NewSecret) -> Self {
        Self {
            client_id: new.client.to_string(),
            client_secret: new.secret.expose().to_owned(),
        }
    }
}

/// Makes a client.
#[utoipa::path(post, operation_id = "createClient", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/clients", tag = "clients",
    request_body = ClientRequest, params(("tenantId" = String, Path), ("applicationId" = String, Path)), responses(
    (status = 201, body = NewSecret), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn create(State(admin): State<Arc<Admin>>, call: Within<Manage>) -> Response {
    let application = call.application();
    let (grant, form) = match call.body::<ClientRequest>().await {
        Ok(parsed) => parsed,
        Err(response) => return response,
    };
    let Some(application) = application else {
        return unknown(&admin);
    };
    let change = match change_of(form) {
        Ok(change) => change,
        Err(why) => return error::invalid(why),
    };
    let default = ClientForm::default();
    let form = ClientForm {
        name: change.name.unwrap_or(default.name),
        roles: change.roles.unwrap_or_default(),
        token_life: change.token_life.unwrap_or(default.token_life),
        ..ClientForm::default()
    };
    match admin
        .services
        .tenants
        .create_client(SURFACE, grant, application, form)
        .await
    {
        Ok(new) => web::json::reply(StatusCode::CREATED, &NewSecret::from(new)),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// The application's clients, oldest first.
#[utoipa::path(get, operation_id = "listClients", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/clients", tag = "clients",
    params(("tenantId" = String, Path), ("applicationId" = String, Path)), responses(
    (status = 200, body = Clients), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn list(State(admin): State<Arc<Admin>>, call: Within<Manage>) -> Response {
    let Some(application) = call.application() else {
        return unknown(&admin);
    };
    match admin
        .services
        .tenants
        .list_clients(call.grant, application)
        .await
    {
        Ok(views) => {
            let clients = views.into_iter().map(Into::into).collect();
            web::json::reply(StatusCode::OK, &Clients { clients })
        }
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Changes a client; what is left out stays.
#[utoipa::path(put, operation_id = "changeClient", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/clients/{clientId}",
    tag = "clients", request_body = ClientRequest,
    params(("tenantId" = String, Path), ("applicationId" = String, Path), ("clientId" = String, Path)), responses(
    (status = 200, body = Client), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn change(State(admin): State<Arc<Admin>>, call: Within<Manage>) -> Response {
    let (Some(application), Some(id)) = (call.application(), call.client()) else {
        return unknown(&admin);
    };
    let (grant, form) = match call.body::<ClientRequest>().await {
        Ok(parsed) => parsed,
        Err(response) => return response,
    };
    let change = match change_of(form) {
        Ok(change) => change,
        Err(why) => return error::invalid(why),
    };
    match admin
        .services
        .tenants
        .change_client(SURFACE, grant, application, id, change)
        .await
    {
        Ok(view) => web::json::reply(StatusCode::OK, &Client::from(view)),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Deletes a client; its tokens are worth nothing from then on.
#[utoipa::path(delete, operation_id = "deleteClient", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/clients/{clientId}",
    tag = "clients",
    params(("tenantId" = String, Path), ("applicationId" = String, Path), ("clientId" = String, Path)), responses(
    (status = 200, body = Done), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn delete(State(admin): State<Arc<Admin>>, call: Within<Manage>) -> Response {
    let (Some(application), Some(id)) = (call.application(), call.client()) else {
        return unknown(&admin);
    };
    match admin
        .services
        .tenants
        .delete_client(SURFACE, call.grant, application, id)
        .await
    {
        Ok(()) => web::json::reply(StatusCode::OK, &Done::ANSWER),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Gives a client a new secret; the ones before work for a while longer.
#[utoipa::path(post, operation_id = "rotateClientSecret", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/clients/{clientId}/secret",
    tag = "clients", request_body = SecretRotation,
    params(("tenantId" = String, Path), ("applicationId" = String, Path), ("clientId" = String, Path)), responses(
    (status = 200, body = NewSecret), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn rotate(State(admin): State<Arc<Admin>>, call: Within<Manage>) -> Response {
    let (Some(application), Some(id)) = (call.application(), call.client()) else {
        return unknown(&admin);
    };
    let (grant, SecretRotation { overlap_seconds }) = match call.body().await {
        Ok(parsed) => parsed,
        Err(response) => return response,
    };
    let overlap = Duration::from_secs(overlap_seconds.unwrap_or(OVERLAP_SECONDS));
    match admin
        .services
        .tenants
        .rotate_client_secret(SURFACE, grant, application, id, overlap)
        .await
    {
        Ok(new) => web::json::reply(StatusCode::OK, &NewSecret::from(new)),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

fn change_of(form: ClientRequest) -> Result<ClientChange, &'static str> {
    let roles = match form.role_ids {
        None => None,
        Some(texts) => {
            let roles: Option<Vec<RoleId>> = texts.iter().map(|text| RoleId::parse(text)).collect();
            Some(roles.ok_or("role_ids: names an unknown role")?)
        }
    };
    if form
        .token_ttl
        .is_some_and(|ttl| !(1..=86_400).contains(&ttl))
    {
        return Err("token_ttl: 1 to 86400 seconds");
    }
    let (name, token_life, disabled) = (form.name, form.token_ttl, form.disabled);
    Ok(ClientChange {
        name,
        roles,
        token_life,
        disabled,
        ..ClientChange::default()
    })
}
