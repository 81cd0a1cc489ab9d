//! Slots (5.12 to 5.14).

use axum::extract::State;
use domain::vault::{Notify, SlotEdit};

use crate::call::{Calling, Keyed, Member, Path};
use crate::error::{self, Failure, Fault, Noun, Reply};
use crate::front::FrontState;
use crate::request::{EditSlot, KeyPath, NewSlot, SlotPath, Status};
use crate::wire::{Bare, Envelope, OneKey};

/// Adds a slot for an outside reader.
#[utoipa::path(post, operation_id = "createSlot", path = "/api/v1/user/keys/{keyId}/slots", tag = "slots",
    params(KeyPath),
    request_body = NewSlot, responses(
    (status = 200, description = "The key, the new slot last", body = Envelope<OneKey>),
    (status = 400, description = "A value is malformed or absent, or the plan does not allow it", body = Bare),
    (status = 401, description = "No token", body = Bare),
    (status = 403, description = "The token has expired", body = Bare),
    (status = 404, description = "Not a key of the caller's own", body = Bare),
    (status = 413, description = "Body too large", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn create(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Member(member): Member,
    Keyed(KeyPath { key_id }, NewSlot { value, notify }): Keyed<KeyPath, NewSlot>,
) -> Reply {
    let notify = notify.map_or(Notify::Never, |number| number.0);
    let slot = (value.0, notify);
    let created = front.vaults.create_slot(caller, member, key_id, slot).await;
    let view = created.map_err(error::of(&front, Noun::Key))?;
    Ok(front.ok(OneKey::from(view)))
}

/// Changes a slot of an outside reader.
#[utoipa::path(put, operation_id = "editSlot", path = "/api/v1/user/keys/{keyId}/slots/{slotId}", tag = "slots",
    params(SlotPath),
    request_body = EditSlot, responses(
    (status = 200, description = "The key", body = Envelope<OneKey>),
    (status = 400, description = "A value is malformed, none is given, or this slot cannot be changed", body = Bare),
    (status = 401, description = "No token", body = Bare),
    (status = 403, description = "The token has expired", body = Bare),
    (status = 404, description = "Not a slot of a key of the caller's own", body = Bare),
    (status = 413, description = "Body too large", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn edit(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Member(member): Member,
    Keyed(SlotPath { key_id, slot_id }, body): Keyed<SlotPath, EditSlot>,
) -> Reply {
    let edit = SlotEdit {
        enabled: body.status.map(Status::enabled),
        notify: body.notify.map(|number| number.0),
        value: body.value.map(|value| value.0),
    };
    if edit.enabled.is_none() && edit.notify.is_none() && edit.value.is_none() {
        return Err(Failure::of(&front, Fault::bad("Nothing to change")));
    }
    let at = (key_id, slot_id);
    let edited = front.vaults.edit_slot(caller, member, at, edit).await;
    let view = edited.map_err(error::of(&front, Noun::Slot))?;
    Ok(front.ok(OneKey::from(view)))
}

/// Deletes a slot: any but his own for the owner of the key, his own for a receiver.
#[utoipa::path(delete, operation_id = "deleteSlot", path = "/api/v1/user/keys/{keyId}/slots/{slotId}", tag = "slots",
    params(SlotPath), responses(
    (status = 200, description = "Deleted", body = Bare),
    (status = 400, description = "An id is malformed, or this slot cannot be deleted", body = Bare),
    (status = 401, description = "No token", body = Bare),
    (status = 403, description = "The token has expired", body = Bare),
    (status = 404, description = "Not visible to the caller", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn delete(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Member(member): Member,
    Path(SlotPath { key_id, slot_id }): Path<SlotPath>,
) -> Reply {
    let at = (key_id, slot_id);
    let deleted = front.vaults.delete_slot(caller, member, at).await;
    deleted.map_err(error::of(&front, Noun::Slot))?;
    Ok(front.done())
}
