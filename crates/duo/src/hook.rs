//! §12: what a signing server asks. Every well-formed question is answered 200 with `"ok"` or `"reject"`.

use axum::extract::State;
use axum::response::Response;
use domain::wallet::{KeyNotice, KeyUse, SETUP_LIMIT, SigningAnswer, WalletKeyId};
use http::StatusCode;
use serde_json::Value;

use crate::call::{Body, Calling};
use crate::error::{self, Code, Reply};
use crate::wire::{AskSetup, ErrorBody, NoteKey, Setup};
use crate::{Wallets, value};

/// §12.1: may this device make a key?
#[utoipa::path(post, operation_id = "allowMaking", path = "/hooks/duo/dkg-setup", request_body = AskSetup, responses(
    (status = 200, body = String), (status = 400, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn allow_making(
    State(wallets): State<Wallets>,
    Calling { caller, .. }: Calling,
    Body(asked): Body<AskSetup>,
) -> Reply {
    let device = value::device(&asked.token)?;
    let answer = wallets.allow_making(caller, device, asked.instance).await;
    answer.map(said).map_err(error::of(&wallets))
}

/// §12.2: a key was made.
#[utoipa::path(post, operation_id = "noteKey", path = "/hooks/duo/key-id", request_body = NoteKey, responses(
    (status = 200, body = String), (status = 400, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn note_key(
    State(wallets): State<Wallets>,
    Calling { caller, .. }: Calling,
    Body(noted): Body<NoteKey>,
) -> Reply {
    let notice = KeyNotice {
        device: value::device(&noted.token)?,
        key: noted.key_id,
        instance: noted.instance,
    };
    let answer = wallets.note_key(caller, notice).await;
    answer.map(said).map_err(error::of(&wallets))
}

/// §12.3: may these keys be used?
#[utoipa::path(post, operation_id = "allowUse", path = "/hooks/duo/dsg-setup", request_body = AskSetup, responses(
    (status = 200, body = String), (status = 400, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn allow_use(
    State(wallets): State<Wallets>,
    Calling { caller, .. }: Calling,
    Body(mut asked): Body<AskSetup>,
) -> Reply {
    let wanted = KeyUse {
        device: value::device(&asked.token)?,
        instance: asked.instance,
        keys: keys(&mut asked.setup)?,
        setup: kept(asked.setup),
    };
    let answer = wallets.allow_use(caller, wanted).await;
    answer.map(said).map_err(error::of(&wallets))
}

/// The tag `key_id`; no tag is no key.
fn keys(setup: &mut Setup) -> Result<Vec<WalletKeyId>, Code> {
    let Some(Value::Array(ids)) = setup.shift_remove("key_id") else {
        return Ok(Vec::new());
    };
    let ids: Option<Vec<WalletKeyId>> = ids
        .iter()
        .map(|id| id.as_str().and_then(WalletKeyId::parse))
        .collect();
    ids.ok_or(error::MALFORMED)
}

fn kept(setup: Setup) -> Option<Value> {
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
