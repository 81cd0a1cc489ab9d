//! Device keys (§6) and challenges for them (§9).

use axum::extract::State;
use domain::tenant::device_key::{
    Checked, DeviceKeyChange, DeviceKeyForm, KeyName, PublicKey, PushTarget, SignedChallenge,
    Status,
};
use domain::tenant::permission::{
    DeleteKeys, EditKeys, Execute, ListKeys, Never, ReadKeys, RegisterKeys,
};
use http::StatusCode;

use crate::call::{Body, Granted, OptionalBody, Path};
use crate::error::{self, Reply, USER};
use crate::fields::{Fields, Form, Nothing};
use crate::value::{
    self, ANY, CHALLENGE, DEVICE_TOKEN, DISPLAY_NAME, KEY_ID, PUSH_TYPE, SHORT, SIGNATURE,
};
use crate::wire::{
    Challenge, ChangeKey, KeyPath, Keys, OneChallenge, OneKey, RegisterKey, UserPath, Validate,
    Validated,
};
use crate::{SURFACE, Tenants};

/// Registers a device key. There is no body in the answer.
#[utoipa::path(post, path = "/cis/v1/users/{user_id}/device-keys", operation_id = "createDeviceKeys",
    tag = "device keys", request_body = RegisterKey, params(UserPath),
    responses((status = 201, description = "Registered, Active")))]
pub(crate) async fn register(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<RegisterKeys>,
    Path(UserPath { user_id }): Path<UserPath>,
    Body(form): Body<RegisterKey>,
) -> Reply {
    let registered = tenants
        .register_device_key(SURFACE, grant, user_id, form.into())
        .await;
    registered.map_err(error::of(&tenants, USER))?;
    Ok(error::empty(StatusCode::CREATED))
}

/// All device keys of a user, oldest first.
#[utoipa::path(get, path = "/cis/v1/users/{user_id}/device-keys", operation_id = "getDeviceKeysForUser",
    tag = "device keys", params(UserPath),
    responses((status = 200, description = "The keys", body = Keys)))]
pub(crate) async fn list(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<ListKeys>,
    Path(UserPath { user_id }): Path<UserPath>,
) -> Reply {
    let keys = tenants.list_device_keys(grant, user_id).await;
    let keys = keys.map_err(error::of(&tenants, USER))?;
    let result = keys.into_iter().map(Into::into).collect();
    Ok(error::json(StatusCode::OK, &Keys { result }))
}

/// One device key.
#[utoipa::path(get, path = "/cis/v1/users/{user_id}/device-keys/{key_id}", operation_id = "getDeviceKeys",
    tag = "device keys", params(KeyPath),
    responses((status = 200, description = "The key", body = OneKey)))]
pub(crate) async fn read(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<ReadKeys>,
    Path(KeyPath { user_id, key_id }): Path<KeyPath>,
) -> Reply {
    let view = tenants.read_device_key(grant, user_id, key_id).await;
    let result = view.map_err(error::of(&tenants, USER))?.into();
    Ok(error::json(StatusCode::OK, &OneKey { result }))
}

/// Changes what is told of a key. What is not sent stays; null removes.
#[utoipa::path(put, path = "/cis/v1/users/{user_id}/device-keys/{key_id}", operation_id = "updateDeviceKey",
    tag = "device keys", request_body = ChangeKey, params(KeyPath),
    responses((status = 200, description = "Changed")))]
pub(crate) async fn change(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<EditKeys>,
    Path(KeyPath { user_id, key_id }): Path<KeyPath>,
    Body(change): Body<ChangeKey>,
) -> Reply {
    let changed = tenants
        .change_device_key(SURFACE, grant, user_id, key_id, change.into())
        .await;
    changed.map_err(error::of(&tenants, USER))?;
    Ok(error::empty(StatusCode::OK))
}

/// Deletes a device key.
#[utoipa::path(delete, path = "/cis/v1/users/{user_id}/device-keys/{key_id}", operation_id = "deleteDeviceKeys",
    tag = "device keys", params(KeyPath),
    responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<DeleteKeys>,
    Path(KeyPath { user_id, key_id }): Path<KeyPath>,
) -> Reply {
    let deleted = tenants
        .delete_device_key(SURFACE, grant, user_id, key_id)
        .await;
    deleted.map_err(error::of(&tenants, USER))?;
    Ok(error::empty(StatusCode::NO_CONTENT))
}

/// Checks whether the key is Active and signed the challenge. The answer does not tell why not.
#[utoipa::path(post, path = "/cis/v1/users/{user_id}/device-keys/{key_id}/validate",
    operation_id = "validateDeviceKeys", tag = "device keys", request_body = Validate,
    params(KeyPath),
    responses((status = 200, description = "The verdict", body = Validated)))]
pub(crate) async fn validate(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<Execute>,
    Path(KeyPath { user_id, key_id }): Path<KeyPath>,
    Body(body): Body<Validate>,
) -> Reply {
    let signed = SignedChallenge {
        challenge: body.challenge,
        signature: body.signature,
    };
    let checked = tenants
        .check_device_signature(SURFACE, grant, user_id, key_id, signed)
        .await;
    let result = checked.map_err(error::of(&tenants, USER))? == Checked::Valid;
    Ok(error::json(StatusCode::OK, &Validated { result }))
}

/// Blocks a key: from the answer on, none of its signatures counts.
#[utoipa::path(put, path = "/cis/v1/users/{user_id}/device-keys/{key_id}/block", operation_id = "blockDeviceKey",
    tag = "device keys", params(KeyPath),
    responses((status = 200, description = "Blocked")))]
pub(crate) async fn block(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<EditKeys>,
    Path(KeyPath { user_id, key_id }): Path<KeyPath>,
) -> Reply {
    let blocked = tenants
        .set_device_key_status(SURFACE, grant, user_id, key_id, Status::Blocked)
        .await;
    blocked.map_err(error::of(&tenants, USER))?;
    Ok(error::empty(StatusCode::OK))
}

/// Makes a key Active again.
#[utoipa::path(put, path = "/cis/v1/users/{user_id}/device-keys/{key_id}/unblock",
    operation_id = "unblockDeviceKey", tag = "device keys",
    params(KeyPath),
    responses((status = 200, description = "Active")))]
pub(crate) async fn unblock(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<EditKeys>,
    Path(KeyPath { user_id, key_id }): Path<KeyPath>,
) -> Reply {
    let unblocked = tenants
        .set_device_key_status(SURFACE, grant, user_id, key_id, Status::Active)
        .await;
    unblocked.map_err(error::of(&tenants, USER))?;
    Ok(error::empty(StatusCode::OK))
}

/// Makes a challenge that is good for one check of this key.
#[utoipa::path(post, path = "/cis/v1/users/{user_id}/device-keys/{key_id}/challenge",
    operation_id = "createDeviceKeyChallenge", tag = "device keys",
    params(KeyPath),
    responses((status = 201, description = "The challenge", body = OneChallenge)))]
pub(crate) async fn challenge(
    State(tenants): State<Tenants>,
    Granted(grant): Granted<Execute>,
    Path(KeyPath { user_id, key_id }): Path<KeyPath>,
    OptionalBody(Nothing): OptionalBody<Nothing>,
) -> Reply {
    let issued = tenants
        .issue_device_challenge(SURFACE, grant, user_id, key_id)
        .await;
    let issued = issued.map_err(error::of(&tenants, USER))?;
    let result = Challenge {
        challenge: issued.text,
        expires_at: issued.expires.rfc3339(),
        expires_in: issued.seconds,
    };
    Ok(error::json(StatusCode::CREATED, &OneChallenge { result }))
}

/// For user tokens, which this server does not issue: 403 for every sound token.
#[utoipa::path(get, path = "/cis/v1/users/me/device-keys", operation_id = "getMyDeviceKeys", tag = "device keys",
    responses((status = 403, description = "Not a user token", body = crate::wire::ErrorText)))]
pub(crate) async fn mine(Granted(_): Granted<Never>) -> Reply {
    // Nobody is granted `Never`, so the answer is the extractor's.
    Ok(error::not_found())
}

impl Form for RegisterKey {
    fn read(fields: &mut Fields) -> Option<Self> {
        let key_id = fields
            .required_by("key_id", &KEY_ID)
            .and_then(KeyName::parse);
        let public_key = public_key(fields);
        let display_name = fields.text_by("display_name", &DISPLAY_NAME);
        let custom_data = value::custom(fields, "custom_data");
        let push_config = push(fields, "push_config");
        Some(Self {
            key_id: key_id?,
            public_key: public_key?,
            display_name,
            custom_data,
            push_config,
        })
    }
}

impl From<RegisterKey> for DeviceKeyForm {
    fn from(form: RegisterKey) -> Self {
        Self {
            name: form.key_id,
            public: form.public_key,
            label: form.display_name,
            custom: form.custom_data,
            push: form.push_config,
        }
    }
}

impl Form for ChangeKey {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            display_name: fields.replaceable("display_name", |fields, name| {
                fields.text_by(name, &DISPLAY_NAME)
            }),
            custom_data: fields.replaceable("custom_data", value::custom),
            push_config: fields.replaceable("push_config", push),
        })
    }
}

impl From<ChangeKey> for DeviceKeyChange {
    fn from(change: ChangeKey) -> Self {
        Self {
            label: change.display_name,
            custom: change.custom_data,
            push: change.push_config,
        }
    }
}

impl Form for Validate {
    fn read(fields: &mut Fields) -> Option<Self> {
        let challenge = fields.required_by("challenge", &CHALLENGE);
        let signature = fields.required_by("signature", &SIGNATURE);
        Some(Self {
            challenge: challenge?,
            signature: signature?,
        })
    }
}

fn public_key(fields: &mut Fields) -> Option<PublicKey> {
    let text = fields.required_by("public_key", &ANY)?;
    match PublicKey::parse(&text) {
        Ok(public) => Some(public),
        Err(why) => fields.wrong("public_key", &why.to_string()),
    }
}

fn push(fields: &mut Fields, name: &str) -> Option<PushTarget> {
    let read = fields.inside(name, |inner| {
        let device_token = inner.required_by("device_token", &DEVICE_TOKEN);
        let service = inner.required_by("type", &PUSH_TYPE);
        let bundle = inner.text_by("bundle_id", &SHORT);
        (device_token, service, bundle)
    });
    let (device_token, service, bundle) = read?;
    Some(PushTarget {
        device_token: device_token?,
        service: service?,
        bundle,
    })
}
