//! User keys: recovery of a lost one (§5.5), adding, changing, removing (§5.6).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::People;
use domain::password::Password;
use domain::person::Way;
use domain::person::policy::Feature;

use crate::account::{ok, token_sent};
use crate::call::Call;
use crate::error::Fault;
use crate::value;
use crate::wire::{
    AddEmail, AddPhone, ChangeKey, Done, Problems, Process, RecoverKey, RemoveKey, SendNewKey,
    SendRecovery, TokenSent, Verify, VerifyRecovery,
};

/// Starts the recovery of a lost key, with the password.
#[utoipa::path(post, operation_id = "startKeyRecovery", path = "/api/v1/userKeys/recovery", tag = "user keys", request_body = RecoverKey, security(()),
    responses((status = 200, body = Process), Problems))]
pub(crate) async fn recover(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.needs(&people, Feature::SecondStep)?.fields().await?;
    let way = fields.way("userKey")?;
    let password = Password::new(&fields.text("password")?);
    let lost = fields.kind("keyType")?;
    let id = people
        .start_address_recovery(caller, way, password, lost)
        .await?;
    Ok(ok(&Process::of(id)))
}

/// T4: sends a code to the key that is not lost.
#[utoipa::path(post, operation_id = "sendKeyRecoveryToken", path = "/api/v1/token/userKeys/recovery/verification", tag = "tokens", request_body = SendRecovery,
    security(()), responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn recovery_token(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.needs(&people, Feature::SecondStep)?.fields().await?;
    let id = fields.process()?;
    let to = fields.optional_as("destination", value::kind)?;
    let (way, sent) = people.send_address_recovery_token(caller, id, to).await?;
    Ok(token_sent(Some(way.masked()), sent))
}

/// Takes the code of the key that is not lost.
#[utoipa::path(post, operation_id = "verifyKeyRecovery", path = "/api/v1/userKeys/recovery/verification", tag = "user keys", request_body = VerifyRecovery,
    security(()), responses((status = 200, body = Process), Problems))]
pub(crate) async fn verify_recovery(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.needs(&people, Feature::SecondStep)?.fields().await?;
    let (id, token) = (fields.process()?, fields.token()?);
    let app = fields.optional_as("googleToken", value::app_code)?;
    people
        .verify_address_recovery(caller, id, token, app)
        .await?;
    Ok(ok(&Process::of(id)))
}

/// T5: sends a code to the new key.
#[utoipa::path(post, operation_id = "sendRecoveredKeyToken", path = "/api/v1/token/userKeys/recovery/newKey", tag = "tokens", request_body = SendNewKey,
    security(()), responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn recovered_token(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.needs(&people, Feature::SecondStep)?.fields().await?;
    let (way, id) = (fields.way("destination")?, fields.process()?);
    let sent = people.send_recovered_address_token(caller, id, way).await?;
    Ok(token_sent(None, sent))
}

/// Replaces the lost key. All sessions end.
#[utoipa::path(post, operation_id = "finishKeyRecovery", path = "/api/v1/userKeys/recovery/newKey", tag = "user keys", request_body = Verify, security(()),
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn finish_recovery(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (mut fields, caller) = call.needs(&people, Feature::SecondStep)?.fields().await?;
    let (id, token) = (fields.process()?, fields.token()?);
    people.finish_address_recovery(caller, id, token).await?;
    Ok(ok(&Done {}))
}

/// T7: sends a code to a new email.
#[utoipa::path(post, operation_id = "sendNewEmailToken", path = "/api/v1/token/userKeys/adding/email", tag = "tokens",
    params(("newEmail" = Option<String>, Query, description = "Here or in the body")),
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn adding_email_token(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    send_adding_token(people, call, "newEmail", value::email).await
}

/// T8: sends a code to a new phone number.
#[utoipa::path(post, operation_id = "sendNewPhoneToken", path = "/api/v1/token/userKeys/adding/phoneNumber", tag = "tokens",
    params(("newPhoneNumber" = Option<String>, Query, description = "Here or in the body, with its plus")),
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn adding_phone_token(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    send_adding_token(people, call, "newPhoneNumber", value::phone).await
}

async fn send_adding_token(
    people: Arc<People>,
    call: Call,
    name: &str,
    parse: fn(&str) -> Option<Way>,
) -> Result<Response, Fault> {
    let (who, mut fields, caller) = call.of_account(&people).await?;
    let way = fields.either(name, parse)?;
    let sent = people.send_adding_token(caller, who, way).await?;
    Ok(token_sent(None, sent))
}

/// T7 and T8 as version 8 had them.
pub(crate) async fn adding_token(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (who, mut fields, caller) = call.of_account(&people).await?;
    let (kind, way) = (fields.kind("keyType")?, fields.way("newUserKey")?);
    if way.kind != kind {
        return Err(Fault::Malformed);
    }
    let sent = people.send_adding_token(caller, who, way).await?;
    Ok(token_sent(None, sent))
}

/// Adds an email.
#[utoipa::path(post, operation_id = "addEmail", path = "/api/v1/userKeys/adding/email", tag = "user keys", request_body = AddEmail,
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn add_email(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    add(people, call, "newEmail", value::email).await
}

/// Adds a phone number.
#[utoipa::path(post, operation_id = "addPhone", path = "/api/v1/userKeys/adding/phoneNumber", tag = "user keys", request_body = AddPhone,
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn add_phone(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    add(people, call, "newPhoneNumber", value::phone).await
}

async fn add(
    people: Arc<People>,
    call: Call,
    name: &str,
    parse: fn(&str) -> Option<Way>,
) -> Result<Response, Fault> {
    let (who, mut fields, caller) = call.of_account(&people).await?;
    let way = fields.text_as(name, parse)?;
    let token = fields.token()?;
    people.add_address(caller, who, way, token).await?;
    Ok(ok(&Done {}))
}

/// T9: sends a code to the key that is to be changed.
#[utoipa::path(post, operation_id = "sendKeyChangeToken", path = "/api/v1/token/userKeys/changing", tag = "tokens",
    params(("keyType" = Option<String>, Query, description = "Here or in the body")),
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn change_token(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (who, mut fields, caller) = call.of_account(&people).await?;
    let kind = fields.either("keyType", value::kind)?;
    let sent = people.send_change_token(caller, who, kind).await?;
    Ok(token_sent(None, sent))
}

/// T10: takes the code of the old key and sends one to the new key.
#[utoipa::path(post, operation_id = "sendChangedKeyToken", path = "/api/v1/token/userKeys/changing/newKey", tag = "tokens", request_body = ChangeKey,
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn changed_token(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (who, mut fields, caller) = call.of_account(&people).await?;
    let way = fields.way("newUserKey")?;
    let token = fields.optional_as("oneTimeToken", value::token)?;
    let sent = people
        .send_changed_address_token(caller, who, way, token)
        .await?;
    Ok(token_sent(None, sent))
}

/// Changes the key to the one that the second code went to.
#[utoipa::path(post, operation_id = "changeKey", path = "/api/v1/userKeys/changing", tag = "user keys", request_body = ChangeKey,
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn change(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (who, mut fields, caller) = call.of_account(&people).await?;
    let way = fields.optional_as("newUserKey", value::way)?;
    let token = fields.token()?;
    people.change_address(caller, who, way, token).await?;
    Ok(ok(&Done {}))
}

/// T11: sends a code to the key that is to be removed.
#[utoipa::path(post, operation_id = "sendKeyRemovalToken", path = "/api/v1/token/userKeys/removing", tag = "tokens",
    params(("keyType" = Option<String>, Query, description = "Here or in the body")),
    responses((status = 200, body = TokenSent), Problems))]
pub(crate) async fn removing_token(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (who, mut fields, caller) = call.of_account(&people).await?;
    let kind = fields.either("keyType", value::kind)?;
    let sent = people.send_removing_token(caller, who, kind).await?;
    Ok(token_sent(None, sent))
}

/// Removes a key.
#[utoipa::path(post, operation_id = "removeKey", path = "/api/v1/userKeys/removing", tag = "user keys", request_body = RemoveKey,
    responses((status = 200, body = Done), Problems))]
pub(crate) async fn remove(
    State(people): State<Arc<People>>,
    call: Call,
) -> Result<Response, Fault> {
    let (who, mut fields, caller) = call.of_account(&people).await?;
    let (kind, token) = (fields.kind("keyType")?, fields.token()?);
    people.remove_address(caller, who, kind, token).await?;
    Ok(ok(&Done {}))
}
