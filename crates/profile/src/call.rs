//! The parts of a call as a handler receives them (§2). A handler's arguments are read from left to right, and the first
//! one that cannot be read answers the call.

use std::convert::Infallible;

use axum::extract::{FromRequest, FromRequestParts, Request};
use domain::Caller;
use domain::person::policy::Feature;
use domain::person::process::ProcessId;
use domain::proof::session::SignedIn;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use web::ClientAddr;
use web::auth::Bearer;
use web::json::{Duplicates, JsonError};
use web::media::MediaType;

use crate::error::Failure;
use crate::wire::ProcessPath;
use crate::{People, SURFACE, value};

/// Largest request body in bytes.
const BODY: usize = 16 * 1024;
/// Longest time for sending it, in seconds.
const BODY_SECONDS: u64 = 15;

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

/// Answers the call if the operator does not offer second steps: what is switched off is not there, whoever asks.
pub(crate) struct SecondSteps;

impl FromRequestParts<People> for SecondSteps {
    type Rejection = Failure;

    async fn from_request_parts(_: &mut Parts, people: &People) -> Result<Self, Failure> {
        people.offers(Feature::SecondStep)?;
        Ok(Self)
    }
}

/// The same for anti-phishing codes.
pub(crate) struct Phrases;

impl FromRequestParts<People> for Phrases {
    type Rejection = Failure;

    async fn from_request_parts(_: &mut Parts, people: &People) -> Result<Self, Failure> {
        people.offers(Feature::Phrase)?;
        Ok(Self)
    }
}

/// Whose session it is, by the access token. Of anybody else no field is read.
pub(crate) struct Session(pub(crate) SignedIn);

impl FromRequestParts<People> for Session {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, people: &People) -> Result<Self, Failure> {
        let Bearer::Token(token) = web::auth::bearer(&parts.headers) else {
            return Err(Failure::Unauthorized);
        };
        Ok(Self(people.authenticate(token).await?))
    }
}

/// The body: a JSON object, or nothing at all. Unknown members are ignored, and null counts as absent.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let sent = Sent::of(request).await?;
        typed(sent.members).map(Self)
    }
}

/// A body of which nothing is needed.
pub(crate) struct AnyBody;

impl<S: Sync> FromRequest<S> for AnyBody {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        Sent::of(request).await.map(|_| Self)
    }
}

/// The process that the path names, of a call whose body is not needed.
pub(crate) struct OfProcess(pub(crate) ProcessId);

impl<S: Sync> FromRequest<S> for OfProcess {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let sent = Sent::of(request).await?;
        let path = web::path::params::<ProcessPath>(&sent.parts);
        let path = path.map_err(|_| Failure::Malformed)?;
        Ok(Self(path.processing_id))
    }
}

/// A struct of one member that may be in the query or in the body.
pub(crate) trait OneMember: DeserializeOwned + PartialEq {
    const NAME: &'static str;
}

/// A member of the query or of the body. It may be there several times if all mean the same.
pub(crate) struct Either<T>(pub(crate) T);

impl<S: Sync, T: OneMember> FromRequest<S> for Either<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let mut sent = Sent::of(request).await?;
        let body = sent
            .members
            .remove(T::NAME)
            .filter(|value| !value.is_null());
        let named = sent.query.into_iter().filter(|(name, _)| name == T::NAME);
        let query = named.map(|(_, text)| Value::String(value::plus(&text)));
        let mut known = None;
        for value in query.chain(body) {
            let one: T = typed(Map::from_iter([(T::NAME.to_owned(), value)]))?;
            if known.as_ref().is_some_and(|known| *known != one) {
                return Err(Failure::Malformed);
            }
            known = Some(one);
        }
        known.map(Self).ok_or(Failure::Malformed)
    }
}

/// A request whose query and body are well formed.
struct Sent {
    parts: Parts,
    query: Vec<(String, String)>,
    members: Map<String, Value>,
}

impl Sent {
    async fn of(request: Request) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let query = web::query::pairs(&parts.uri).map_err(|_| Failure::Malformed)?;
        web::path::segments(&parts.uri).map_err(|_| Failure::Malformed)?;
        let bytes = web::body::read(body, &parts.headers, BODY, BODY_SECONDS).await?;
        if !bytes.is_empty() && web::media::is_json(&parts.headers) != MediaType::Json {
            return Err(Failure::MediaType);
        }
        let members = match web::json::object(&bytes, Duplicates::RefuseTop) {
            Ok(members) => members,
            Err(JsonError::Empty) => Map::new(),
            Err(JsonError::Syntax | JsonError::NotObject | JsonError::Duplicate(_)) => {
                return Err(Failure::Malformed);
            }
        };
        Ok(Self {
            parts,
            query,
            members,
        })
    }
}

fn typed<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, Failure> {
    web::json::typed(members).map_err(|_| Failure::Malformed)
}
