//! Device keys (§6) and challenges for them (§9).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::Tenants;
use domain::device_key::{Checked, DeviceKeyChange, DeviceKeyForm, KeyName, PublicKey, PushTarget};
use domain::permission::{DeleteKeys, EditKeys, Execute, ListKeys, Never, ReadKeys, RegisterKeys};
use http::StatusCode;

use crate::SURFACE;
use crate::call::{Call, Malformed, malformed};
use crate::error::{self, USER};
use crate::fields::Fields;
use crate::value::{
    self, ANY, CHALLENGE, DEVICE_TOKEN, DISPLAY_NAME, KEY_ID, PUSH_TYPE, SHORT, SIGNATURE,
};
use crate::wire::{
    Challenge, ChangeKey, Keys, OneChallenge, OneKey, RegisterKey, Validate, Validated,
};

type App = State<Arc<Tenants>>;

/// Registers a device key. There is no body in the answer.
#[utoipa::path(post, path = "/cis/v1/users/{user_id}/device-keys", operation_id = "createDeviceKeys",
    tag = "device keys", request_body = RegisterKey, params(("user_id" = String, Path)),
    responses((status = 201, description = "Registered, Active")))]
pub(crate) async fn register(State(keeper): App, call: Call<RegisterKeys>) -> Response {
    let user = call.user();
    let parsed = async {
        let (grant, fields) = call.fields().await?;
        Ok::<_, Malformed>((grant, form(fields)?))
    };
    let (grant, form) = match parsed.await {
        Ok(parsed) => parsed,
        Err(Malformed(response)) => return *response,
    };
    match keeper.register_device_key(SURFACE, grant, user, form).await {
        Ok(()) => error::empty(StatusCode::CREATED),
        Err(error) => error::answer(&error, USER, keeper.now()),
    }
}

/// All device keys of a user, oldest first.
#[utoipa::path(get, path = "/cis/v1/users/{user_id}/device-keys", operation_id = "getDeviceKeysForUser",
    tag = "device keys", params(("user_id" = String, Path)),
    responses((status = 200, description = "The keys", body = Keys)))]
pub(crate) async fn list(State(keeper): App, call: Call<ListKeys>) -> Response {
    let user = call.user();
    match keeper.list_device_keys(call.grant, user).await {
        Ok(keys) => {
            let result = keys.into_iter().map(Into::into).collect();
            error::json(StatusCode::OK, &Keys { result })
        }
        Err(error) => error::answer(&error, USER, keeper.now()),
    }
}

/// One device key.
#[utoipa::path(get, path = "/cis/v1/users/{user_id}/device-keys/{key_id}", operation_id = "getDeviceKeys",
    tag = "device keys", params(("user_id" = String, Path), ("key_id" = String, Path)),
    responses((status = 200, description = "The key", body = OneKey)))]
pub(crate) async fn read(State(keeper): App, call: Call<ReadKeys>) -> Response {
    let (user, key) = (call.user(), call.key());
    match keeper.read_device_key(call.grant, user, key).await {
        Ok(view) => error::json(
            StatusCode::OK,
            &OneKey {
                result: view.into(),
            },
        ),
        Err(error) => error::answer(&error, USER, keeper.now()),
    }
}

/// Changes what is told of a key. What is not sent stays; null removes.
#[utoipa::path(put, path = "/cis/v1/users/{user_id}/device-keys/{key_id}", operation_id = "updateDeviceKey",
    tag = "device keys", request_body = ChangeKey, params(("user_id" = String, Path), ("key_id" = String, Path)),
    responses((status = 200, description = "Changed")))]
pub(crate) async fn change(State(keeper): App, call: Call<EditKeys>) -> Response {
    let (user, key) = (call.user(), call.key());
    let parsed = async {
        let (grant, mut fields) = call.fields().await?;
        let change = DeviceKeyChange {
            label: fields.replaceable("display_name", |fields, name| {
                fields.text_by(name, &DISPLAY_NAME)
            }),
            custom: fields.replaceable("custom_data", value::custom),
            push: fields.replaceable("push_config", push),
        };
        fields.finish()?;
        Ok::<_, Malformed>((grant, change))
    };
    let (grant, change) = match parsed.await {
        Ok(parsed) => parsed,
        Err(Malformed(response)) => return *response,
    };
    match keeper
        .change_device_key(SURFACE, grant, user, key, change)
        .await
    {
        Ok(()) => error::empty(StatusCode::OK),
        Err(error) => error::answer(&error, USER, keeper.now()),
    }
}

/// Deletes a device key.
#[utoipa::path(delete, path = "/cis/v1/users/{user_id}/device-keys/{key_id}", operation_id = "deleteDeviceKeys",
    tag = "device keys", params(("user_id" = String, Path), ("key_id" = String, Path)),
    responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete(State(keeper): App, call: Call<DeleteKeys>) -> Response {
    let (user, key) = (call.user(), call.key());
    match keeper
        .delete_device_key(SURFACE, call.grant, user, key)
        .await
    {
        Ok(()) => error::empty(StatusCode::NO_CONTENT),
        Err(error) => error::answer(&error, USER, keeper.now()),
    }
}

/// Whether the key is Active and signed the challenge. Why not is not told.
#[utoipa::path(post, path = "/cis/v1/users/{user_id}/device-keys/{key_id}/validate",
    operation_id = "validateDeviceKeys", tag = "device keys", request_body = Validate,
    params(("user_id" = String, Path), ("key_id" = String, Path)),
    responses((status = 200, description = "The verdict", body = Validated)))]
pub(crate) async fn validate(State(keeper): App, call: Call<Execute>) -> Response {
    let (user, key) = (call.user(), call.key());
    let parsed = async {
        let (grant, mut fields) = call.fields().await?;
        let challenge = fields.required_by("challenge", &CHALLENGE);
        let signature = fields.required_by("signature", &SIGNATURE);
        fields.finish()?;
        Ok::<_, Malformed>((
            grant,
            challenge.unwrap_or_default(),
            signature.unwrap_or_default(),
        ))
    };
    let (grant, challenge, signature) = match parsed.await {
        Ok(parsed) => parsed,
        Err(Malformed(response)) => return *response,
    };
    match keeper
        .check_device_signature(SURFACE, grant, user, key, challenge, signature)
        .await
    {
        Ok(checked) => error::json(
            StatusCode::OK,
            &Validated {
                result: checked == Checked::Valid,
            },
        ),
        Err(error) => error::answer(&error, USER, keeper.now()),
    }
}

/// Blocks a key: from the answer on no signature of it counts.
#[utoipa::path(put, path = "/cis/v1/users/{user_id}/device-keys/{key_id}/block", operation_id = "blockDeviceKey",
    tag = "device keys", params(("user_id" = String, Path), ("key_id" = String, Path)),
    responses((status = 200, description = "Blocked")))]
pub(crate) async fn block(State(keeper): App, call: Call<EditKeys>) -> Response {
    let (user, key) = (call.user(), call.key());
    match keeper
        .block_device_key(SURFACE, call.grant, user, key)
        .await
    {
        Ok(()) => error::empty(StatusCode::OK),
        Err(error) => error::answer(&error, USER, keeper.now()),
    }
}

/// Makes a key Active again.
#[utoipa::path(put, path = "/cis/v1/users/{user_id}/device-keys/{key_id}/unblock",
    operation_id = "unblockDeviceKey", tag = "device keys",
    params(("user_id" = String, Path), ("key_id" = String, Path)),
    responses((status = 200, description = "Active")))]
pub(crate) async fn unblock(State(keeper): App, call: Call<EditKeys>) -> Response {
    let (user, key) = (call.user(), call.key());
    match keeper
        .unblock_device_key(SURFACE, call.grant, user, key)
        .await
    {
        Ok(()) => error::empty(StatusCode::OK),
        Err(error) => error::answer(&error, USER, keeper.now()),
    }
}

/// Makes a challenge that is good for one check of this key.
#[utoipa::path(post, path = "/cis/v1/users/{user_id}/device-keys/{key_id}/challenge",
    operation_id = "createDeviceKeyChallenge", tag = "device keys",
    params(("user_id" = String, Path), ("key_id" = String, Path)),
    responses((status = 201, description = "The challenge", body = OneChallenge)))]
pub(crate) async fn challenge(State(keeper): App, call: Call<Execute>) -> Response {
    let (user, key) = (call.user(), call.key());
    let parsed = async {
        let (grant, fields) = call.optional_fields().await?;
        fields.finish()?;
        Ok::<_, Malformed>(grant)
    };
    let grant = match parsed.await {
        Ok(grant) => grant,
        Err(Malformed(response)) => return *response,
    };
    match keeper
        .issue_device_challenge(SURFACE, grant, user, key)
        .await
    {
        Ok(issued) => {
            let (challenge, expires_at, expires_in) =
                (issued.text, issued.expires.rfc3339(), issued.seconds);
            let result = Challenge {
                challenge,
                expires_at,
                expires_in,
            };
            error::json(StatusCode::CREATED, &OneChallenge { result })
        }
        Err(error) => error::answer(&error, USER, keeper.now()),
    }
}

/// For user tokens, which this server does not issue: 403 for every sound token.
#[utoipa::path(get, path = "/cis/v1/users/me/device-keys", operation_id = "getMyDeviceKeys", tag = "device keys",
    responses((status = 403, description = "Not a user token", body = crate::wire::ErrorText)))]
pub(crate) async fn mine(_call: Call<Never>) -> Response {
    // Nobody is granted `Never`, so the answer is the extractor's.
    error::not_found()
}

fn form(mut fields: Fields) -> Result<DeviceKeyForm, Malformed> {
    let name = fields
        .required_by("key_id", &KEY_ID)
        .and_then(KeyName::parse);
    let public = fields
        .required_by("public_key", &ANY)
        .map(|text| PublicKey::parse(&text));
    let public = match public {
        Some(Ok(public)) => Some(public),
        Some(Err(why)) => fields.wrong("public_key", &why.to_string()),
        None => None,
    };
    let label = fields.text_by("display_name", &DISPLAY_NAME);
    let custom = value::custom(&mut fields, "custom_data");
    let push = push(&mut fields, "push_config");
    fields.finish()?;
    match (name, public) {
        (Some(name), Some(public)) => Ok(DeviceKeyForm {
            name,
            public,
            label,
            custom,
            push,
        }),
        _ => Err(malformed("key_id and public_key should not be empty")),
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
