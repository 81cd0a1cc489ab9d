//! Wallet users, their devices and enrolments. No operator can read a keyshare here.

use admin_wire::{DeviceKey, ErrorBody, WalletUser};
use axum::extract::State;
use domain::wallet::{self, DeviceId, DeviceState, WalletKeyState};
use domain::{Caller, Timestamp};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Shared;
use crate::auth::Operator;
use crate::call::{Body, Form, Queried, Query};
use crate::error::{Failure, Reply};
use crate::wire::{
    Belongings, Changed, DeviceView, ErasedWalletUser, KeyView, Users, WalletUserState,
};

/// Users in one answer.
const PAGE: usize = 100;

/// Behind which user a page of users begins: both, or none for the first page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct After {
    /// With subject: only users behind this one
    issuer: Option<String>,
    subject: Option<String>,
}

/// Whose devices and keys.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Owner {
    issuer: String,
    subject: String,
}

impl Query for After {
    const RULE: &'static str = TOGETHER;
}

const TOGETHER: &str = "issuer and subject come together";

impl Form for WalletUser {
    fn problem(_: &str) -> String {
        "issuer, subject".to_owned()
    }
}

impl Form for DeviceKey {
    fn problem(_: &str) -> String {
        "device_key".to_owned()
    }
}

/// Users, a hundred at a time, newest first.
#[utoipa::path(get, operation_id = "listWalletUsers", path = "/admin/v1/wallets/users", tag = "wallets",
    params(After), responses(
    (status = 200, body = Users), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn users(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Queried(after): Queried<After>,
) -> Reply {
    let after = after.named()?;
    let wallets = &admin.services.wallets;
    let found = wallets.wallet_users(&operator, after, PAGE).await?;
    let users = found.into_iter().map(user).collect();
    Ok(web::json::reply(StatusCode::OK, &Users { users }))
}

/// A user's devices and keys.
#[utoipa::path(get, operation_id = "showWalletBelongings", path = "/admin/v1/wallets/belongings", tag = "wallets",
    params(Owner), responses(
    (status = 200, body = Belongings), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn belongings(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Queried(named): Queried<After>,
) -> Reply {
    let Owner { issuer, subject } = named.owner()?;
    let wallets = &admin.services.wallets;
    let (devices, keys) = wallets
        .wallet_belongings(&operator, &issuer, &subject)
        .await?;
    let belongings = Belongings {
        devices: devices.into_iter().map(device).collect(),
        keys: keys.into_iter().map(key).collect(),
    };
    Ok(web::json::reply(StatusCode::OK, &belongings))
}

/// Switches a device off.
#[utoipa::path(post, operation_id = "deactivateDevice", path = "/admin/v1/wallets/devices/deactivate", tag = "wallets", request_body = DeviceKey, responses(
    (status = 200, body = Changed), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn deactivate(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Body(DeviceKey { device_key }): Body<DeviceKey>,
) -> Reply {
    let device = DeviceId::parse(&device_key)
        .map_err(|_| Failure::invalid("device_key: not an uncompressed P-256 point in hex"))?;
    let wallets = &admin.services.wallets;
    wallets
        .deactivate_device(&operator, caller(), device)
        .await?;
    Ok(web::json::reply(StatusCode::OK, &Changed { changed: true }))
}

/// Forgets a user's enrolled face.
#[utoipa::path(post, operation_id = "removeEnrolment", path = "/admin/v1/wallets/enrolment/remove", tag = "wallets", request_body = WalletUser, responses(
    (status = 200, body = Changed), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn remove_enrolment(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Body(WalletUser { issuer, subject }): Body<WalletUser>,
) -> Reply {
    let wallets = &admin.services.wallets;
    wallets
        .remove_enrolment(&operator, caller(), &issuer, &subject)
        .await?;
    Ok(web::json::reply(StatusCode::OK, &Changed { changed: true }))
}

/// Erases a user with devices, face, keys, keyshares and decisions.
#[utoipa::path(post, operation_id = "eraseWalletUser", path = "/admin/v1/wallets/erase", tag = "wallets", request_body = WalletUser, responses(
    (status = 200, body = ErasedWalletUser), (status = 400, body = ErrorBody),
    (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn erase(
    State(admin): State<Shared>,
    Operator(operator): Operator,
    Body(WalletUser { issuer, subject }): Body<WalletUser>,
) -> Reply {
    let wallets = &admin.services.wallets;
    let erased = wallets
        .erase_user(&operator, caller(), &issuer, &subject)
        .await?;
    let erased = ErasedWalletUser {
        devices: erased.devices,
        keys: erased.keys,
        shares: erased.shares,
        decisions: erased.decisions,
    };
    Ok(web::json::reply(StatusCode::OK, &erased))
}

impl After {
    fn named(self) -> Result<Option<(String, String)>, Failure> {
        match (self.issuer, self.subject) {
            (Some(issuer), Some(subject)) => Ok(Some((issuer, subject))),
            (None, None) => Ok(None),
            _ => Err(Failure::invalid(TOGETHER)),
        }
    }

    fn owner(self) -> Result<Owner, Failure> {
        let (issuer, subject) = self
            .named()?
            .ok_or(Failure::invalid("issuer and subject are needed"))?;
        Ok(Owner { issuer, subject })
    }
}

fn caller() -> Caller {
    Caller {
        surface: "admin",
        network: "operator".to_owned(),
        language: "en".to_owned(),
    }
}

fn user(state: wallet::WalletUserState) -> WalletUserState {
    WalletUserState {
        issuer: state.issuer,
        subject: state.subject,
        alias: state.alias,
        registered: state.registered,
        devices: state.devices,
        keys: state.keys,
        enrolled_since: state.enrolled_since,
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
