//! Accounts of people, as far as an operator may see and touch them. There is no way to read a password or a
//! code, and none to set one.

use std::sync::Arc;

use admin_wire::{ErrorBody, Unlock};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use domain::person::AccountId;
use domain::person::account::Class;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use web::json::Duplicates;
use web::path::RawPath;

use crate::Admin;
use crate::auth::Operator;
use crate::error;

#[derive(Serialize, ToSchema)]
pub(crate) struct Unlocked {
    unlocked: &'static str,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Ended {
    ended: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Erased {
    /// The account's id.
    erased: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct NewSigningKeys {
    /// Ids of the new keys: of access tokens, of refresh tokens.
    kids: Vec<String>,
}

/// State of an account: addresses masked, no secrets.
#[utoipa::path(get, operation_id = "showAccount", path = "/admin/v1/accounts/{accountId}", tag = "accounts",
    params(("accountId" = String, Path, description = "Id of the account")), responses(
    (status = 200, description = "Its state"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn show(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    path: RawPath,
) -> Response {
    let Some(id) = account_id(&path) else {
        return error::invalid("accountId: not a UUID");
    };
    match admin.services.people.person_state(&operator, id).await {
        Ok(state) => web::json::reply(StatusCode::OK, &state),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Forgets the wrong codes of a class; with the login its wrong passwords.
#[utoipa::path(post, operation_id = "unlockAccount", path = "/admin/v1/accounts/{accountId}/unlock", tag = "accounts", request_body = Unlock,
    params(("accountId" = String, Path, description = "Id of the account")), responses(
    (status = 200, body = Unlocked), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn unlock(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    path: RawPath,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(id) = account_id(&path) else {
        return error::invalid("accountId: not a UUID");
    };
    let Ok(bytes) = web::body::read(body, &headers, 16 * 1024, 15).await else {
        return error::too_large();
    };
    let wanted = web::json::object(&bytes, Duplicates::RefuseAll)
        .ok()
        .and_then(|fields| serde_json::from_value::<Unlock>(fields.into()).ok());
    let class = wanted.and_then(|wanted| {
        Class::ALL
            .into_iter()
            .find(|class| class.name() == wanted.class)
    });
    let Some(class) = class else {
        return error::invalid("class: login, password-recovery or signed-in");
    };
    match admin
        .services
        .people
        .unlock_account(&operator, id, class)
        .await
    {
        Ok(()) => web::json::reply(
            StatusCode::OK,
            &Unlocked {
                unlocked: class.name(),
            },
        ),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Erases an account; its addresses are free again.
#[utoipa::path(delete, operation_id = "eraseAccount", path = "/admin/v1/accounts/{accountId}", tag = "accounts",
    params(("accountId" = String, Path, description = "Id of the account")), responses(
    (status = 200, body = Erased), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn erase(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    path: RawPath,
) -> Response {
    let Some(id) = account_id(&path) else {
        return error::invalid("accountId: not a UUID");
    };
    match admin.services.people.erase_person(&operator, id).await {
        Ok(()) => web::json::reply(
            StatusCode::OK,
            &Erased {
                erased: id.0.to_string(),
            },
        ),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Ends all sessions of an account.
#[utoipa::path(delete, operation_id = "endSessions", path = "/admin/v1/accounts/{accountId}/sessions", tag = "accounts",
    params(("accountId" = String, Path, description = "Id of the account")), responses(
    (status = 200, body = Ended), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn end_sessions(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    path: RawPath,
) -> Response {
    let Some(id) = account_id(&path) else {
        return error::invalid("accountId: not a UUID");
    };
    match admin
        .services
        .people
        .end_account_sessions(&operator, id)
        .await
    {
        Ok(ended) => web::json::reply(StatusCode::OK, &Ended { ended }),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Signs people's tokens with new keys from now on; nobody is logged out.
#[utoipa::path(post, operation_id = "rotateAccountSigningKeys", path = "/admin/v1/accounts/signing-keys/rotate", tag = "accounts", responses(
    (status = 200, body = NewSigningKeys), (status = 401, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn rotate(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
) -> Response {
    match admin.services.people.rotate_person_keys(&operator).await {
        Ok(kids) => web::json::reply(StatusCode::OK, &NewSigningKeys { kids }),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

fn account_id(path: &RawPath) -> Option<AccountId> {
    let text = path.0.as_ref().ok()?.get(3)?;
    uuid::Uuid::parse_str(text).ok().map(AccountId)
}
