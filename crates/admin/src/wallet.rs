//! Wallet users, their devices and enrolments. No operator can read a keyshare here.

use std::sync::Arc;

use admin_wire::{DeviceKey, ErrorBody, WalletUser};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use domain::wallet::{DeviceId, DeviceState, ErasedUser, WalletKeyState, WalletUserState};
use domain::{Caller, Error, Timestamp};
use http::{HeaderMap, StatusCode, Uri};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;
use web::json::Duplicates;

use crate::Admin;
use crate::auth::Operator;
use crate::error;

/// Users in one answer.
const PAGE: usize = 100;

#[derive(Serialize, ToSchema)]
pub(crate) struct Users {
    /// Newest first. The next page is behind the last one's issuer and subject.
    #[schema(value_type = Vec<Object>)]
    users: Vec<WalletUserState>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Belongings {
    devices: Vec<DeviceView>,
    keys: Vec<KeyView>,
}

#[derive(Serialize, ToSchema)]
struct DeviceView {
    device_key: String,
    name: Option<String>,
    active: bool,
    added: String,
}

#[derive(Serialize, ToSchema)]
struct KeyView {
    key_id: String,
    created: String,
    backed_up: Option<String>,
    /// Characters of the current keyshare.
    chars: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Changed {
    changed: bool,
}

/// Users, a hundred at a time, newest first.
#[utoipa::path(get, operation_id = "listWalletUsers", path = "/admin/v1/wallets/users", tag = "wallets",
    params(("issuer" = Option<String>, Query, description = "With subject: only users behind this one"),
           ("subject" = Option<String>, Query)), responses(
    (status = 200, body = Users), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn users(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    uri: Uri,
) -> Response {
    let after = match named(&uri) {
        Ok(after) => after,
        Err(why) => return error::invalid(why),
    };
    let found = admin
        .services
        .wallets
        .wallet_users(&operator, after, PAGE)
        .await;
    reply(found.map(|users| Users { users }), admin.services.now())
}

/// A user's devices and keys.
#[utoipa::path(get, operation_id = "showWalletBelongings", path = "/admin/v1/wallets/belongings", tag = "wallets",
    params(("issuer" = String, Query), ("subject" = String, Query)), responses(
    (status = 200, body = Belongings), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn belongings(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    uri: Uri,
) -> Response {
    let (issuer, subject) = match named(&uri) {
        Ok(Some(who)) => who,
        Ok(None) => return error::invalid("issuer and subject are needed"),
        Err(why) => return error::invalid(why),
    };
    let found = admin
        .services
        .wallets
        .wallet_belongings(&operator, &issuer, &subject)
        .await;
    let view = |(devices, keys): (Vec<DeviceState>, Vec<WalletKeyState>)| Belongings {
        devices: devices.into_iter().map(device).collect(),
        keys: keys.into_iter().map(key).collect(),
    };
    reply(found.map(view), admin.services.now())
}

/// Switches a device off.
#[utoipa::path(post, operation_id = "deactivateDevice", path = "/admin/v1/wallets/devices/deactivate", tag = "wallets", request_body = DeviceKey, responses(
    (status = 200, body = Changed), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn deactivate(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let which = match parsed::<DeviceKey>(body, &headers, "device_key").await {
        Ok(which) => which,
        Err(response) => return response,
    };
    let Ok(device) = DeviceId::parse(&which.device_key) else {
        return error::invalid("device_key: not an uncompressed P-256 point in hex");
    };
    let done = admin
        .services
        .wallets
        .deactivate_device(&operator, caller(), device)
        .await;
    reply(done.map(changed), admin.services.now())
}

/// Forgets a user's enrolled face.
#[utoipa::path(post, operation_id = "removeEnrolment", path = "/admin/v1/wallets/enrolment/remove", tag = "wallets", request_body = WalletUser, responses(
    (status = 200, body = Changed), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn remove_enrolment(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let who = match parsed::<WalletUser>(body, &headers, "issuer, subject").await {
        Ok(who) => who,
        Err(response) => return response,
    };
    let services = &admin.services;
    let done = services
        .wallets
        .remove_enrolment(&operator, caller(), &who.issuer, &who.subject);
    reply(done.await.map(changed), services.now())
}

/// Erases a user with devices, face, keys, keyshares and decisions.
#[utoipa::path(post, operation_id = "eraseWalletUser", path = "/admin/v1/wallets/erase", tag = "wallets", request_body = WalletUser, responses(
    (status = 200, description = "What was removed", body = Object), (status = 400, body = ErrorBody),
    (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn erase(
    State(admin): State<Arc<Admin>>,
    Operator(operator): Operator,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let who = match parsed::<WalletUser>(body, &headers, "issuer, subject").await {
        Ok(who) => who,
        Err(response) => return response,
    };
    let services = &admin.services;
    let done: Result<ErasedUser, Error> = services
        .wallets
        .erase_user(&operator, caller(), &who.issuer, &who.subject)
        .await;
    reply(done, services.now())
}

fn reply<T: Serialize>(done: Result<T, Error>, now: Timestamp) -> Response {
    match done {
        Ok(body) => web::json::reply(StatusCode::OK, &body),
        Err(error) => error::answer(&error, now),
    }
}

fn changed((): ()) -> Changed {
    Changed { changed: true }
}

fn caller() -> Caller {
    Caller {
        surface: "admin",
        network: "operator".to_owned(),
        language: "en".to_owned(),
    }
}

async fn parsed<T: DeserializeOwned>(
    body: Body,
    headers: &HeaderMap,
    fields: &str,
) -> Result<T, Response> {
    let Ok(bytes) = web::body::read(body, headers, 16 * 1024, 15).await else {
        return Err(error::too_large());
    };
    web::json::object(&bytes, Duplicates::RefuseAll)
        .ok()
        .and_then(|members| serde_json::from_value(members.into()).ok())
        .ok_or_else(|| error::invalid(fields))
}

/// Issuer and subject of the query: both or none.
fn named(uri: &Uri) -> Result<Option<(String, String)>, &'static str> {
    let pairs = web::query::pairs(uri).map_err(|_| "the query is malformed")?;
    let value = |name: &str| {
        let pair = pairs.iter().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.clone())
    };
    match (value("issuer"), value("subject")) {
        (Some(issuer), Some(subject)) => Ok(Some((issuer, subject))),
        (None, None) => Ok(None),
        _ => Err("issuer and subject come together"),
    }
}

fn device(state: DeviceState) -> DeviceView {
    DeviceView {
        device_key: state.key,
        name: state.name,
        active: state.active,
        added: state.added.rfc3339(),
    }
}

fn key(state: WalletKeyState) -> KeyView {
    KeyView {
        key_id: state.name,
        created: state.created.rfc3339(),
        backed_up: state.backed_up.map(Timestamp::rfc3339),
        chars: state.chars,
    }
}
