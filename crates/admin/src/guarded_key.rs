//! PIN-guarded keys, as far as an operator may see and touch them. There is no way to read a PIN or a key,
//! and none to shorten a lock.

use std::sync::Arc;

use admin_wire::{Contact, ErrorBody, GuardedKey};
use axum::extract::State;
use axum::response::Response;
use domain::custody::{ContactState, GuardedKeyId, KeyState};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use web::path::RawPath;

use crate::Admin;
use crate::auth::Operator;
use crate::{error, message};

#[derive(Serialize, ToSchema)]
pub(crate) struct Deleted {
    deleted: bool,
}

/// State of a PIN-guarded key.
#[utoipa::path(get, operation_id = "showGuardedKey", path = "/admin/v1/guarded-keys/{keyId}", tag = "guarded keys",
    params(("keyId" = String, Path, description = "Id of the key")), responses(
    (status = 200, body = GuardedKey), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn show(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    path: RawPath,
) -> Response {
    let Some(id) = key_id(&path) else {
        return error::invalid("keyId: not a UUID");
    };
    match admin.services.guarded_keys.key_state(&operator, id).await {
        Ok(state) => web::json::reply(StatusCode::OK, &shown(state)),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

/// Deletes a key with its users, codes and counters.
#[utoipa::path(delete, operation_id = "deleteGuardedKey", path = "/admin/v1/guarded-keys/{keyId}", tag = "guarded keys",
    params(("keyId" = String, Path, description = "Id of the key")), responses(
    (status = 200, body = Deleted), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn delete(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    path: RawPath,
) -> Response {
    let Some(id) = key_id(&path) else {
        return error::invalid("keyId: not a UUID");
    };
    match admin.services.guarded_keys.delete_key(&operator, id).await {
        Ok(()) => web::json::reply(StatusCode::OK, &Deleted { deleted: true }),
        Err(error) => error::answer(&error, admin.services.now()),
    }
}

fn shown(state: KeyState) -> GuardedKey {
    let contact = |contact: ContactState| Contact {
        alias: contact.alias,
        channel: contact.channel.map(message::channel_shown),
        verified: contact.verified,
        code_outstanding: contact.code_outstanding,
        locked_until: contact.locked_until,
    };
    GuardedKey {
        alias: state.alias,
        created: state.created,
        failed_guesses: state.failed_guesses,
        failed_in_a_row: state.failed_in_a_row,
        exhausted_until: state.exhausted_until,
        recoverable: state.recoverable,
        imported: state.imported,
        contacts: state.contacts.into_iter().map(contact).collect(),
    }
}

fn key_id(path: &RawPath) -> Option<GuardedKeyId> {
    let text = path.0.as_ref().ok()?.get(3)?;
    uuid::Uuid::parse_str(text).ok().map(GuardedKeyId)
}
