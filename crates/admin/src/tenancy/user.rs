//! People of a tenant, as far as an operator has to help.

use std::sync::Arc;

use admin_wire::{ErrorBody, UserRequest};
use axum::extract::State;
use axum::response::Response;
use domain::permission::{CreateUsers, EditUsers, Manage, ReadUsers};
use domain::tenant::{MemberForm, MemberView};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::tenant::Done;
use super::{SURFACE, Within, unknown};
use crate::Admin;
use crate::error;

#[derive(Serialize, ToSchema)]
pub(crate) struct User {
    user_id: String,
    email: Option<String>,
    phone_number: Option<String>,
    external_user_id: Option<String>,
    username: Option<String>,
    created_at: String,
}

impl From<MemberView> for User {
    fn from(view: MemberView) -> Self {
        Self {
            user_id: view.user.to_string(),
            email: view.email,
            phone_number: view.phone,
            external_user_id: view.external_id,
            username: view.username,
            created_at: view.created.rfc3339(),
        }
    }
}

/// Makes a person, who becomes a member of the application.
#[utoipa::path(post, operation_id = "createUser", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/users", tag = "users",
    request_body = UserRequest, params(("tenantId" = String, Path), ("applicationId" = String, Path)), responses(
    (status = 201, body = User), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn create(State(admin): State<Arc<Admin>>, call: Within<CreateUsers>) -> Response {
    let (grant, form) = match call.body::<UserRequest>().await {
        Ok(parsed) => parsed,
        Err(response) => return response,
    };
    if form.email.is_none() && form.phone_number.is_none() {
        return error::invalid("email or phone_number must be given");
    }
    let form = MemberForm {
        email: form.email,
        phone: form.phone_number,
        external_id: form.external_user_id,
        username: form.username,
        attributes: "{}".to_owned(),
        application_attributes: "{}".to_owned(),
    };
    match admin
        .services
        .tenants
        .create_member(SURFACE, grant, form)
        .await
    {
        Ok(view) => web::json::reply(StatusCode::CREATED, &User::from(view)),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// A member of the application.
#[utoipa::path(get, operation_id = "showUser", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/users/{userId}",
    tag = "users", params(("tenantId" = String, Path), ("applicationId" = String, Path), ("userId" = String, Path)),
    responses((status = 200, body = User), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn show(State(admin): State<Arc<Admin>>, call: Within<ReadUsers>) -> Response {
    let user = call.user();
    match admin.services.tenants.read_member(call.grant, user).await {
        Ok(view) => web::json::reply(StatusCode::OK, &User::from(view)),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Lets a person of the tenant into one more application.
#[utoipa::path(put, operation_id = "admitUser", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/users/{userId}",
    tag = "users", params(("tenantId" = String, Path), ("applicationId" = String, Path), ("userId" = String, Path)),
    responses((status = 200, body = Done), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn admit(State(admin): State<Arc<Admin>>, call: Within<Manage>) -> Response {
    let Some(application) = call.application() else {
        return unknown(&admin);
    };
    let user = call.user();
    match admin
        .services
        .tenants
        .admit_member(SURFACE, call.grant, user, application)
        .await
    {
        Ok(()) => web::json::reply(StatusCode::OK, &Done::ANSWER),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Takes a person out of the application, device keys included.
#[utoipa::path(delete, operation_id = "expelUser", path = "/admin/v1/tenants/{tenantId}/applications/{applicationId}/users/{userId}",
    tag = "users", params(("tenantId" = String, Path), ("applicationId" = String, Path), ("userId" = String, Path)),
    responses((status = 200, body = Done), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn expel(State(admin): State<Arc<Admin>>, call: Within<EditUsers>) -> Response {
    let user = call.user();
    match admin
        .services
        .tenants
        .expel_member(SURFACE, call.grant, user)
        .await
    {
        Ok(()) => web::json::reply(StatusCode::OK, &Done::ANSWER),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Deletes a person from the tenant, with every membership and device key.
#[utoipa::path(delete, operation_id = "deleteUser", path = "/admin/v1/tenants/{tenantId}/users/{userId}", tag = "users",
    params(("tenantId" = String, Path), ("userId" = String, Path)), responses(
    (status = 200, body = Done), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub(crate) async fn delete(State(admin): State<Arc<Admin>>, call: Within<Manage>) -> Response {
    let user = call.user();
    match admin
        .services
        .tenants
        .delete_member(SURFACE, call.grant, user)
        .await
    {
        Ok(()) => web::json::reply(StatusCode::OK, &Done::ANSWER),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}
