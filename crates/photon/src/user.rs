//! Users: the addresses through which a key is recovered (§7).

use axum::extract::State;

use crate::Keys;
use crate::auth::BasicPin;
use crate::call::{Body, Calling, Path};
use crate::error::{self, Reply};
use crate::wire::{CreateUser, KeyPath, Message, Op, UserPath, Verify};

/// Registers an address and sends it a code.
#[utoipa::path(post, operation_id = "createUser", path = "/v2/key/{keyId}/user", tag = "users", request_body = CreateUser, security(("pin" = [])),
    params(KeyPath), responses(
    (status = 201, description = "Code sent", body = Message),
    (status = 400, description = "A value is malformed or absent, or the key has 20 users", body = Message),
    (status = 404, description = "Unknown key or wrong PIN", body = Message),
    (status = 409, description = "The user is verified already", body = Message),
    (status = 413, description = "Body too large", body = Message),
    (status = 429, description = "PIN limit or send budget", body = Message),
    (status = 503, description = "Busy", body = Message)))]
pub(crate) async fn create(
    State(keys): State<Keys>,
    Calling(caller): Calling,
    Path(KeyPath { key_id }): Path<KeyPath>,
    BasicPin(pin): BasicPin,
    Body(CreateUser { user_id }): Body<CreateUser>,
) -> Reply {
    let added = keys.add_contact(caller, key_id, pin, user_id).await;
    added.map_err(error::of(&keys, "Error creating user"))?;
    Ok(error::created())
}

/// Presents a code: verifies the user, or takes a PIN reset one step further.
#[utoipa::path(method(put, post), operation_id = "verifyUser", path = "/v2/key/{keyId}/user/{userId}", tag = "users", request_body = Verify, security(()),
    params(UserPath), responses(
    (status = 200, description = "Verified, or the PIN is replaced", body = Message),
    (status = 304, description = "The lock has opened and the new PIN is missing or malformed; the code stays usable"),
    (status = 400, description = "A value is malformed or absent", body = Message),
    (status = 404, description = "Unknown key or user, nothing waited for, or wrong code", body = Message),
    (status = 413, description = "Body too large", body = Message),
    (status = 423, description = "Time locked; the delay names the moment of opening", body = Message),
    (status = 429, description = "Ten wrong codes in seven days", body = Message),
    (status = 503, description = "Busy", body = Message)))]
pub(crate) async fn verify(
    State(keys): State<Keys>,
    Calling(caller): Calling,
    Path(UserPath { key_id, user_id }): Path<UserPath>,
    Body(Verify { code, op, new_pin }): Body<Verify>,
) -> Reply {
    let verified = match op {
        Op::Verify => keys.confirm_contact(caller, key_id, user_id, code).await,
        Op::ResetPin => keys.recover(caller, key_id, user_id, code, new_pin).await,
    };
    verified.map_err(error::of(&keys, "Error verifying user"))?;
    Ok(error::success())
}

/// Starts a PIN reset: sends a code to a verified user.
#[utoipa::path(get, operation_id = "startReset", path = "/v2/key/{keyId}/user/{userId}/reset", tag = "users", security(()),
    params(UserPath), responses(
    (status = 200, description = "Code sent", body = Message),
    (status = 400, description = "Key id or user id malformed", body = Message),
    (status = 404, description = "Unknown key, unknown or unverified user", body = Message),
    (status = 429, description = "Send budget or wrong-code limit", body = Message),
    (status = 503, description = "Busy", body = Message)))]
pub(crate) async fn reset(
    State(keys): State<Keys>,
    Calling(caller): Calling,
    Path(UserPath { key_id, user_id }): Path<UserPath>,
) -> Reply {
    let started = keys.start_recovery(caller, key_id, user_id).await;
    started.map_err(error::of(&keys, "Error resetting pin"))?;
    Ok(error::success())
}

/// Removes a user with its code, counter and running reset.
#[utoipa::path(delete, operation_id = "removeUser", path = "/v2/key/{keyId}/user/{userId}", tag = "users", security(("pin" = [])),
    params(UserPath), responses(
    (status = 200, description = "Removed", body = Message),
    (status = 400, description = "A value is malformed or absent", body = Message),
    (status = 404, description = "Unknown key or user, or wrong PIN", body = Message),
    (status = 429, description = "Ten wrong PINs in seven days", body = Message),
    (status = 503, description = "Busy", body = Message)))]
pub(crate) async fn remove(
    State(keys): State<Keys>,
    Calling(caller): Calling,
    Path(UserPath { key_id, user_id }): Path<UserPath>,
    BasicPin(pin): BasicPin,
) -> Reply {
    let removed = keys.remove_contact(caller, key_id, pin, user_id).await;
    removed.map_err(error::of(&keys, "Error deleting user"))?;
    Ok(error::success())
}
