//! Keys: create, fetch, change the PIN (§4 to §6).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Keeper;
use http::StatusCode;

use crate::call::{Call, Malformed};
use crate::error::{self, Fault};
use crate::value;
use crate::wire::{ChangePin, CreateKey, Created, Fetched, Message};

/// Creates a key behind a PIN. The key itself is not in the answer.
#[utoipa::path(post, operation_id = "createKey", path = "/v2/key", tag = "keys", request_body = CreateKey, security(()), responses(
    (status = 201, description = "Created", body = Created),
    (status = 400, description = "PIN missing or against its rule", body = Message),
    (status = 413, description = "Body too large", body = Message),
    (status = 429, description = "Too many new keys from this network", body = Message),
    (status = 503, description = "Busy", body = Message)))]
pub(crate) async fn create(State(keeper): State<Arc<Keeper>>, call: Call) -> Response {
    let (pin, caller) = match async {
        let (mut fields, caller) = call.fields().await?;
        let pin = fields
            .take("pin")
            .and_then(value::pin)
            .ok_or(Malformed::Invalid)?;
        Ok::<_, Malformed>((pin, caller))
    }
    .await
    {
        Ok(parsed) => parsed,
        Err(malformed) => return malformed.answer(),
    };
    match keeper.create_key(caller, pin).await {
        Ok(id) => web::json::reply(
            StatusCode::CREATED,
            &Created {
                id: id.0.to_string(),
            },
        ),
        Err(error) => error::answer(&error, Fault("Error creating key"), keeper.now()),
    }
}

/// Gives the encryption key to who knows the PIN.
#[utoipa::path(get, operation_id = "fetchKey", path = "/v2/key/{keyId}", tag = "keys", security(("pin" = [])),
    params(("keyId" = String, Path, description = "Id of the key")), responses(
    (status = 200, description = "The encryption key", body = Fetched),
    (status = 400, description = "Key id or PIN malformed or absent", body = Message),
    (status = 404, description = "Unknown key or wrong PIN", body = Message),
    (status = 429, description = "Ten wrong PINs in seven days", body = Message),
    (status = 503, description = "Busy", body = Message)))]
pub(crate) async fn fetch(State(keeper): State<Arc<Keeper>>, call: Call) -> Response {
    let (id, pin) = match (call.key_id(), call.pin()) {
        (Ok(id), Ok(pin)) => (id, pin),
        (Err(malformed), _) | (_, Err(malformed)) => return malformed.answer(),
    };
    match keeper.open_key(call.caller, id, pin).await {
        Ok(opened) => {
            let encryption_key = STANDARD.encode(opened.content.0.expose());
            web::json::reply(
                StatusCode::OK,
                &Fetched {
                    id: opened.id.0.to_string(),
                    encryption_key,
                },
            )
        }
        Err(error) => error::answer(&error, Fault("Error reading key"), keeper.now()),
    }
}

/// Replaces the PIN; stops every running reset.
#[utoipa::path(put, operation_id = "changePin", path = "/v2/key/{keyId}", tag = "keys", request_body = ChangePin, security(("pin" = [])),
    params(("keyId" = String, Path, description = "Id of the key")), responses(
    (status = 200, description = "Changed", body = Message),
    (status = 400, description = "Key id, PIN or new PIN malformed or absent", body = Message),
    (status = 404, description = "Unknown key or wrong PIN", body = Message),
    (status = 413, description = "Body too large", body = Message),
    (status = 429, description = "Ten wrong PINs in seven days", body = Message),
    (status = 503, description = "Busy", body = Message)))]
pub(crate) async fn change_pin(State(keeper): State<Arc<Keeper>>, call: Call) -> Response {
    let parsed = async {
        let (id, pin) = (call.key_id()?, call.pin()?);
        let (mut fields, caller) = call.fields().await?;
        let new = fields
            .take("newPin")
            .and_then(value::pin)
            .ok_or(Malformed::Invalid)?;
        Ok::<_, Malformed>((caller, id, pin, new))
    };
    let (caller, id, pin, new) = match parsed.await {
        Ok(parsed) => parsed,
        Err(malformed) => return malformed.answer(),
    };
    match keeper.change_pin(caller, id, pin, new).await {
        Ok(()) => error::success(),
        Err(error) => error::answer(&error, Fault("Error changing pin"), keeper.now()),
    }
}
