//! Accounts: register, log in, change, delete (5.1 to 5.7).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::vault::{Edit, LoginProof, Profile};
use domain::{Error, Refusal};

use crate::call::Call;
use crate::error::{self, Fault, Noun};
use crate::front::Front;
use crate::wire::{Challenge, Challenged, LoggedIn, WebToken, auth_of};
use crate::{JOINING, NAMES};

/// Says that the API is there.
#[utoipa::path(get, operation_id = "greet", path = "/api/v1/", tag = "user", security(()), responses(
    (status = 200, description = "It is", body = crate::openapi::Done),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn greet(State(front): State<Arc<Front>>, _call: Call) -> Response {
    front.done()
}

/// Registers an account. With confirmation the answer is the same for every address.
#[utoipa::path(post, operation_id = "register", path = "/api/v1/user", tag = "user", security(()),
    request_body = crate::openapi::Register, responses(
    (status = 200, description = "Registered, or a link was sent", body = crate::openapi::Done),
    (status = 400, description = "A value is malformed or absent", body = crate::openapi::Refused),
    (status = 409, description = "The address is taken, with confirmation switched off", body = crate::openapi::Refused),
    (status = 413, description = "Body too large", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn register(State(front): State<Arc<Front>>, call: Call) -> Response {
    let caller = call.caller.clone();
    let outcome = async {
        let mut fields = call.fields().await?;
        let name = fields.name()?;
        let auth = auth_of(&fields.document()?)
            .cloned()
            .ok_or(Fault::Missing("auth"))?;
        let profile = Profile::check(auth, &NAMES)?;
        match front.vaults.register(caller, name, profile, &JOINING).await {
            Err(Error::Refused(Refusal::Conflict)) => Ok(error::user_exists(&front)),
            registered => Ok(registered.map(|()| front.done())?),
        }
    };
    front.answer(Noun::User, outcome.await)
}

/// Begins a login. Unknown addresses get an answer of the same kind.
#[utoipa::path(post, operation_id = "challenge", path = "/api/v1/user/challenge", tag = "user", security(()),
    request_body = crate::openapi::Email, responses(
    (status = 200, description = "A challenge", body = crate::openapi::ChallengedEnvelope),
    (status = 400, description = "The address is missing or invalid", body = crate::openapi::Refused),
    (status = 413, description = "Body too large", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn challenge(State(front): State<Arc<Front>>, call: Call) -> Response {
    let outcome = async {
        let name = call.fields().await?.name()?;
        let challenge = front.vaults.start_login(name).await?;
        let srp6a = Challenge {
            public: challenge.public,
            salt: challenge.salt,
            reference: challenge.reference,
        };
        Ok(front.ok(&Challenged { srp6a }))
    };
    front.answer(Noun::Challenge, outcome.await)
}

/// Ends a login with a proof of the password.
#[utoipa::path(post, operation_id = "login", path = "/api/v1/user/login", tag = "user", security(()),
    request_body = crate::openapi::Login, responses(
    (status = 200, description = "Signed in", body = crate::openapi::LoggedInEnvelope),
    (status = 400, description = "Malformed, the challenge has expired, or the proof is wrong", body = crate::openapi::Refused),
    (status = 413, description = "Body too large", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests, or too many wrong proofs", body = crate::openapi::Refused)))]
pub(crate) async fn login(State(front): State<Arc<Front>>, call: Call) -> Response {
    let caller = call.caller.clone();
    let outcome = async {
        let mut srp6a = call.fields().await?.object("srp6a")?;
        let public = srp6a.text("A")?;
        let proof = srp6a.text("M1")?;
        let reference = srp6a.text("ref")?;
        let proof = LoginProof {
            public,
            proof,
            reference,
        };
        let welcome = front.vaults.finish_login(caller, proof).await?;
        Ok(front.ok(&LoggedIn(welcome)))
    };
    front.answer(Noun::Challenge, outcome.await)
}

/// Changes the account's object: a whole new one under `auth`, or parts of it.
#[utoipa::path(put, operation_id = "editUser", path = "/api/v1/user", tag = "user",
    request_body = crate::openapi::EditUser, responses(
    (status = 200, description = "Changed", body = crate::openapi::Done),
    (status = 400, description = "A rule is broken", body = crate::openapi::Refused),
    (status = 401, description = "No token", body = crate::openapi::Refused),
    (status = 403, description = "The token has expired", body = crate::openapi::Refused),
    (status = 413, description = "Body too large", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn edit(State(front): State<Arc<Front>>, call: Call) -> Response {
    let caller = call.caller.clone();
    let outcome = async {
        let member = call.member()?;
        let body = call.fields().await?.document()?;
        let edit = match auth_of(&body) {
            Some(auth) => Edit::Replace(auth.clone()),
            None => Edit::Merge(body.without(&["email"])),
        };
        front
            .vaults
            .edit_account(caller, member, edit, &NAMES)
            .await?;
        Ok(front.done())
    };
    front.answer(Noun::User, outcome.await)
}

/// Gives a token for the account page in a browser.
#[utoipa::path(get, operation_id = "webToken", path = "/api/v1/user/webauth", tag = "user", responses(
    (status = 200, description = "A token for one use", body = crate::openapi::WebTokenEnvelope),
    (status = 400, description = "The password was changed", body = crate::openapi::Refused),
    (status = 401, description = "No token", body = crate::openapi::Refused),
    (status = 403, description = "The token has expired", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn web_token(State(front): State<Arc<Front>>, call: Call) -> Response {
    let outcome = async {
        let member = call.member()?;
        let token = front.vaults.issue_web_pass(call.caller, member).await?;
        Ok(front.ok(&WebToken { token }))
    };
    front.answer(Noun::User, outcome.await)
}

/// Deletes the account with everything of it.
#[utoipa::path(delete, operation_id = "deleteUser", path = "/api/v1/user", tag = "user", responses(
    (status = 200, description = "Deleted", body = crate::openapi::Done),
    (status = 400, description = "The password was changed", body = crate::openapi::Refused),
    (status = 401, description = "No token", body = crate::openapi::Refused),
    (status = 403, description = "The token has expired", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn delete(State(front): State<Arc<Front>>, call: Call) -> Response {
    let outcome = async {
        let member = call.member()?;
        front.vaults.delete_account(call.caller, member).await?;
        Ok(front.done())
    };
    front.answer(Noun::User, outcome.await)
}
