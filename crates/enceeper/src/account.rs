//! Accounts: register, log in, change, delete (5.1 to 5.7).

use axum::extract::State;
use axum::response::Response;
use domain::vault::{Edit, LoginProof, Profile};

use crate::call::{Body, Calling, Member, Whole};
use crate::error::{self, Failure, Fault, Noun, Reply};
use crate::front::FrontState;
use crate::request::{ByEmail, EditUser, Email, Given, Login, Register};
use crate::wire::{Bare, Challenge, Challenged, Envelope, LoggedIn, WebToken};
use crate::{JOINING, NAMES};

/// Says that the API is there.
#[utoipa::path(get, operation_id = "greet", path = "/api/v1/", tag = "user", security(()), responses(
    (status = 200, description = "It is", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn greet(State(front): State<FrontState>) -> Response {
    front.done()
}

/// The same at the path without the slash (4.1).
#[utoipa::path(get, operation_id = "greetWithoutSlash", path = "/api/v1", responses((status = 200), (status = 429)))]
pub(crate) async fn greet_without_slash(State(front): State<FrontState>) -> Response {
    front.done()
}

/// Registers an account. With confirmation the answer is the same for every address.
#[utoipa::path(post, operation_id = "register", path = "/api/v1/user", tag = "user", security(()),
    request_body = Register, responses(
    (status = 200, description = "Registered, or a link was sent", body = Bare),
    (status = 400, description = "A value is malformed or absent", body = Bare),
    (status = 409, description = "The address is taken, with confirmation switched off", body = Bare),
    (status = 413, description = "Body too large", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn register(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Whole(Register { email, auth: Given }, body): Whole<Register>,
) -> Reply {
    let auth = body.member("auth").cloned();
    let auth = auth.ok_or_else(|| Failure::of(&front, Fault::Member("auth")))?;
    let refused = error::of(&front, Noun::User);
    let profile = Profile::check(auth, &NAMES).map_err(|refusal| refused(refusal.into()))?;
    let Email(name) = email;
    let registered = front.vaults.register(caller, name, profile, &JOINING).await;
    registered.map_err(error::of(&front, Noun::User))?;
    Ok(front.done())
}

/// Begins a login. Unknown addresses get an answer of the same kind.
#[utoipa::path(post, operation_id = "challenge", path = "/api/v1/user/challenge", tag = "user", security(()),
    request_body = ByEmail, responses(
    (status = 200, description = "A challenge", body = Envelope<Challenged>),
    (status = 400, description = "The address is missing or invalid", body = Bare),
    (status = 413, description = "Body too large", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn challenge(
    State(front): State<FrontState>,
    Body(ByEmail { email }): Body<ByEmail>,
) -> Reply {
    let started = front.vaults.start_login(email.0).await;
    let challenge = started.map_err(error::of(&front, Noun::Challenge))?;
    let srp6a = Challenge {
        public: challenge.public,
        salt: challenge.salt,
        reference: challenge.reference,
    };
    Ok(front.ok(Challenged { srp6a }))
}

/// Ends a login with a proof of the password.
#[utoipa::path(post, operation_id = "login", path = "/api/v1/user/login", tag = "user", security(()),
    request_body = Login, responses(
    (status = 200, description = "Signed in", body = Envelope<LoggedIn>),
    (status = 400, description = "Malformed, the challenge has expired, or the proof is wrong", body = Bare),
    (status = 413, description = "Body too large", body = Bare),
    (status = 429, description = "Too many requests, or too many wrong proofs", body = Bare)))]
pub(crate) async fn login(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Body(Login { srp6a }): Body<Login>,
) -> Reply {
    let proof = LoginProof {
        public: srp6a.public.0,
        proof: srp6a.proof.0,
        reference: srp6a.reference.0,
    };
    let finished = front.vaults.finish_login(caller, proof).await;
    let welcome = finished.map_err(error::of(&front, Noun::Challenge))?;
    Ok(front.ok(LoggedIn::from(welcome)))
}

/// Changes the account's object: a whole new one under `auth`, or parts of it.
#[utoipa::path(put, operation_id = "editUser", path = "/api/v1/user", tag = "user",
    request_body = EditUser, responses(
    (status = 200, description = "Changed", body = Bare),
    (status = 400, description = "A rule is broken", body = Bare),
    (status = 401, description = "No token", body = Bare),
    (status = 403, description = "The token has expired", body = Bare),
    (status = 413, description = "Body too large", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn edit(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Member(member): Member,
    Whole(EditUser {}, body): Whole<EditUser>,
) -> Reply {
    let edit = match body.member("auth") {
        Some(auth) => Edit::Replace(auth.clone()),
        None => Edit::Merge(body.without(&["email"])),
    };
    let edited = front
        .vaults
        .edit_account(caller, member, edit, &NAMES)
        .await;
    edited.map_err(error::of(&front, Noun::User))?;
    Ok(front.done())
}

/// Gives a token for the account page in a browser.
#[utoipa::path(get, operation_id = "webToken", path = "/api/v1/user/webauth", tag = "user", responses(
    (status = 200, description = "A token for one use", body = Envelope<WebToken>),
    (status = 400, description = "The password was changed", body = Bare),
    (status = 401, description = "No token", body = Bare),
    (status = 403, description = "The token has expired", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn web_token(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Member(member): Member,
) -> Reply {
    let issued = front.vaults.issue_web_pass(caller, member).await;
    let token = issued.map_err(error::of(&front, Noun::User))?;
    Ok(front.ok(WebToken { token }))
}

/// Deletes the account with everything of it.
#[utoipa::path(delete, operation_id = "deleteUser", path = "/api/v1/user", tag = "user", responses(
    (status = 200, description = "Deleted", body = Bare),
    (status = 400, description = "The password was changed", body = Bare),
    (status = 401, description = "No token", body = Bare),
    (status = 403, description = "The token has expired", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn delete(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Member(member): Member,
) -> Reply {
    let deleted = front.vaults.delete_account(caller, member).await;
    deleted.map_err(error::of(&front, Noun::User))?;
    Ok(front.done())
}
