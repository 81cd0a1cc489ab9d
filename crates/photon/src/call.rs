//! The parts of a call as a handler receives them (§3.2). A handler's arguments are read from left to right, and the
//! first one that cannot be read answers the call.

use std::convert::Infallible;

use axum::extract::{FromRequest, FromRequestParts, Request};
use domain::Caller;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use web::ClientAddr;
use web::json::{Duplicates, JsonError};

use crate::SURFACE;
use crate::error::Failure;

/// Largest request body in bytes.
const BODY: usize = 16 * 1024;
/// Longest time for sending it, in seconds.
const BODY_SECONDS: u64 = 15;
/// Members that must be strings in every body, also where they are not needed.
const TEXTS: [&str; 5] = ["pin", "newPin", "userId", "code", "op"];

/// Who calls, as far as the network tells, and in which language to write to this person.
pub(crate) struct Calling(pub(crate) Caller);

impl<S: Sync> FromRequestParts<S> for Calling {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Caller {
            surface: SURFACE,
            network: ClientAddr::of(&parts.extensions).network(),
            language: web::language::preferred(&parts.headers),
        }))
    }
}

/// The parameters of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let params = web::path::params(parts);
        params.map(Self).map_err(|_| Failure::Malformed)
    }
}

/// The body, whatever its content type says. An absent or empty one counts as `{}`; of repeated members the last one
/// counts; null counts as absent.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = web::body::read(body, &parts.headers, BODY, BODY_SECONDS).await?;
        let members = match web::json::object(&bytes, Duplicates::LastWins) {
            Ok(members) => members,
            Err(JsonError::Empty) => Map::new(),
            Err(JsonError::Syntax | JsonError::NotObject | JsonError::Duplicate(_)) => {
                return Err(Failure::Malformed);
            }
        };
        let is_text = |name: &str| match members.get(name) {
            None | Some(Value::Null | Value::String(_)) => true,
            Some(_) => false,
        };
        if !TEXTS.into_iter().all(is_text) {
            return Err(Failure::Malformed);
        }
        let body = web::json::typed(members);
        body.map(Self).map_err(|_| Failure::Malformed)
    }
}
