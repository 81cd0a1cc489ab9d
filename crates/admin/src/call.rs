//! The parts of a call as a handler receives them. A handler's arguments are read from left to right, and the first one
//! that cannot be read answers the call.

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use serde::de::DeserializeOwned;
use web::json::Duplicates;

use crate::Shared;
use crate::error::Failure;

/// Longest time for sending a body, in seconds.
const BODY_SECONDS: u64 = 15;

/// Parameters of a path.
pub(crate) trait Params: DeserializeOwned {
    /// The answer when a parameter is not what it should be.
    fn failure() -> Failure;
}

/// The parameters of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: Params> FromRequestParts<Shared> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Failure> {
        let params = web::path::params(parts);
        params.map(Self).map_err(|_| T::failure())
    }
}

/// Parameters of a query.
pub(crate) trait Query: DeserializeOwned {
    /// What is said of parameters against their rule.
    const RULE: &'static str;
}

/// The parameters of the query. Of a repeated one the first counts; unknown ones are ignored.
pub(crate) struct Queried<T>(pub(crate) T);

impl<T: Query> FromRequestParts<Shared> for Queried<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Failure> {
        let pairs = web::query::pairs(&parts.uri);
        let pairs = pairs.map_err(|_| Failure::invalid("the query is malformed"))?;
        let query = web::query::typed(pairs);
        query.map(Self).map_err(|_| Failure::invalid(T::RULE))
    }
}

/// A body: one strict JSON object with known members.
pub(crate) trait Form: DeserializeOwned {
    /// Largest body in bytes.
    const BYTES: usize = 16 * 1024;

    /// What is said of a body that is not such an object, from the parser's reason. A caller of this API is an operator,
    /// so the parser may quote what was sent.
    fn problem(reason: &str) -> String;
}

pub(crate) struct Body<T>(pub(crate) T);

impl<T: Form> FromRequest<Shared> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let read = web::body::read(body, &parts.headers, T::BYTES, BODY_SECONDS).await;
        let bytes = read.map_err(|_| Failure::TooLarge)?;
        let members = web::json::object(&bytes, Duplicates::RefuseAll)
            .map_err(|_| Failure::Invalid(T::problem("the body must be one JSON object")))?;
        let form = serde_json::from_value(members.into());
        form.map(Self)
            .map_err(|reason| Failure::Invalid(T::problem(&reason.to_string())))
    }
}
