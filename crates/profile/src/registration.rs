//! Registration (§5.1).

use axum::extract::State;
use domain::person::registration::SecondStep;

use crate::People;
use crate::account::{ok, token_sent};
use crate::call::{Body, Calling, OfProcess};
use crate::error::Reply;
use crate::wire::{
    Problems, Process, ProcessPath, Registered, SetPassword, TokenSent, UserKey, VerifyRegistration,
};

/// Starts a registration; the same for a user key that is taken.
#[utoipa::path(post, operation_id = "startRegistration", path = "/api/v1/registration", tag = "registration", request_body = UserKey, security(()),
    responses((status = 200, body = Process), Problems))]
pub(crate) async fn start(
    State(people): State<People>,
    Calling(caller): Calling,
    Body(form): Body<UserKey>,
) -> Reply {
    let id = people.start_registration(caller, form.user_key).await?;
    Ok(ok(&Process::of(id)))
}

/// T1: sends the code of a registration.
#[utoipa::path(post, operation_id = "sendRegistrationToken", path = "/api/v1/token/registration/{processingId}", tag = "tokens", security(()),
    params(ProcessPath),
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn token(
    State(people): State<People>,
    Calling(caller): Calling,
    OfProcess(id): OfProcess,
) -> Reply {
    let (way, sent) = people.send_registration_token(caller, id).await?;
    Ok(token_sent(Some(way.given), sent))
}

/// Takes the code of a registration.
#[utoipa::path(post, operation_id = "verifyRegistration", path = "/api/v1/registration/verification", tag = "registration", request_body = VerifyRegistration,
    security(()), responses((status = 200, body = Process), Problems))]
pub(crate) async fn verify(
    State(people): State<People>,
    Calling(caller): Calling,
    Body(form): Body<VerifyRegistration>,
) -> Reply {
    let (id, token) = (form.processing_id, form.one_time_token);
    let wish = match form.is_mfa_enabled.or(form.older_is_mfa_enabled) {
        Some(true) => SecondStep::On,
        Some(false) | None => SecondStep::Off,
    };
    people.verify_registration(caller, id, token, wish).await?;
    Ok(ok(&Process::of(id)))
}

/// Sets the password: the account exists.
#[utoipa::path(post, operation_id = "finishRegistration", path = "/api/v1/registration/password", tag = "registration", request_body = SetPassword,
    security(()), responses((status = 200, body = Registered), Problems))]
pub(crate) async fn finish(
    State(people): State<People>,
    Calling(caller): Calling,
    Body(form): Body<SetPassword>,
) -> Reply {
    let account = people
        .finish_registration(caller, form.processing_id, form.password)
        .await?;
    Ok(ok(&Registered {
        user_id: account.0.to_string(),
    }))
}
