//! Registration (§5.1).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::People;
use domain::password::Password;
use domain::person::registration::SecondStep;

use crate::account::{ok, token_sent};
use crate::call::Call;
use crate::error::Fault;
use crate::wire::{
    Problems, Process, Registered, SetPassword, TokenSent, UserKey, VerifyRegistration,
};

/// Starts a registration; the same for a user key that is taken.
#[utoipa::path(post, operation_id = "startRegistration", path = "/api/v1/registration", tag = "registration", request_body = UserKey, security(()),
    responses((status = 200, body = Process), Problems))]
pub(crate) async fn start(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.fields().await?;
    let way = fields.way("userKey")?;
    fields.optional("referralCode")?;
    let id = people.start_registration(caller, way).await?;
    Ok(ok(&Process::of(id)))
}

/// T1: sends the code of a registration.
#[utoipa::path(post, operation_id = "sendRegistrationToken", path = "/api/v1/token/registration/{processingId}", tag = "tokens", security(()),
    params(("processingId" = String, Path, description = "Id of the process")),
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn token(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (fields, caller) = call.fields().await?;
    let id = fields.process_in_path()?;
    let (way, sent) = people.send_registration_token(caller, id).await?;
    Ok(token_sent(Some(way.given), sent))
}

/// Takes the code of a registration.
#[utoipa::path(post, operation_id = "verifyRegistration", path = "/api/v1/registration/verification", tag = "registration", request_body = VerifyRegistration,
    security(()), responses((status = 200, body = Process), Problems))]
pub(crate) async fn verify(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.fields().await?;
    let (id, token) = (fields.process()?, fields.token()?);
    let wish = fields
        .flag("isMfaEnabled")?
        .or(fields.flag("isMFAEnabled")?);
    let wish = if wish == Some(true) {
        SecondStep::On
    } else {
        SecondStep::Off
    };
    people.verify_registration(caller, id, token, wish).await?;
    Ok(ok(&Process::of(id)))
}

/// Sets the password: the account exists.
#[utoipa::path(post, operation_id = "finishRegistration", path = "/api/v1/registration/password", tag = "registration", request_body = SetPassword,
    security(()), responses((status = 200, body = Registered), Problems))]
pub(crate) async fn finish(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.fields().await?;
    let (id, password) = (fields.process()?, Password::new(&fields.text("password")?));
    let account = people.finish_registration(caller, id, password).await?;
    Ok(ok(&Registered {
        user_id: account.0.to_string(),
    }))
}
