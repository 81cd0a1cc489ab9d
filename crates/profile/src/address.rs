//! User keys: recovery of a lost one (§5.5), adding, changing, removing (§5.6).

use axum::extract::State;

use crate::People;
use crate::account::{ok, token_sent};
use crate::call::{Body, Calling, Either, SecondSteps, Session};
use crate::error::{Failure, Reply};
use crate::wire::{
    AddEmail, AddKey, AddPhone, ChangeKey, Done, KeyOfType, NewEmail, NewPhone, Problems, Process,
    RecoverKey, RemoveKey, SendChangedKey, SendNewKey, SendRecovery, TokenSent, Verify,
    VerifyRecovery,
};

/// Starts the recovery of a lost key, with the password.
#[utoipa::path(post, operation_id = "startKeyRecovery", path = "/api/v1/userKeys/recovery", tag = "user keys", request_body = RecoverKey, security(()),
    responses((status = 200, body = Process), Problems))]
pub(crate) async fn recover(
    State(people): State<People>,
    SecondSteps: SecondSteps,
    Calling(caller): Calling,
    Body(form): Body<RecoverKey>,
) -> Reply {
    let (way, lost) = (form.user_key, form.key_type.into());
    let id = people
        .start_address_recovery(caller, way, form.password, lost)
        .await?;
    Ok(ok(&Process::of(id)))
}

/// T4: sends a code to the key that is not lost.
#[utoipa::path(post, operation_id = "sendKeyRecoveryToken", path = "/api/v1/token/userKeys/recovery/verification", tag = "tokens", request_body = SendRecovery,
    security(()), responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn recovery_token(
    State(people): State<People>,
    SecondSteps: SecondSteps,
    Calling(caller): Calling,
    Body(form): Body<SendRecovery>,
) -> Reply {
    let (id, to) = (form.processing_id, form.destination.map(Into::into));
    let (way, sent) = people.send_address_recovery_token(caller, id, to).await?;
    Ok(token_sent(Some(way.masked()), sent))
}

/// Takes the code of the key that is not lost.
#[utoipa::path(post, operation_id = "verifyKeyRecovery", path = "/api/v1/userKeys/recovery/verification", tag = "user keys", request_body = VerifyRecovery,
    security(()), responses((status = 200, body = Process), Problems))]
pub(crate) async fn verify_recovery(
    State(people): State<People>,
    SecondSteps: SecondSteps,
    Calling(caller): Calling,
    Body(form): Body<VerifyRecovery>,
) -> Reply {
    let id = form.processing_id;
    people
        .verify_address_recovery(caller, id, form.one_time_token, form.google_token)
        .await?;
    Ok(ok(&Process::of(id)))
}

/// T5: sends a code to the new key.
#[utoipa::path(post, operation_id = "sendRecoveredKeyToken", path = "/api/v1/token/userKeys/recovery/newKey", tag = "tokens", request_body = SendNewKey,
    security(()), responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn recovered_token(
    State(people): State<People>,
    SecondSteps: SecondSteps,
    Calling(caller): Calling,
    Body(form): Body<SendNewKey>,
) -> Reply {
    let (id, way) = (form.processing_id, form.destination);
    let sent = people.send_recovered_address_token(caller, id, way).await?;
    Ok(token_sent(None, sent))
}

/// Replaces the lost key. All sessions end.
#[utoipa::path(post, operation_id = "finishKeyRecovery", path = "/api/v1/userKeys/recovery/newKey", tag = "user keys", request_body = Verify, security(()),
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn finish_recovery(
    State(people): State<People>,
    SecondSteps: SecondSteps,
    Calling(caller): Calling,
    Body(form): Body<Verify>,
) -> Reply {
    let (id, token) = (form.processing_id, form.one_time_token);
    people.finish_address_recovery(caller, id, token).await?;
    Ok(ok(&Done {}))
}

/// T7: sends a code to a new email.
#[utoipa::path(post, operation_id = "sendNewEmailToken", path = "/api/v1/token/userKeys/adding/email", tag = "tokens",
    params(NewEmail),
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn adding_email_token(
    State(people): State<People>,
    Session(who): Session,
    Calling(caller): Calling,
    Either(NewEmail { new_email }): Either<NewEmail>,
) -> Reply {
    let sent = people.send_adding_token(caller, who, new_email).await?;
    Ok(token_sent(None, sent))
}

/// T8: sends a code to a new phone number.
#[utoipa::path(post, operation_id = "sendNewPhoneToken", path = "/api/v1/token/userKeys/adding/phoneNumber", tag = "tokens",
    params(NewPhone),
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn adding_phone_token(
    State(people): State<People>,
    Session(who): Session,
    Calling(caller): Calling,
    Either(NewPhone { new_phone_number }): Either<NewPhone>,
) -> Reply {
    let sent = people
        .send_adding_token(caller, who, new_phone_number)
        .await?;
    Ok(token_sent(None, sent))
}

/// T7 and T8 as version 8 had them.
#[utoipa::path(post, path = "/api/v1/token/userKeys/adding", request_body = AddKey, responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn adding_token(
    State(people): State<People>,
    Session(who): Session,
    Calling(caller): Calling,
    Body(form): Body<AddKey>,
) -> Reply {
    let (kind, way) = (form.key_type.into(), form.new_user_key);
    if way.kind != kind {
        return Err(Failure::Malformed);
    }
    let sent = people.send_adding_token(caller, who, way).await?;
    Ok(token_sent(None, sent))
}

/// Adds an email.
#[utoipa::path(post, operation_id = "addEmail", path = "/api/v1/userKeys/adding/email", tag = "user keys", request_body = AddEmail,
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn add_email(
    State(people): State<People>,
    Session(who): Session,
    Calling(caller): Calling,
    Body(form): Body<AddEmail>,
) -> Reply {
    let (way, token) = (form.new_email, form.one_time_token);
    people.add_address(caller, who, way, token).await?;
    Ok(ok(&Done {}))
}

/// Adds a phone number.
#[utoipa::path(post, operation_id = "addPhone", path = "/api/v1/userKeys/adding/phoneNumber", tag = "user keys", request_body = AddPhone,
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn add_phone(
    State(people): State<People>,
    Session(who): Session,
    Calling(caller): Calling,
    Body(form): Body<AddPhone>,
) -> Reply {
    let (way, token) = (form.new_phone_number, form.one_time_token);
    people.add_address(caller, who, way, token).await?;
    Ok(ok(&Done {}))
}

/// T9: sends a code to the key that is to be changed.
#[utoipa::path(post, operation_id = "sendKeyChangeToken", path = "/api/v1/token/userKeys/changing", tag = "tokens",
    params(KeyOfType),
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn change_token(
    State(people): State<People>,
    Session(who): Session,
    Calling(caller): Calling,
    Either(KeyOfType { key_type }): Either<KeyOfType>,
) -> Reply {
    let sent = people
        .send_change_token(caller, who, key_type.into())
        .await?;
    Ok(token_sent(None, sent))
}

/// T10: takes the code of the old key and sends one to the new key.
#[utoipa::path(post, operation_id = "sendChangedKeyToken", path = "/api/v1/token/userKeys/changing/newKey", tag = "tokens", request_body = SendChangedKey,
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn changed_token(
    State(people): State<People>,
    Session(who): Session,
    Calling(caller): Calling,
    Body(form): Body<SendChangedKey>,
) -> Reply {
    let (way, token) = (form.new_user_key, form.one_time_token);
    let sent = people
        .send_changed_address_token(caller, who, way, token)
        .await?;
    Ok(token_sent(None, sent))
}

/// Changes the key to the one that the second code went to.
#[utoipa::path(post, operation_id = "changeKey", path = "/api/v1/userKeys/changing", tag = "user keys", request_body = ChangeKey,
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn change(
    State(people): State<People>,
    Session(who): Session,
    Calling(caller): Calling,
    Body(form): Body<ChangeKey>,
) -> Reply {
    let (way, token) = (form.new_user_key, form.one_time_token);
    people.change_address(caller, who, way, token).await?;
    Ok(ok(&Done {}))
}

/// T11: sends a code to the key that is to be removed.
#[utoipa::path(post, operation_id = "sendKeyRemovalToken", path = "/api/v1/token/userKeys/removing", tag = "tokens",
    params(KeyOfType),
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn removing_token(
    State(people): State<People>,
    Session(who): Session,
    Calling(caller): Calling,
    Either(KeyOfType { key_type }): Either<KeyOfType>,
) -> Reply {
    let sent = people
        .send_removing_token(caller, who, key_type.into())
        .await?;
    Ok(token_sent(None, sent))
}

/// Removes a key.
#[utoipa::path(post, operation_id = "removeKey", path = "/api/v1/userKeys/removing", tag = "user keys", request_body = RemoveKey,
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn remove(
    State(people): State<People>,
    Session(who): Session,
    Calling(caller): Calling,
    Body(form): Body<RemoveKey>,
) -> Reply {
    let (kind, token) = (form.key_type.into(), form.one_time_token);
    people.remove_address(caller, who, kind, token).await?;
    Ok(ok(&Done {}))
}
