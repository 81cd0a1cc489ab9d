//! §12: what a signing server asks. Every well-formed question is answered 200 with `"ok"` or `"reject"`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::Wallets;
use domain::wallet::{DeviceId, KeyNotice, KeyUse, SETUP_LIMIT, SigningAnswer, WalletKeyId};
use http::StatusCode;
use serde_json::Value;

use crate::call::{BODY, Call, Reply};
use crate::error::{self, Code};
use crate::value::{self, Members};

/// §12.1: may this device make a key?
pub(crate) async fn allow_making(State(wallets): State<Arc<Wallets>>, call: Call) -> Reply {
    let caller = call.caller.clone();
    let mut members = call.members(BODY).await?;
    let device = device(&mut members)?;
    let instance = value::instance(&mut members)?;
    value::setup(&mut members)?;
    let answer = wallets.allow_making(caller, device, instance).await;
    answer
        .map(said)
        .map_err(|error| error::of(error, wallets.now()))
}

/// §12.2: a key was made.
pub(crate) async fn note_key(State(wallets): State<Arc<Wallets>>, call: Call) -> Reply {
    let caller = call.caller.clone();
    let mut members = call.members(BODY).await?;
    let device = device(&mut members)?;
    let key = value::text(&mut members, "key_id")?;
    let notice = KeyNotice {
        device,
        key: WalletKeyId::parse(&key).ok_or(error::MALFORMED)?,
        instance: value::instance(&mut members)?,
    };
    let answer = wallets.note_key(caller, notice).await;
    answer
        .map(said)
        .map_err(|error| error::of(error, wallets.now()))
}

/// §12.3: may these keys be used?
pub(crate) async fn allow_use(State(wallets): State<Arc<Wallets>>, call: Call) -> Reply {
    let caller = call.caller.clone();
    let mut members = call.members(BODY).await?;
    let device = device(&mut members)?;
    let instance = value::instance(&mut members)?;
    let mut setup = value::setup(&mut members)?;
    let wanted = KeyUse {
        device,
        instance,
        keys: keys(&mut setup)?,
        setup: kept(setup),
    };
    let answer = wallets.allow_use(caller, wanted).await;
    answer
        .map(said)
        .map_err(|error| error::of(error, wallets.now()))
}

fn device(members: &mut Members) -> Result<DeviceId, Code> {
    value::device(&value::text(members, "token")?)
}

/// The tag `key_id`; no tag is no key.
fn keys(setup: &mut Members) -> Result<Vec<WalletKeyId>, Code> {
    let Some(Value::Array(ids)) = setup.shift_remove("key_id") else {
        return Ok(Vec::new());
    };
    let ids: Option<Vec<WalletKeyId>> = ids
        .iter()
        .map(|id| id.as_str().and_then(WalletKeyId::parse))
        .collect();
    ids.ok_or(error::MALFORMED)
}

fn kept(setup: Members) -> Option<Value> {
    let setup = Value::Object(setup);
    (setup.to_string().len() <= SETUP_LIMIT).then_some(setup)
}

fn said(answer: SigningAnswer) -> Response {
    let word = match answer {
        SigningAnswer::Allow => "ok",
        SigningAnswer::Reject => "reject",
    };
    web::json::reply(StatusCode::OK, &word)
}
