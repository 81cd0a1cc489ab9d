//! The parts of a call as a handler receives them (sheet 4.1). A handler's arguments are read from left to right, and the
//! first one that cannot be read answers the call.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use domain::vault::{Document, VaultMember};
use domain::{Caller, Error};
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use web::json::Duplicates;
use web::path::PathError;

use crate::error::{Failure, Fault};
use crate::front::Front;
use crate::members;
use crate::request::NoParameters;

/// Largest request body in bytes, for most calls.
const BODY: usize = 64 * 1024;
/// Longest time for sending it, in seconds.
const BODY_SECONDS: u64 = 30;

/// Who calls, as the gate found out.
pub(crate) struct Calling(pub(crate) Caller);

impl FromRequestParts<Arc<Front>> for Calling {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, front: &Arc<Front>) -> Result<Self, Failure> {
        let caller = parts.extensions.get::<Caller>().cloned();
        let missing = || Error::bug("a call came without its caller");
        caller
            .map(Self)
            .ok_or_else(|| Failure::of(front, Fault::from(missing())))
    }
}

/// The member that the gate let in.
pub(crate) struct Member(pub(crate) VaultMember);

impl FromRequestParts<Arc<Front>> for Member {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, front: &Arc<Front>) -> Result<Self, Failure> {
        let member = parts.extensions.get::<VaultMember>().cloned();
        // Without one the gate would have answered.
        let missing = || Error::bug("a call for members came without one");
        member
            .map(Self)
            .ok_or_else(|| Failure::of(front, Fault::from(missing())))
    }
}

/// The parameters of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Front>> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, front: &Arc<Front>) -> Result<Self, Failure> {
        let params = web::path::params(parts).map_err(Fault::from);
        params.map(Self).map_err(|fault| Failure::of(front, fault))
    }
}

/// The members of a body. Of repeated ones the last counts.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Front>> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, front: &Arc<Front>) -> Result<Self, Failure> {
        let Whole(body, _) = Whole::from_request(request, front).await?;
        Ok(Self(body))
    }
}

/// The members of a body, and the whole body as the client wrote it.
pub(crate) struct Whole<T>(pub(crate) T, pub(crate) Document);

impl<T: DeserializeOwned> FromRequest<Arc<Front>> for Whole<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, front: &Arc<Front>) -> Result<Self, Failure> {
        let read = async {
            let (parts, body) = request.into_parts();
            let (members, bytes) = read(&parts, body, BODY).await?;
            let text = std::str::from_utf8(&bytes).ok();
            let document = text.and_then(Document::parse);
            let document = document.ok_or(Fault::NO_OBJECT)?;
            Ok::<_, Fault>(Self(members::typed(members)?, document))
        };
        read.await.map_err(|fault| Failure::of(front, fault))
    }
}

/// The parameters of the path and the body of a call that carries a key: room for one as large as the plan allows.
///
/// The path must be readable before the body is read; what its parameters are is looked at only then.
pub(crate) struct Keyed<P, T>(pub(crate) P, pub(crate) T);

impl<P: DeserializeOwned, T: DeserializeOwned> FromRequest<Arc<Front>> for Keyed<P, T> {
    type Rejection = Failure;

    async fn from_request(request: Request, front: &Arc<Front>) -> Result<Self, Failure> {
        let read = async {
            let (parts, body) = request.into_parts();
            let readable = web::path::params::<NoParameters>(&parts);
            if matches!(readable, Err(PathError::Encoding)) {
                return Err(PathError::Encoding.into());
            }
            let member = parts.extensions.get::<VaultMember>();
            let plan = member.map_or(0, |member| member.plan().entry_bytes);
            let limit = BODY.max(plan.saturating_mul(2).saturating_add(16 * 1024));
            let (members, _) = read(&parts, body, limit).await?;
            let params = web::path::params(&parts)?;
            Ok::<_, Fault>(Self(params, members::typed(members)?))
        };
        read.await.map_err(|fault| Failure::of(front, fault))
    }
}

/// The members of a body with at most `limit` bytes, and its bytes.
async fn read(
    parts: &Parts,
    body: axum::body::Body,
    limit: usize,
) -> Result<(Map<String, Value>, Vec<u8>), Fault> {
    let bytes = web::body::read(body, &parts.headers, limit, BODY_SECONDS).await?;
    let members = web::json::object(&bytes, Duplicates::LastWins);
    let members = members.map_err(|_| Fault::NO_OBJECT)?;
    Ok((members, bytes.to_vec()))
}

/// Which button of a page was pressed. A form that cannot be read, or with several answers, says nothing.
pub(crate) struct Pressed(pub(crate) Option<String>);

impl<S: Sync> FromRequest<S> for Pressed {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        let bytes = web::body::read(body, &parts.headers, BODY, BODY_SECONDS).await;
        let form = bytes.ok().and_then(|bytes| web::query::form(&bytes).ok());
        let pairs = form.unwrap_or_default().into_iter();
        let mut answers = pairs.filter(|(name, _)| name == "decision");
        let first = answers.next().map(|(_, value)| value);
        Ok(Self(first.filter(|_| answers.next().is_none())))
    }
}
