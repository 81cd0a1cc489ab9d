//! Applications of a tenant.

use std::sync::Arc;

use admin_wire::{ApplicationRequest, ErrorBody, NewApplication};
use axum::extract::State;
use axum::response::Response;
use domain::permission::Manage;
use domain::tenant::{ApplicationChange, ApplicationForm, ApplicationView};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::tenant::Done;
use super::{SURFACE, Within, unknown};
use crate::Admin;
use crate::error;

#[derive(Serialize, ToSchema)]
pub(crate) struct Application {
    app_id: String,
    name: String,
    description: Option<String>,
    require_server_challenge: bool,
    created_at: String,
    updated_at: String,
}

impl From<ApplicationView> for Application {
    fn from(view: ApplicationView) -> Self {
        Self {
            app_id: view.id.to_string(),
            name: view.name,
            description: view.description,
            require_server_challenge: view.server_challenges_only,
            created_at: view.created.rfc3339(),
            updated_at: view.updated.rfc3339(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Applications {
    applications: Vec<Application>,
}

/// Makes an application with a client that has full access to it.
#[utoipa::path(post, operation_id = "createApplication", path = "/admin/v1/tenants/{tenantId}/applications", tag = "applications",
    request_body = ApplicationRequest, params(("tenantId" = String, Path)), responses(
    (status = 201, body = NewApplication), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn create(State(admin): State<Arc<Admin>>, call: Within<Manage>) -> Response {
    let (grant, form) = match call.body::<ApplicationRequest>().await {
        Ok(parsed) => parsed,
        Err(response) => return response,
    };
    let form = ApplicationForm {
        name: form.name.unwrap_or_default(),
        description: form.description,
        server_challenges_only: form.require_server_challenge.unwrap_or(false),
        ..ApplicationForm::default()
    };
    match admin
        .services
        .tenants
        .create_application(SURFACE, grant, form)
        .await
    {
        Ok((view, new)) => web::json::reply(
            StatusCode::CREATED,
            &NewApplication {
                app_id: view.id.to_string(),
                name: view.name,
                client_id: new.client.to_string(),
                client_secret: new.secret.expose().to_owned(),
            },
        ),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// The tenant's applications, oldest first.
#[utoipa::path(get, operation_id = "listApplications", path = "/admin/v1/tenants/{tenantId}/applications", tag = "applications",
    params(("tenantId" = String, Path)), responses(
    (status = 200, body = Applications), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn list(State(admin): State<Arc<Admin>>, call: Within<Manage>) -> Response {
    match admin.services.tenants.list_applications(call.grant).await {
        Ok(views) => {
            let applications = views.into_iter().map(Into::into).collect();
            web::json::reply(StatusCode::OK, &Applications { applications })
        }
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Changes an application; what is left out stays.
#[utoipa::path(put, operation_id = "changeApplication", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}", tag = "applications",
    request_body = ApplicationRequest, params(("tenantId" = String, Path), ("applicationId" = String, Path)), responses(
    (status = 200, body = Application), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn change(State(admin): State<Arc<Admin>>, call: Within<Manage>) -> Response {
    let Some(id) = call.application() else {
        return unknown(&admin);
    };
    let (grant, form) = match call.body::<ApplicationRequest>().await {
        Ok(parsed) => parsed,
        Err(response) => return response,
    };
    let change = ApplicationChange {
        name: form.name,
        description: form.description,
        server_challenges_only: form.require_server_challenge,
    };
    match admin
        .services
        .tenants
        .change_application(SURFACE, grant, id, change)
        .await
    {
        Ok(view) => web::json::reply(StatusCode::OK, &Application::from(view)),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Deletes an application with its clients, memberships and device keys.
#[utoipa::path(delete, operation_id = "deleteApplication", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}", tag = "applications",
    params(("tenantId" = String, Path), ("applicationId" = String, Path)), responses(
    (status = 200, body = Done), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn delete(State(admin): State<Arc<Admin>>, call: Within<Manage>) -> Response {
    let Some(id) = call.application() else {
        return unknown(&admin);
    };
    match admin
        .services
        .tenants
        .delete_application(SURFACE, call.grant, id)
        .await
    {
        Ok(()) => web::json::reply(StatusCode::OK, &Done::ANSWER),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}
