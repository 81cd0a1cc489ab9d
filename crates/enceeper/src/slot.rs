//! Slots (5.12 to 5.14).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::vault::{Notify, SlotEdit, SlotNumber};

use crate::call::{Call, Fields};
use crate::error::{Fault, Noun};
use crate::front::Front;
use crate::key::slot_text;
use crate::wire::OneKey;

/// Adds a slot for an outside reader.
#[utoipa::path(post, operation_id = "createSlot", path = "/api/v1/user/keys/{keyId}/slots", tag = "slots",
    params(("keyId" = i64, Path, description = "Id of the key")),
    request_body = crate::openapi::NewSlot, responses(
    (status = 200, description = "The key, the new slot last", body = crate::openapi::KeyEnvelope),
    (status = 400, description = "A value is malformed or absent, or the plan does not allow it", body = crate::openapi::Refused),
    (status = 401, description = "No token", body = crate::openapi::Refused),
    (status = 403, description = "The token has expired", body = crate::openapi::Refused),
    (status = 404, description = "Not a key of the caller's own", body = crate::openapi::Refused),
    (status = 413, description = "Body too large", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn create(State(front): State<Arc<Front>>, call: Call) -> Response {
    let caller = call.caller.clone();
    let outcome = async {
        let (member, id) = (call.member()?, call.id(2));
        let mut fields = call.key_fields().await?;
        let id = id?;
        let value = slot_text(fields.text("value")?)?;
        let notify = notify(&mut fields)?.unwrap_or(Notify::Never);
        let view = front
            .vaults
            .create_slot(caller, member, id, (value, notify))
            .await?;
        Ok(front.ok(&OneKey::from(view)))
    };
    front.answer(Noun::Key, outcome.await)
}

/// Changes a slot of an outside reader.
#[utoipa::path(put, operation_id = "editSlot", path = "/api/v1/user/keys/{keyId}/slots/{slotId}", tag = "slots",
    params(("keyId" = i64, Path, description = "Id of the key"), ("slotId" = i64, Path, description = "Id of the slot")),
    request_body = crate::openapi::EditSlot, responses(
    (status = 200, description = "The key", body = crate::openapi::KeyEnvelope),
    (status = 400, description = "A value is malformed, none is given, or this slot cannot be changed", body = crate::openapi::Refused),
    (status = 401, description = "No token", body = crate::openapi::Refused),
    (status = 403, description = "The token has expired", body = crate::openapi::Refused),
    (status = 404, description = "Not a slot of a key of the caller's own", body = crate::openapi::Refused),
    (status = 413, description = "Body too large", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn edit(State(front): State<Arc<Front>>, call: Call) -> Response {
    let caller = call.caller.clone();
    let outcome = async {
        let (member, ids) = (call.member()?, ids(&call));
        let mut fields = call.key_fields().await?;
        let ids = ids?;
        let enabled = fields.number("status", 1)?.map(|status| status == 0);
        let notify = notify(&mut fields)?;
        let value = fields.optional_text("value")?.map(slot_text).transpose()?;
        if enabled.is_none() && notify.is_none() && value.is_none() {
            return Err(Fault::bad("Nothing to change"));
        }
        let edit = SlotEdit {
            enabled,
            notify,
            value,
        };
        let view = front.vaults.edit_slot(caller, member, ids, edit).await?;
        Ok(front.ok(&OneKey::from(view)))
    };
    front.answer(Noun::Slot, outcome.await)
}

/// Deletes a slot: any but his own for the owner of the key, his own for a receiver.
#[utoipa::path(delete, operation_id = "deleteSlot", path = "/api/v1/user/keys/{keyId}/slots/{slotId}", tag = "slots",
    params(("keyId" = i64, Path, description = "Id of the key"), ("slotId" = i64, Path, description = "Id of the slot")), responses(
    (status = 200, description = "Deleted", body = crate::openapi::Done),
    (status = 400, description = "An id is malformed, or this slot cannot be deleted", body = crate::openapi::Refused),
    (status = 401, description = "No token", body = crate::openapi::Refused),
    (status = 403, description = "The token has expired", body = crate::openapi::Refused),
    (status = 404, description = "Not visible to the caller", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn delete(State(front): State<Arc<Front>>, call: Call) -> Response {
    let outcome = async {
        let (member, ids) = (call.member()?, ids(&call)?);
        front.vaults.delete_slot(call.caller, member, ids).await?;
        Ok(front.done())
    };
    front.answer(Noun::Slot, outcome.await)
}

/// Key and slot in the path; -1 is the owner's own.
fn ids(call: &Call) -> Result<(u64, SlotNumber), Fault> {
    let slot = match call.signed_id(4)? {
        -1 => SlotNumber::Own,
        number => SlotNumber::Numbered(u64::try_from(number).unwrap_or(0)),
    };
    Ok((call.id(2)?, slot))
}

fn notify(fields: &mut Fields) -> Result<Option<Notify>, Fault> {
    Ok(fields.number("notify", 2)?.map(|number| match number {
        0 => Notify::Never,
        1 => Notify::OnUse,
        _ => Notify::Approve,
    }))
}
