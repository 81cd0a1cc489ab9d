//! Keys: list, create, edit, delete (5.8 to 5.11).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::vault::{EntryEdit, NewEntry, SLOT_BYTES};

use crate::call::Call;
use crate::error::{Fault, Noun};
use crate::front::Front;
use crate::wire::{Keys, OneKey};

/// Everything that the caller's vault shows.
#[utoipa::path(get, operation_id = "listKeys", path = "/api/v1/user/keys", tag = "keys", responses(
    (status = 200, description = "Keys and open shares", body = crate::openapi::KeysEnvelope),
    (status = 400, description = "The password was changed", body = crate::openapi::Refused),
    (status = 401, description = "No token", body = crate::openapi::Refused),
    (status = 403, description = "The token has expired", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn list(State(front): State<Arc<Front>>, call: Call) -> Response {
    let member = call.member();
    let outcome = async {
        let vault = front.vaults.list_vault(member?).await?;
        Ok(front.ok(&Keys::from(vault)))
    };
    front.answer(Noun::Key, outcome.await)
}

/// Adds a key.
#[utoipa::path(post, operation_id = "createKey", path = "/api/v1/user/keys", tag = "keys",
    request_body = crate::openapi::NewKey, responses(
    (status = 200, description = "The key", body = crate::openapi::KeyEnvelope),
    (status = 400, description = "A value is malformed or absent, or the plan has no room", body = crate::openapi::Refused),
    (status = 401, description = "No token", body = crate::openapi::Refused),
    (status = 403, description = "The token has expired", body = crate::openapi::Refused),
    (status = 413, description = "Body too large", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn create(State(front): State<Arc<Front>>, call: Call) -> Response {
    let caller = call.caller.clone();
    let outcome = async {
        let member = call.member()?;
        let mut fields = call.key_fields().await?;
        let slot = slot_text(fields.text("slot")?)?;
        let (meta, value) = (fields.text("meta")?, fields.text("value")?);
        let new = NewEntry { slot, meta, value };
        let view = front.vaults.create_entry(caller, member, new).await?;
        Ok(front.ok(&OneKey::from(view)))
    };
    front.answer(Noun::Key, outcome.await)
}

/// Changes a key of the caller's own.
#[utoipa::path(put, operation_id = "editKey", path = "/api/v1/user/keys/{keyId}", tag = "keys",
    params(("keyId" = i64, Path, description = "Id of the key")),
    request_body = crate::openapi::EditKey, responses(
    (status = 200, description = "The key", body = crate::openapi::KeyEnvelope),
    (status = 400, description = "A value is malformed, none is given, or the plan has no room", body = crate::openapi::Refused),
    (status = 401, description = "No token", body = crate::openapi::Refused),
    (status = 403, description = "The token has expired", body = crate::openapi::Refused),
    (status = 404, description = "Not a key of the caller's own", body = crate::openapi::Refused),
    (status = 413, description = "Body too large", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn edit(State(front): State<Arc<Front>>, call: Call) -> Response {
    let caller = call.caller.clone();
    let outcome = async {
        let (member, id) = (call.member()?, call.id(2));
        let mut fields = call.key_fields().await?;
        let id = id?;
        let enabled = fields.number("status", 1)?.map(|status| status == 0);
        let meta = fields.optional_text("meta")?;
        let value = fields.optional_text("value")?;
        if enabled.is_none() && meta.is_none() && value.is_none() {
            return Err(Fault::bad("Nothing to change"));
        }
        let edit = EntryEdit {
            enabled,
            meta,
            value,
        };
        let view = front.vaults.edit_entry(caller, member, id, edit).await?;
        Ok(front.ok(&OneKey::from(view)))
    };
    front.answer(Noun::Key, outcome.await)
}

/// Deletes a key of the caller's own, for everybody.
#[utoipa::path(delete, operation_id = "deleteKey", path = "/api/v1/user/keys/{keyId}", tag = "keys",
    params(("keyId" = i64, Path, description = "Id of the key")), responses(
    (status = 200, description = "Deleted", body = crate::openapi::Done),
    (status = 400, description = "The id is malformed, or the password was changed", body = crate::openapi::Refused),
    (status = 401, description = "No token", body = crate::openapi::Refused),
    (status = 403, description = "The token has expired", body = crate::openapi::Refused),
    (status = 404, description = "Not a key of the caller's own", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn delete(State(front): State<Arc<Front>>, call: Call) -> Response {
    let outcome = async {
        let (member, id) = (call.member()?, call.id(2)?);
        front.vaults.delete_entry(call.caller, member, id).await?;
        Ok(front.done())
    };
    front.answer(Noun::Key, outcome.await)
}

/// The text of a slot, at most 4096 bytes.
pub(crate) fn slot_text(text: String) -> Result<String, Fault> {
    if text.len() > SLOT_BYTES {
        return Err(Fault::bad("The slot is too large"));
    }
    Ok(text)
}
