//! Applications of a tenant.

use admin_wire::{ApplicationRequest, ErrorBody, NewApplication};
use axum::extract::State;
use domain::tenant::permission::Manage;
use domain::tenant::{ApplicationChange, ApplicationForm, ApplicationView};
use http::StatusCode;

use super::{SURFACE, Whole, Within, done};
use crate::Shared;
use crate::call::Body;
use crate::error::Reply;
use crate::path::{ApplicationPath, TenantPath};
use crate::wire::{Application, Applications, Done};

/// Makes an application with a client that has full access to it.
#[utoipa::path(post, operation_id = "createApplication", path = "/admin/v1/tenants/{tenantId}/applications", tag = "applications",
    request_body = ApplicationRequest, params(TenantPath), responses(
    (status = 201, body = NewApplication), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn create(
    State(admin): State<Shared>,
    Within { grant, .. }: Within<Manage, Whole>,
    Body(form): Body<ApplicationRequest>,
) -> Reply {
    let form = ApplicationForm {
        name: form.name.unwrap_or_default(),
        description: form.description,
        server_challenges_only: form.require_server_challenge.unwrap_or(false),
        ..ApplicationForm::default()
    };
    let tenants = &admin.services.tenants;
    let (view, new) = tenants.create_application(SURFACE, grant, form).await?;
    let new = NewApplication {
        app_id: view.id.to_string(),
        name: view.name,
        client_id: new.client.to_string(),
        client_secret: new.secret.expose().to_owned(),
    };
    Ok(web::json::reply(StatusCode::CREATED, &new))
}

/// The tenant's applications, oldest first.
#[utoipa::path(get, operation_id = "listApplications", path = "/admin/v1/tenants/{tenantId}/applications", tag = "applications",
    params(TenantPath), responses(
    (status = 200, body = Applications), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn list(
    State(admin): State<Shared>,
    Within { grant, .. }: Within<Manage, Whole>,
) -> Reply {
    let views = admin.services.tenants.list_applications(grant).await?;
    let applications = views.into_iter().map(shown).collect();
    Ok(web::json::reply(
        StatusCode::OK,
        &Applications { applications },
    ))
}

/// Changes an application; what is left out stays.
#[utoipa::path(put, operation_id = "changeApplication", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}", tag = "applications",
    request_body = ApplicationRequest, params(TenantPath, ApplicationPath), responses(
    (status = 200, body = Application), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn change(
    State(admin): State<Shared>,
    Within { grant, path }: Within<Manage, ApplicationPath>,
    Body(form): Body<ApplicationRequest>,
) -> Reply {
    let change = ApplicationChange {
        name: form.name,
        description: form.description,
        server_challenges_only: form.require_server_challenge,
    };
    let tenants = &admin.services.tenants;
    let view = tenants
        .change_application(SURFACE, grant, path.application_id, change)
        .await?;
    Ok(web::json::reply(StatusCode::OK, &shown(view)))
}

/// Deletes an application with its clients, memberships and device keys.
#[utoipa::path(delete, operation_id = "deleteApplication", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}", tag = "applications",
    params(TenantPath, ApplicationPath), responses(
    (status = 200, body = Done), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn delete(
    State(admin): State<Shared>,
    Within { grant, path }: Within<Manage, ApplicationPath>,
) -> Reply {
    let tenants = &admin.services.tenants;
    tenants
        .delete_application(SURFACE, grant, path.application_id)
        .await?;
    Ok(done())
}

fn shown(view: ApplicationView) -> Application {
    Application {
        app_id: view.id.to_string(),
        name: view.name,
        description: view.description,
        require_server_challenge: view.server_challenges_only,
        created_at: view.created.rfc3339(),
        updated_at: view.updated.rfc3339(),
    }
}
