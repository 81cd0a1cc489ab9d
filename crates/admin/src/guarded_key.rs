//! PIN-guarded keys, as far as an operator may see and touch them. There is no way to read a PIN or a key,
//! and none to shorten a lock.

use admin_wire::{Contact, ErrorBody, GuardedKey};
use axum::extract::State;
use domain::guarded_key::{ContactState, KeyState};
use http::StatusCode;

use crate::Shared;
use crate::auth::Operator;
use crate::call::Path;
use crate::error::Reply;
use crate::message;
use crate::path::KeyPath;
use crate::wire::Deleted;

/// State of a PIN-guarded key.
#[utoipa::path(get, operation_id = "showGuardedKey", path = "/admin/v1/guarded-keys/{keyId}", tag = "guarded keys",
    params(KeyPath), responses(
    (status = 200, body = GuardedKey), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn show(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Path(KeyPath { key_id }): Path<KeyPath>,
) -> Reply {
    let keys = &admin.services.guarded_keys;
    let state = keys.key_state(&operator, key_id).await?;
    Ok(web::json::reply(StatusCode::OK, &shown(state)))
}

/// Deletes a key with its users, codes and counters.
#[utoipa::path(delete, operation_id = "deleteGuardedKey", path = "/admin/v1/guarded-keys/{keyId}", tag = "guarded keys",
    params(KeyPath), responses(
    (status = 200, body = Deleted), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn delete(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Path(KeyPath { key_id }): Path<KeyPath>,
) -> Reply {
    let keys = &admin.services.guarded_keys;
    keys.delete_key(&operator, key_id).await?;
    let deleted = Deleted { deleted: true };
    Ok(web::json::reply(StatusCode::OK, &deleted))
}

fn shown(state: KeyState) -> GuardedKey {
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

fn contact(state: ContactState) -> Contact {
    Contact {
        alias: state.alias,
        channel: state.channel.map(message::channel_shown),
        verified: state.verified,
        code_outstanding: state.code_outstanding,
        locked_until: state.locked_until,
    }
}
