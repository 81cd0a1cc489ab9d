//! Sharing (5.15, 5.18 to 5.20).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::vault::ShareFault;
use http::StatusCode;

use crate::call::Call;
use crate::error::{Fault, NO_USER, Noun};
use crate::front::Front;
use crate::key::slot_text;
use crate::wire::{FoundUser, OneKey, OneShare};

/// Gives the public key of another user, to wrap a share for him.
#[utoipa::path(post, operation_id = "searchUser", path = "/api/v1/user/search", tag = "share",
    request_body = crate::openapi::Email, responses(
    (status = 200, description = "His public key", body = crate::openapi::FoundUserEnvelope),
    (status = 400, description = "The address is invalid, or the plan does not allow sharing", body = crate::openapi::Refused),
    (status = 401, description = "No token", body = crate::openapi::Refused),
    (status = 403, description = "The token has expired", body = crate::openapi::Refused),
    (status = 404, description = "No such user", body = crate::openapi::Refused),
    (status = 413, description = "Body too large", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn search(State(front): State<Arc<Front>>, call: Call) -> Response {
    let outcome = async {
        let member = call.member()?;
        let name = call.fields().await?.name()?;
        let share_pub_key = front.vaults.find_receiver(member, name).await?;
        Ok(front.ok(&FoundUser { share_pub_key }))
    };
    front.answer(Noun::User, outcome.await)
}

/// Offers a key of the caller's own to another user.
#[utoipa::path(post, operation_id = "createShare", path = "/api/v1/user/keys/{keyId}/share", tag = "share",
    params(("keyId" = i64, Path, description = "Id of the key")),
    request_body = crate::openapi::NewShare, responses(
    (status = 200, description = "The share, as its sender sees it", body = crate::openapi::ShareEnvelope),
    (status = 400, description = "A value is malformed or absent, shared already, or the plan does not allow it", body = crate::openapi::Refused),
    (status = 401, description = "No token", body = crate::openapi::Refused),
    (status = 403, description = "The token has expired", body = crate::openapi::Refused),
    (status = 404, description = "Not a key of the caller's own, or no such user", body = crate::openapi::Refused),
    (status = 413, description = "Body too large", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn create(State(front): State<Arc<Front>>, call: Call) -> Response {
    let caller = call.caller.clone();
    let outcome = async {
        let (member, id) = (call.member()?, call.id(2));
        let mut fields = call.key_fields().await?;
        let id = id?;
        let name = fields.name()?;
        let slot = slot_text(fields.text("slot")?)?;
        match front
            .vaults
            .request_share(caller, member, id, (name, slot))
            .await?
        {
            Ok(view) => Ok(front.ok(&OneShare::from(view))),
            Err(ShareFault::UnknownEntry) => {
                Err(Fault::Said(StatusCode::NOT_FOUND, "Key not found"))
            }
            Err(ShareFault::UnknownReceiver) => Err(Fault::Said(StatusCode::NOT_FOUND, NO_USER)),
        }
    };
    front.answer(Noun::Key, outcome.await)
}

/// Accepts a share with a slot of the caller's own.
#[utoipa::path(post, operation_id = "acceptShare", path = "/api/v1/user/keys/shares/{shareId}", tag = "share",
    params(("shareId" = i64, Path, description = "Id of the share")),
    request_body = crate::openapi::AcceptShare, responses(
    (status = 200, description = "The key, as its receiver sees it", body = crate::openapi::KeyEnvelope),
    (status = 400, description = "A value is malformed or absent", body = crate::openapi::Refused),
    (status = 401, description = "No token", body = crate::openapi::Refused),
    (status = 403, description = "The token has expired", body = crate::openapi::Refused),
    (status = 404, description = "No such share for the caller", body = crate::openapi::Refused),
    (status = 413, description = "Body too large", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn accept(State(front): State<Arc<Front>>, call: Call) -> Response {
    let caller = call.caller.clone();
    let outcome = async {
        let (member, id) = (call.member()?, call.id(3));
        let mut fields = call.key_fields().await?;
        let id = id?;
        let slot = slot_text(fields.text("slot")?)?;
        let view = front.vaults.accept_share(caller, member, id, slot).await?;
        Ok(front.ok(&OneKey::from(view)))
    };
    front.answer(Noun::Share, outcome.await)
}

/// Takes a share back, or rejects it.
#[utoipa::path(delete, operation_id = "endShare", path = "/api/v1/user/keys/shares/{shareId}", tag = "share",
    params(("shareId" = i64, Path, description = "Id of the share")), responses(
    (status = 200, description = "Ended", body = crate::openapi::Done),
    (status = 400, description = "The id is malformed, or the password was changed", body = crate::openapi::Refused),
    (status = 401, description = "No token", body = crate::openapi::Refused),
    (status = 403, description = "The token has expired", body = crate::openapi::Refused),
    (status = 404, description = "No such share from or for the caller", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn end(State(front): State<Arc<Front>>, call: Call) -> Response {
    let outcome = async {
        let (member, id) = (call.member()?, call.id(3)?);
        front.vaults.end_share(call.caller, member, id).await?;
        Ok(front.done())
    };
    front.answer(Noun::Share, outcome.await)
}
