//! Keys: list, create, edit, delete (5.8 to 5.11).

use axum::extract::State;
use domain::vault::{EntryEdit, NewEntry};

use crate::call::{Calling, Keyed, Member, Path};
use crate::error::{self, Failure, Fault, Noun, Reply};
use crate::front::FrontState;
use crate::request::{EditKey, KeyPath, NewKey, NoParameters, Status};
use crate::wire::{Bare, Envelope, Keys, OneKey};

/// Everything that the caller's vault shows.
#[utoipa::path(get, operation_id = "listKeys", path = "/api/v1/user/keys", tag = "keys", responses(
    (status = 200, description = "Keys and open shares", body = Envelope<Keys>),
    (status = 400, description = "The password was changed", body = Bare),
    (status = 401, description = "No token", body = Bare),
    (status = 403, description = "The token has expired", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn list(State(front): State<FrontState>, Member(member): Member) -> Reply {
    let vault = front.vaults.list_vault(member).await;
    let vault = vault.map_err(error::of(&front, Noun::Key))?;
    Ok(front.ok(Keys::from(vault)))
}

/// Adds a key.
#[utoipa::path(post, operation_id = "createKey", path = "/api/v1/user/keys", tag = "keys",
    request_body = NewKey, responses(
    (status = 200, description = "The key", body = Envelope<OneKey>),
    (status = 400, description = "A value is malformed or absent, or the plan has no room", body = Bare),
    (status = 401, description = "No token", body = Bare),
    (status = 403, description = "The token has expired", body = Bare),
    (status = 413, description = "Body too large", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn create(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Member(member): Member,
    Keyed(NoParameters {}, NewKey { slot, meta, value }): Keyed<NoParameters, NewKey>,
) -> Reply {
    let new = NewEntry {
        slot: slot.0,
        meta: meta.0,
        value: value.0,
    };
    let created = front.vaults.create_entry(caller, member, new).await;
    let view = created.map_err(error::of(&front, Noun::Key))?;
    Ok(front.ok(OneKey::from(view)))
}

/// Changes a key of the caller's own.
#[utoipa::path(put, operation_id = "editKey", path = "/api/v1/user/keys/{keyId}", tag = "keys",
    params(KeyPath),
    request_body = EditKey, responses(
    (status = 200, description = "The key", body = Envelope<OneKey>),
    (status = 400, description = "A value is malformed, none is given, or the plan has no room", body = Bare),
    (status = 401, description = "No token", body = Bare),
    (status = 403, description = "The token has expired", body = Bare),
    (status = 404, description = "Not a key of the caller's own", body = Bare),
    (status = 413, description = "Body too large", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn edit(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Member(member): Member,
    Keyed(KeyPath { key_id }, body): Keyed<KeyPath, EditKey>,
) -> Reply {
    let edit = EntryEdit {
        enabled: body.status.map(Status::enabled),
        meta: body.meta.map(|meta| meta.0),
        value: body.value.map(|value| value.0),
    };
    if edit.enabled.is_none() && edit.meta.is_none() && edit.value.is_none() {
        return Err(Failure::of(&front, Fault::bad("Nothing to change")));
    }
    let edited = front.vaults.edit_entry(caller, member, key_id, edit).await;
    let view = edited.map_err(error::of(&front, Noun::Key))?;
    Ok(front.ok(OneKey::from(view)))
}

/// Deletes a key of the caller's own, for everybody.
#[utoipa::path(delete, operation_id = "deleteKey", path = "/api/v1/user/keys/{keyId}", tag = "keys",
    params(KeyPath), responses(
    (status = 200, description = "Deleted", body = Bare),
    (status = 400, description = "The id is malformed, or the password was changed", body = Bare),
    (status = 401, description = "No token", body = Bare),
    (status = 403, description = "The token has expired", body = Bare),
    (status = 404, description = "Not a key of the caller's own", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn delete(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Member(member): Member,
    Path(KeyPath { key_id }): Path<KeyPath>,
) -> Reply {
    let deleted = front.vaults.delete_entry(caller, member, key_id).await;
    deleted.map_err(error::of(&front, Noun::Key))?;
    Ok(front.done())
}
