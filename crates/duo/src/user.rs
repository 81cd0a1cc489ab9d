//! §7.1: users.

use axum::extract::State;
use domain::wallet::Newness;
use http::StatusCode;

use crate::Wallets;
use crate::call::{AnyBody, AnyScope, Calling, Holder};
use crate::error::{self, Reply};
use crate::wire::{Done, ErrorBody};

/// Creates the record of the token's user. It may be called again and again.
#[utoipa::path(post, operation_id = "registerUser", path = "/auth/users/register", tag = "devices", security(("token" = [])), responses(
    (status = 200, description = "Known", body = Done),
    (status = 201, description = "New", body = Done),
    (status = 400, description = "A body that is no JSON object", body = ErrorBody),
    (status = 401, description = "Token missing, not acceptable or expired", body = ErrorBody),
    (status = 413, description = "Body too large", body = ErrorBody),
    (status = 415, description = "Content type not supported", body = ErrorBody),
    (status = 503, description = "Identity provider or storage away", body = ErrorBody)))]
pub(crate) async fn register(
    State(wallets): State<Wallets>,
    Holder(bearer, _): Holder<AnyScope>,
    Calling { caller, .. }: Calling,
    AnyBody: AnyBody,
) -> Reply {
    let done = wallets.register_user(caller, bearer).await;
    let (status, text) = match done.map_err(error::of(&wallets))? {
        Newness::New => (StatusCode::CREATED, "User registered successfully"),
        Newness::Known => (StatusCode::OK, "User already registered"),
    };
    Ok(web::json::reply(status, &Done::new(text)))
}
