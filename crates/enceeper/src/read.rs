//! Outside readers: a slot by its identifier (5.16, 5.17).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::vault::{Approved, Reading, SlotAnswer};

use crate::call::Call;
use crate::error::{self, Noun};
use crate::front::Front;
use crate::wire::{SlotContent, SlotRead};
use crate::{SLOT_APPROVAL, SLOT_USED};

/// Gives a slot, or a reference to ask again with once its owner has approved.
#[utoipa::path(get, operation_id = "readSlot", path = "/api/v1/user/slots/{identifier}", tag = "readers", security(()),
    params(("identifier" = String, Path, description = "Identifier of the slot")), responses(
    (status = 200, description = "The slot, or a reference", body = crate::openapi::SlotReadEnvelope),
    (status = 400, description = "The path is malformed", body = crate::openapi::Refused),
    (status = 404, description = "No such slot, or switched off", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests, or too many that wait for approval", body = crate::openapi::Refused)))]
pub(crate) async fn slot(State(front): State<Arc<Front>>, call: Call) -> Response {
    let identifier = call.segment(2);
    let letters = (&SLOT_USED, &SLOT_APPROVAL);
    let outcome = async {
        let opened = front
            .vaults
            .read_slot(call.caller, identifier, letters)
            .await?;
        Ok(front.ok(&SlotRead::from(opened)))
    };
    front.answer(Noun::Slot, outcome.await)
}

/// Gives the slot once its owner has approved.
#[utoipa::path(get, operation_id = "checkApproval", path = "/api/v1/user/slots/check/{ref}", tag = "readers", security(()),
    params(("ref" = String, Path, description = "Reference of the request")), responses(
    (status = 200, description = "The slot", body = crate::openapi::SlotContentEnvelope),
    (status = 400, description = "The path is malformed", body = crate::openapi::Refused),
    (status = 404, description = "Denied, expired or unknown", body = crate::openapi::Refused),
    (status = 428, description = "Waiting for approval", body = crate::openapi::Refused),
    (status = 429, description = "Too many requests", body = crate::openapi::Refused)))]
pub(crate) async fn check(State(front): State<Arc<Front>>, call: Call) -> Response {
    let reference = call.segment(3);
    let outcome = async {
        match front.vaults.check_approval(reference).await? {
            Approved::Yes(reading) => Ok(front.ok(&SlotContent::from(reading))),
            Approved::NotYet => Ok(error::waiting(&front)),
        }
    };
    front.answer(Noun::Slot, outcome.await)
}

impl From<SlotAnswer> for SlotRead {
    fn from(opened: SlotAnswer) -> Self {
        match opened {
            SlotAnswer::Now(Reading { slot, meta, value }) => Self {
                reference: None,
                ttl: None,
                slot: Some(slot),
                meta: Some(meta),
                value: Some(value),
            },
            SlotAnswer::Asked { reference, seconds } => Self {
                reference: Some(reference),
                ttl: Some(seconds),
                slot: None,
                meta: None,
                value: None,
            },
        }
    }
}
