//! Passwords: recovery (§5.3) and changing (§5.4).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::password::Password;
use domain::{Error, People, Refusal};
use http::StatusCode;

use crate::account::{ok, token_sent};
use crate::call::Call;
use crate::error::Fault;
use crate::wire::{
    ChangePassword, Done, NewPassword, Problems, Process, SendTo, TokenSent, UserKey, Verify,
    recovery_destination,
};

/// Starts a recovery; the same for an unknown user key.
#[utoipa::path(post, operation_id = "startPasswordRecovery", path = "/api/v1/password/recovery", tag = "password", request_body = UserKey, security(()),
    responses((status = 200, body = Process), Problems))]
pub(crate) async fn recover(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.fields().await?;
    let way = fields.way("userKey")?;
    let id = people.start_password_recovery(caller, way).await?;
    Ok(ok(&Process::of(id)))
}

/// T3: sends the code of a recovery to the key chosen.
#[utoipa::path(post, operation_id = "sendPasswordRecoveryToken", path = "/api/v1/token/password/recovery", tag = "tokens", request_body = SendTo, security(()),
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn recovery_token(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.fields().await?;
    let (kind, id) = (fields.kind("destination")?, fields.process()?);
    let (kind, supplied, sent) = people
        .send_password_recovery_token(caller, id, Some(kind))
        .await?;
    Ok(token_sent(
        Some(recovery_destination(kind, supplied.as_ref())),
        sent,
    ))
}

/// T3 with its process in the path: to the type of the user key that started it.
pub(crate) async fn recovery_token_by_path(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (fields, caller) = call.fields().await?;
    let id = fields.process_in_path()?;
    let (kind, supplied, sent) = people
        .send_password_recovery_token(caller, id, None)
        .await?;
    Ok(token_sent(
        Some(recovery_destination(kind, supplied.as_ref())),
        sent,
    ))
}

/// Takes the code of a recovery.
#[utoipa::path(post, operation_id = "verifyPasswordRecovery", path = "/api/v1/password/recovery/verification", tag = "password", request_body = Verify,
    security(()), responses((status = 200, body = Process), Problems))]
pub(crate) async fn verify(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.fields().await?;
    let (id, token) = (fields.process()?, fields.token()?);
    people.verify_password_recovery(caller, id, token).await?;
    Ok(ok(&Process::of(id)))
}

/// Sets the new password. Ends all sessions and logs nobody in.
#[utoipa::path(post, operation_id = "setRecoveredPassword", path = "/api/v1/password/recovery/newPassword", tag = "password", request_body = NewPassword,
    security(()), responses((status = 200, body = Done), Problems))]
pub(crate) async fn renew(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.fields().await?;
    let (id, password) = (
        fields.process()?,
        Password::new(&fields.text("newPassword")?),
    );
    people
        .finish_password_recovery(caller, id, password)
        .await?;
    Ok(ok(&Done {}))
}

/// T6: sends the code that changes the password.
#[utoipa::path(post, operation_id = "sendPasswordChangeToken", path = "/api/v1/token/password/changing", tag = "tokens",
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn change_token(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (who, _, caller) = call.of_account(&people).await?;
    let (way, sent) = people.send_password_change_token(caller, who).await?;
    Ok(token_sent(Some(way.given), sent))
}

/// Changes the password. All other sessions end.
#[utoipa::path(post, operation_id = "changePassword", path = "/api/v1/password/changing", tag = "password", request_body = ChangePassword,
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn change(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (who, mut fields, caller) = call.of_account(&people).await?;
    let old = Password::new(&fields.text("oldPassword")?);
    let new = Password::new(&fields.text("newPassword")?);
    let token = fields.token()?;
    match people.change_password(caller, who, old, new, token).await {
        Ok(()) => Ok(ok(&Done {})),
        Err(Error::Refused(Refusal::BadProof { left: None })) => {
            Err(Fault::As(StatusCode::BAD_REQUEST, "OLD_PASSWORD_INVALID"))
        }
        Err(error) => Err(error.into()),
    }
}
