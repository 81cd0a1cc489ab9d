//! Outside readers: a slot by its identifier (5.16, 5.17).

use axum::extract::State;
use domain::vault::Approved;

use crate::call::{Calling, Path};
use crate::error::{self, Noun, Reply};
use crate::front::FrontState;
use crate::request::{CheckPath, ReaderPath};
use crate::wire::{Bare, Envelope, SlotContent, SlotRead};
use crate::{SLOT_APPROVAL, SLOT_USED};

/// Gives a slot, or a reference to ask again with once its owner has approved.
#[utoipa::path(get, operation_id = "readSlot", path = "/api/v1/user/slots/{identifier}", tag = "readers", security(()),
    params(ReaderPath), responses(
    (status = 200, description = "The slot, or a reference", body = Envelope<SlotRead>),
    (status = 400, description = "The path is malformed", body = Bare),
    (status = 404, description = "No such slot, or switched off", body = Bare),
    (status = 429, description = "Too many requests, or too many that wait for approval", body = Bare)))]
pub(crate) async fn slot(
    State(front): State<FrontState>,
    Calling(caller): Calling,
    Path(ReaderPath { identifier }): Path<ReaderPath>,
) -> Reply {
    let templates = (&SLOT_USED, &SLOT_APPROVAL);
    let opened = front.vaults.read_slot(caller, identifier, templates).await;
    let opened = opened.map_err(error::of(&front, Noun::Slot))?;
    Ok(front.ok(SlotRead::from(opened)))
}

/// Gives the slot once its owner has approved.
#[utoipa::path(get, operation_id = "checkApproval", path = "/api/v1/user/slots/check/{ref}", tag = "readers", security(()),
    params(CheckPath), responses(
    (status = 200, description = "The slot", body = Envelope<SlotContent>),
    (status = 400, description = "The path is malformed", body = Bare),
    (status = 404, description = "Denied, expired or unknown", body = Bare),
    (status = 428, description = "Waiting for approval", body = Bare),
    (status = 429, description = "Too many requests", body = Bare)))]
pub(crate) async fn check(
    State(front): State<FrontState>,
    Path(CheckPath { reference }): Path<CheckPath>,
) -> Reply {
    let checked = front.vaults.check_approval(reference).await;
    Ok(match checked.map_err(error::of(&front, Noun::Slot))? {
        Approved::Yes(reading) => front.ok(SlotContent::from(reading)),
        Approved::NotYet => error::waiting(&front.options),
    })
}
