//! People of a tenant, as far as an operator has to help.

use admin_wire::{ErrorBody, UserRequest};
use axum::extract::State;
use domain::tenant::permission::{CreateUsers, EditUsers, Manage, ReadUsers};
use domain::tenant::{MemberForm, MemberView};
use http::StatusCode;

use super::{Inside, SURFACE, Within, done};
use crate::Shared;
use crate::call::Body;
use crate::error::{Failure, Reply};
use crate::path::{ApplicationPath, MemberPath, TenantPath, UserPath};
use crate::wire::{Done, User};

/// Makes a person, who becomes a member of the application.
#[utoipa::path(post, operation_id = "createUser", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/users", tag = "users",
    request_body = UserRequest, params(TenantPath, ApplicationPath), responses(
    (status = 201, body = User), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn create(
    State(admin): State<Shared>,
    Within { grant, .. }: Within<CreateUsers, Inside>,
    Body(form): Body<UserRequest>,
) -> Reply {
    if form.email.is_none() && form.phone_number.is_none() {
        return Err(Failure::invalid("email or phone_number must be given"));
    }
    let form = MemberForm {
        email: form.email,
        phone: form.phone_number,
        external_id: form.external_user_id,
        username: form.username,
        attributes: "{}".to_owned(),
        application_attributes: "{}".to_owned(),
    };
    let view = admin.services.tenants.create_member(SURFACE, grant, form);
    Ok(web::json::reply(StatusCode::CREATED, &shown(view.await?)))
}

/// A member of the application.
#[utoipa::path(get, operation_id = "showUser", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/users/{userId}",
    tag = "users", params(TenantPath, MemberPath),
    responses((status = 200, body = User), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn show(
    State(admin): State<Shared>,
    Within { grant, path }: Within<ReadUsers, MemberPath>,
) -> Reply {
    let tenants = &admin.services.tenants;
    let view = tenants.read_member(grant, path.user_id).await?;
    Ok(web::json::reply(StatusCode::OK, &shown(view)))
}

/// Lets a person of the tenant into one more application.
#[utoipa::path(put, operation_id = "admitUser", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/users/{userId}",
    tag = "users", params(TenantPath, MemberPath),
    responses((status = 200, body = Done), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn admit(
    State(admin): State<Shared>,
    Within { grant, path }: Within<Manage, MemberPath>,
) -> Reply {
    let tenants = &admin.services.tenants;
    tenants
        .admit_member(SURFACE, grant, path.user_id, path.application_id)
        .await?;
    Ok(done())
}

/// Takes a person out of the application, device keys included.
#[utoipa::path(delete, operation_id = "expelUser", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/users/{userId}",
    tag = "users", params(TenantPath, MemberPath),
    responses((status = 200, body = Done), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn expel(
    State(admin): State<Shared>,
    Within { grant, path }: Within<EditUsers, MemberPath>,
) -> Reply {
    let tenants = &admin.services.tenants;
    tenants.expel_member(SURFACE, grant, path.user_id).await?;
    Ok(done())
}

/// Deletes a person from the tenant, with every membership and device key.
#[utoipa::path(delete, operation_id = "deleteUser", path = "/admin/v1/tenants/{tenantId}/users/{userId}", tag = "users",
    params(TenantPath, UserPath), responses(
    (status = 200, body = Done), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn delete(
    State(admin): State<Shared>,
    Within { grant, path }: Within<Manage, UserPath>,
) -> Reply {
    let tenants = &admin.services.tenants;
    tenants.delete_member(SURFACE, grant, path.user_id).await?;
    Ok(done())
}

fn shown(view: MemberView) -> User {
    User {
        user_id: view.user.to_string(),
        email: view.email,
        phone_number: view.phone,
        external_user_id: view.external_id,
        username: view.username,
        created_at: view.created.rfc3339(),
    }
}
