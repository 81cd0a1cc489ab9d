//! Passwords: recovery (§5.3) and changing (§5.4).

use axum::extract::State;
use domain::{Error, Refusal};
use http::StatusCode;

use crate::People;
use crate::account::{ok, token_sent};
use crate::call::{AnyBody, Body, Calling, OfProcess, Session};
use crate::error::{Failure, Reply};
use crate::wire::{
    ChangePassword, Done, NewPassword, Problems, Process, ProcessPath, SendTo, StartRecovery,
    TokenSent, Verify, recovery_destination,
};

/// Starts a recovery; the same for an unknown user key.
#[utoipa::path(post, operation_id = "startPasswordRecovery", path = "/api/v1/password/recovery", tag = "password", request_body = StartRecovery, security(()),
    responses((status = 200, body = Process), Problems))]
pub(crate) async fn recover(
    State(people): State<People>,
    Calling(caller): Calling,
    Body(form): Body<StartRecovery>,
) -> Reply {
    let id = people
        .start_password_recovery(caller, form.user_key)
        .await?;
    Ok(ok(&Process::of(id)))
}

/// T3: sends the code of a recovery to the key chosen.
#[utoipa::path(post, operation_id = "sendPasswordRecoveryToken", path = "/api/v1/token/password/recovery", tag = "tokens", request_body = SendTo, security(()),
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn recovery_token(
    State(people): State<People>,
    Calling(caller): Calling,
    Body(form): Body<SendTo>,
) -> Reply {
    let (id, kind) = (form.processing_id, form.destination.into());
    let (kind, supplied, sent) = people
        .send_password_recovery_token(caller, id, Some(kind))
        .await?;
    Ok(token_sent(
        Some(recovery_destination(kind, supplied.as_ref())),
        sent,
    ))
}

/// T3 with its process in the path: to the type of the user key that started it.
#[utoipa::path(post, path = "/api/v1/token/password/recovery/{processingId}", params(ProcessPath), responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn recovery_token_by_path(
    State(people): State<People>,
    Calling(caller): Calling,
    OfProcess(id): OfProcess,
) -> Reply {
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
    State(people): State<People>,
    Calling(caller): Calling,
    Body(form): Body<Verify>,
) -> Reply {
    let (id, token) = (form.processing_id, form.one_time_token);
    people.verify_password_recovery(caller, id, token).await?;
    Ok(ok(&Process::of(id)))
}

/// Sets the new password. Ends all sessions and logs nobody in.
#[utoipa::path(post, operation_id = "setRecoveredPassword", path = "/api/v1/password/recovery/newPassword", tag = "password", request_body = NewPassword,
    security(()), responses((status = 200, body = Done), Problems))]
pub(crate) async fn renew(
    State(people): State<People>,
    Calling(caller): Calling,
    Body(form): Body<NewPassword>,
) -> Reply {
    people
        .finish_password_recovery(caller, form.processing_id, form.new_password)
        .await?;
    Ok(ok(&Done {}))
}

/// T6: sends the code that changes the password.
#[utoipa::path(post, operation_id = "sendPasswordChangeToken", path = "/api/v1/token/password/changing", tag = "tokens",
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn change_token(
    State(people): State<People>,
    Session(who): Session,
    Calling(caller): Calling,
    AnyBody: AnyBody,
) -> Reply {
    let (way, sent) = people.send_password_change_token(caller, who).await?;
    Ok(token_sent(Some(way.given), sent))
}

/// Changes the password. All other sessions end.
#[utoipa::path(post, operation_id = "changePassword", path = "/api/v1/password/changing", tag = "password", request_body = ChangePassword,
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn change(
    State(people): State<People>,
    Session(who): Session,
    Calling(caller): Calling,
    Body(form): Body<ChangePassword>,
) -> Reply {
    let (old, new) = (form.old_password, form.new_password);
    let changed = people.change_password(caller, who, old, new, form.one_time_token);
    match changed.await {
        Ok(()) => Ok(ok(&Done {})),
        Err(Error::Refused(Refusal::BadProof { left: None })) => {
            Err(Failure::As(StatusCode::BAD_REQUEST, "OLD_PASSWORD_INVALID"))
        }
        Err(error) => Err(error.into()),
    }
}
