//! The parts of a call as a handler receives them, in the order in which they are judged (§2.4): first the token and its
//! permission, then the path, then the body. The first one that cannot be read answers the call.

use axum::extract::{FromRequest, FromRequestParts, Request};
use domain::tenant::permission::{Grant, Need};
use http::HeaderMap;
use http::request::Parts;
use serde::de::DeserializeOwned;
use web::auth::Bearer;
use web::json::{Duplicates, JsonError};
use web::media::MediaType;

use crate::Tenants;
use crate::error::{self, APPLICATION, Failure};
use crate::fields::{Fields, Form};
use crate::wire::CLAIMS;

/// Largest request body in bytes.
const BODY: usize = 65_536;
/// Longest time for sending it, in seconds.
const BODY_SECONDS: u64 = 15;
/// Members whose value is an object with known names, which must not repeat either.
const OBJECTS: &[&str] = &[
    "push_config",
    "name",
    "address",
    "first_client",
    "token_expiration",
    "device_keys",
];

/// The proof that the caller may do `N`. There is no other way to a grant in this crate.
pub(crate) struct Granted<N>(pub(crate) Grant<N>);

impl<N: Need> FromRequestParts<Tenants> for Granted<N> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, tenants: &Tenants) -> Result<Self, Failure> {
        let Bearer::Token(token) = web::auth::bearer(&parts.headers) else {
            return Err(Failure::Unauthorized(error::offered(&parts.headers)));
        };
        let grant = tenants.authorize::<N>(&CLAIMS, token).await;
        grant.map(Self).map_err(error::of(tenants, APPLICATION))
    }
}

/// The parameters of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Tenants> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Tenants) -> Result<Self, Failure> {
        let params = web::path::params(parts);
        params
            .map(Self)
            .map_err(|_| Failure::malformed("path must be UTF-8"))
    }
}

/// The body: exactly one strict JSON object (§2.2).
pub(crate) struct Body<T>(pub(crate) T);

impl<T: Form> FromRequest<Tenants> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &Tenants) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = web::body::read(body, &parts.headers, BODY, BODY_SECONDS).await?;
        Fields::of(members(&bytes, &parts.headers)?)
            .read()
            .map(Self)
    }
}

/// As [`Body`], but an empty body of any type counts as `{}`.
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: Form> FromRequest<Tenants> for OptionalBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &Tenants) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = web::body::read(body, &parts.headers, BODY, BODY_SECONDS).await?;
        let fields = if bytes.is_empty() {
            Fields::default()
        } else {
            Fields::of(members(&bytes, &parts.headers)?)
        };
        fields.read().map(Self)
    }
}

fn members(
    bytes: &[u8],
    headers: &HeaderMap,
) -> Result<serde_json::Map<String, serde_json::Value>, Failure> {
    if web::media::is_json(headers) != MediaType::Json {
        return Err(Failure::MediaType);
    }
    web::json::object(bytes, Duplicates::RefuseIn(OBJECTS)).map_err(|error| match error {
        JsonError::Duplicate(name) => {
            Failure::Invalid(vec![format!("property {name} must not be repeated")])
        }
        JsonError::Empty | JsonError::Syntax | JsonError::NotObject => {
            Failure::malformed("body must be one JSON object")
        }
    })
}
