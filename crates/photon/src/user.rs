//! Users: the addresses through which a key is recovered (§7).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::{Error, Keeper, Refusal};

use crate::call::{Call, Malformed};
use crate::error::{self, Fault};
use crate::value;
use crate::wire::{CreateUser, Message, Op, Verify};

/// Registers an address and sends it a code.
#[utoipa::path(post, operation_id = "createUser", path = "/v2/key/{keyId}/user", tag = "users", request_body = CreateUser, security(("pin" = [])),
    params(("keyId" = String, Path, description = "Id of the key")), responses(
    (status = 201, description = "Code sent", body = Message),
    (status = 400, description = "A value is malformed or absent, or the key has 20 users", body = Message),
    (status = 404, description = "Unknown key or wrong PIN", body = Message),
    (status = 409, description = "The user is verified already", body = Message),
    (status = 413, description = "Body too large", body = Message),
    (status = 429, description = "PIN limit or send budget", body = Message),
    (status = 503, description = "Busy", body = Message)))]
pub(crate) async fn create(State(keeper): State<Arc<Keeper>>, call: Call) -> Response {
    let parsed = async {
        let (id, pin) = (call.key_id()?, call.pin()?);
        let (mut fields, caller) = call.fields().await?;
        let user = fields
            .take("userId")
            .and_then(|text| value::user_id(&text))
            .ok_or(Malformed::Invalid)?;
        Ok::<_, Malformed>((caller, id, pin, user))
    };
    let (caller, id, pin, user) = match parsed.await {
        Ok(parsed) => parsed,
        Err(malformed) => return malformed.answer(),
    };
    match keeper.add_contact(caller, id, pin, user).await {
        Ok(()) => error::created(),
        Err(error) => error::answer(&error, Fault("Error creating user"), keeper.now()),
    }
}

/// Presents a code: verifies the user, or takes a PIN reset one step further.
#[utoipa::path(method(put, post), operation_id = "verifyUser", path = "/v2/key/{keyId}/user/{userId}", tag = "users", request_body = Verify, security(()),
    params(("keyId" = String, Path, description = "Id of the key"),
           ("userId" = String, Path, description = "The address, percent-encoded")), responses(
    (status = 200, description = "Verified, or the PIN is replaced", body = Message),
    (status = 304, description = "The lock has opened and the new PIN is missing or malformed; the code stays usable"),
    (status = 400, description = "A value is malformed or absent", body = Message),
    (status = 404, description = "Unknown key or user, nothing waited for, or wrong code", body = Message),
    (status = 413, description = "Body too large", body = Message),
    (status = 423, description = "Time locked; the delay names the moment of opening", body = Message),
    (status = 429, description = "Ten wrong codes in seven days", body = Message),
    (status = 503, description = "Busy", body = Message)))]
pub(crate) async fn verify(State(keeper): State<Arc<Keeper>>, call: Call) -> Response {
    let parsed = async {
        let (id, user) = (call.key_id()?, call.user_id()?);
        let (mut fields, caller) = call.fields().await?;
        let code = fields
            .take("code")
            .and_then(value::code)
            .ok_or(Malformed::Invalid)?;
        let op = match fields.take("op").as_deref() {
            Some("verify") => Op::Verify,
            Some("reset-pin") => Op::ResetPin,
            _ => return Err(Malformed::Invalid),
        };
        let new = fields.take("newPin").and_then(value::pin);
        Ok::<_, Malformed>((caller, id, user, code, op, new))
    };
    let (caller, id, user, code, op, new) = match parsed.await {
        Ok(parsed) => parsed,
        Err(malformed) => return malformed.answer(),
    };
    let (outcome, fault) = match op {
        Op::Verify => (
            keeper.confirm_contact(caller, id, user, code).await,
            Fault("Error verifying user"),
        ),
        Op::ResetPin => (
            keeper.recover(caller, id, user, code, new).await,
            Fault("Error verifying user"),
        ),
    };
    match outcome {
        Ok(()) => error::success(),
        Err(Error::Refused(Refusal::Invalid {
            field: "new_pin", ..
        })) => error::not_modified(),
        Err(error) => error::answer(&error, fault, keeper.now()),
    }
}

/// Starts a PIN reset: sends a code to a verified user.
#[utoipa::path(get, operation_id = "startReset", path = "/v2/key/{keyId}/user/{userId}/reset", tag = "users", security(()),
    params(("keyId" = String, Path, description = "Id of the key"),
           ("userId" = String, Path, description = "The address, percent-encoded")), responses(
    (status = 200, description = "Code sent", body = Message),
    (status = 400, description = "Key id or user id malformed", body = Message),
    (status = 404, description = "Unknown key, unknown or unverified user", body = Message),
    (status = 429, description = "Send budget or wrong-code limit", body = Message),
    (status = 503, description = "Busy", body = Message)))]
pub(crate) async fn reset(State(keeper): State<Arc<Keeper>>, call: Call) -> Response {
    let (id, user) = match (call.key_id(), call.user_id()) {
        (Ok(id), Ok(user)) => (id, user),
        (Err(malformed), _) | (_, Err(malformed)) => return malformed.answer(),
    };
    match keeper.start_recovery(call.caller, id, user).await {
        Ok(()) => error::success(),
        Err(error) => error::answer(&error, Fault("Error resetting pin"), keeper.now()),
    }
}

/// Removes a user with its code, counter and running reset.
#[utoipa::path(delete, operation_id = "removeUser", path = "/v2/key/{keyId}/user/{userId}", tag = "users", security(("pin" = [])),
    params(("keyId" = String, Path, description = "Id of the key"),
           ("userId" = String, Path, description = "The address, percent-encoded")), responses(
    (status = 200, description = "Removed", body = Message),
    (status = 400, description = "A value is malformed or absent", body = Message),
    (status = 404, description = "Unknown key or user, or wrong PIN", body = Message),
    (status = 429, description = "Ten wrong PINs in seven days", body = Message),
    (status = 503, description = "Busy", body = Message)))]
pub(crate) async fn remove(State(keeper): State<Arc<Keeper>>, call: Call) -> Response {
    let (id, user, pin) = match (call.key_id(), call.user_id(), call.pin()) {
        (Ok(id), Ok(user), Ok(pin)) => (id, user, pin),
        (Err(malformed), _, _) | (_, Err(malformed), _) | (_, _, Err(malformed)) => {
            return malformed.answer();
        }
    };
    match keeper.remove_contact(call.caller, id, pin, user).await {
        Ok(()) => error::success(),
        Err(error) => error::answer(&error, Fault("Error deleting user"), keeper.now()),
    }
}
