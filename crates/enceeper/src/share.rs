//! Sharing (5.15, 5.18 to 5.20).

use axum::extract::State;
use domain::vault::ShareFault;
use http::StatusCode;

use crate::call::{Body, Calling, Keyed, Member, Path};
use crate::error::{self, Failure, Fault, NO_USER, Noun, Reply};
use crate::front::FrontState;
use crate::request::{AcceptShare, ByEmail, KeyPath, NewShare, SharePath};
use crate::wire::{Bare, Envelope, FoundUser, OneKey, OneShare};

/// Gives the public key of another user, to wrap a share for him.
#[utoipa::path(post, operation_id = "searchUser", path = "/api/v1/user/search", tag = "share",
    request_body = ByEmail, responses(
    (status = 200, description = "His public key", body = Envelope<FoundUser>),
    (status = 400, description = "The address is invalid, or the plan does not allow sharing", body = Bare),
    (status = 401, description = "No token", body = Bare),
    (status = 403, description = "The token has expired", body = Bare),
    (status = 404, description = "No such user", body = Bare),
    (status = 413, description = "Body too large", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn search(
    State(front): State<FrontState>,
    Member(member): Member,
    Body(ByEmail { email }): Body<ByEmail>,
) -> Reply {
    let found = front.vaults.find_receiver(member, email.0).await;
    let share_pub_key = found.map_err(error::of(&front, Noun::User))?;
    Ok(front.ok(FoundUser { share_pub_key }))
}

/// Offers a key of the caller's own to another user.
#[utoipa::path(post, operation_id = "createShare", path = "/api/v1/user/keys/{keyId}/share", tag = "share",
    params(KeyPath),
    request_body = NewShare, responses(
    (status = 200, description = "The share, as its sender sees it", body = Envelope<OneShare>),
    (status = 400, description = "A value is malformed or absent, shared already, or the plan does not allow it", body = Bare),
    (status = 401, description = "No token", body = Bare),
    (status = 403, description = "The token has expired", body = Bare),
    (status = 404, description = "Not a key of the caller's own, or no such user", body = Bare),
    (status = 413, description = "Body too large", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn create(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Member(member): Member,
    Keyed(KeyPath { key_id }, NewShare { email, slot }): Keyed<KeyPath, NewShare>,
) -> Reply {
    let to = (email.0, slot.0);
    let requested = front.vaults.request_share(caller, member, key_id, to).await;
    let unknown = |text| Failure::of(&front, Fault::Said(StatusCode::NOT_FOUND, text));
    match requested.map_err(error::of(&front, Noun::Key))? {
        Ok(view) => Ok(front.ok(OneShare::from(view))),
        Err(ShareFault::UnknownEntry) => Err(unknown("Key not found")),
        Err(ShareFault::UnknownReceiver) => Err(unknown(NO_USER)),
    }
}

/// Accepts a share with a slot of the caller's own.
#[utoipa::path(post, operation_id = "acceptShare", path = "/api/v1/user/keys/shares/{shareId}", tag = "share",
    params(SharePath),
    request_body = AcceptShare, responses(
    (status = 200, description = "The key, as its receiver sees it", body = Envelope<OneKey>),
    (status = 400, description = "A value is malformed or absent", body = Bare),
    (status = 401, description = "No token", body = Bare),
    (status = 403, description = "The token has expired", body = Bare),
    (status = 404, description = "No such share for the caller", body = Bare),
    (status = 413, description = "Body too large", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn accept(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Member(member): Member,
    Keyed(SharePath { share_id }, AcceptShare { slot }): Keyed<SharePath, AcceptShare>,
) -> Reply {
    let vaults = &front.vaults;
    let accepted = vaults.accept_share(caller, member, share_id, slot.0).await;
    let view = accepted.map_err(error::of(&front, Noun::Share))?;
    Ok(front.ok(OneKey::from(view)))
}

/// Takes a share back, or rejects it.
#[utoipa::path(delete, operation_id = "endShare", path = "/api/v1/user/keys/shares/{shareId}", tag = "share",
    params(SharePath), responses(
    (status = 200, description = "Ended", body = Bare),
    (status = 400, description = "The id is malformed, or the password was changed", body = Bare),
    (status = 401, description = "No token", body = Bare),
    (status = 403, description = "The token has expired", body = Bare),
    (status = 404, description = "No such share from or for the caller", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn end(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Member(member): Member,
    Path(SharePath { share_id }): Path<SharePath>,
) -> Reply {
    let ended = front.vaults.end_share(caller, member, share_id).await;
    ended.map_err(error::of(&front, Noun::Share))?;
    Ok(front.done())
}
