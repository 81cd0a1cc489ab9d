//! Keys: create, fetch, change the PIN (§4 to §6).

use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;

use crate::Keys;
use crate::auth::BasicPin;
use crate::call::{Body, Calling, Path};
use crate::error::{self, Reply};
use crate::wire::{ChangePin, CreateKey, Created, Fetched, KeyPath, Message};

/// Creates a key behind a PIN. The key itself is not in the answer.
#[utoipa::path(post, operation_id = "createKey", path = "/v2/key", tag = "keys", request_body = CreateKey, security(()), responses(
    (status = 201, description = "Created", body = Created),
    (status = 400, description = "PIN missing or against its rule", body = Message),
    (status = 413, description = "Body too large", body = Message),
    (status = 429, description = "Too many new keys from this network", body = Message),
    (status = 503, description = "Busy", body = Message)))]
pub(crate) async fn create(
    State(keys): State<Keys>,
    Calling(caller): Calling,
    Body(CreateKey { pin }): Body<CreateKey>,
) -> Reply {
    let created = keys.create_key(caller, pin).await;
    let id = created.map_err(error::of(&keys, "Error creating key"))?;
    let id = id.0.to_string();
    Ok(web::json::reply(StatusCode::CREATED, &Created { id }))
}

/// Returns the encryption key if the PIN is correct.
#[utoipa::path(get, operation_id = "fetchKey", path = "/v2/key/{keyId}", tag = "keys", security(("pin" = [])),
    params(KeyPath), responses(
    (status = 200, description = "The encryption key", body = Fetched),
    (status = 400, description = "Key id or PIN malformed or absent", body = Message),
    (status = 404, description = "Unknown key or wrong PIN", body = Message),
    (status = 429, description = "Ten wrong PINs in seven days", body = Message),
    (status = 503, description = "Busy", body = Message)))]
pub(crate) async fn fetch(
    State(keys): State<Keys>,
    Calling(caller): Calling,
    Path(KeyPath { key_id }): Path<KeyPath>,
    BasicPin(pin): BasicPin,
) -> Reply {
    let opened = keys.open_key(caller, key_id, pin).await;
    let opened = opened.map_err(error::of(&keys, "Error reading key"))?;
    let fetched = Fetched {
        id: opened.id.0.to_string(),
        encryption_key: STANDARD.encode(opened.content.0.expose()),
    };
    Ok(web::json::reply(StatusCode::OK, &fetched))
}

/// Replaces the PIN and stops every running reset.
#[utoipa::path(put, operation_id = "changePin", path = "/v2/key/{keyId}", tag = "keys", request_body = ChangePin, security(("pin" = [])),
    params(KeyPath), responses(
    (status = 200, description = "Changed", body = Message),
    (status = 400, description = "Key id, PIN or new PIN malformed or absent", body = Message),
    (status = 404, description = "Unknown key or wrong PIN", body = Message),
    (status = 413, description = "Body too large", body = Message),
    (status = 429, description = "Ten wrong PINs in seven days", body = Message),
    (status = 503, description = "Busy", body = Message)))]
pub(crate) async fn change_pin(
    State(keys): State<Keys>,
    Calling(caller): Calling,
    Path(KeyPath { key_id }): Path<KeyPath>,
    BasicPin(pin): BasicPin,
    Body(ChangePin { new_pin }): Body<ChangePin>,
) -> Reply {
    let changed = keys.change_pin(caller, key_id, pin, new_pin).await;
    changed.map_err(error::of(&keys, "Error changing pin"))?;
    Ok(error::success())
}
