//! One call, in the order in which it is judged (§2.4): token, kind, permission, and only then the rest.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::Response;
use domain::Tenants;
use domain::device_key::KeyName;
use domain::permission::{Grant, Need};
use domain::tenant::{ApplicationId, ClientId, RoleId, UserId};
use http::HeaderMap;
use web::auth::Bearer;
use web::body::BodyError;
use web::json::{Duplicates, JsonError};
use web::media::MediaType;
use web::path::RawPath;

use crate::error::{self, APPLICATION};
use crate::fields::Fields;
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

/// A request that does not have the shape its endpoint needs, with its answer.
pub(crate) struct Malformed(pub(crate) Box<Response>);

impl Malformed {
    pub(crate) fn of(response: Response) -> Self {
        Self(Box::new(response))
    }
}

/// A call whose caller may do `N`. There is no other way to a grant in this crate.
pub(crate) struct Call<N> {
    pub(crate) grant: Grant<N>,
    path: Vec<String>,
    headers: HeaderMap,
    body: axum::body::Body,
}

impl<N: Need> FromRequest<Arc<Tenants>> for Call<N> {
    type Rejection = Response;

    async fn from_request(request: Request, keeper: &Arc<Tenants>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Bearer::Token(token) = web::auth::bearer(&parts.headers) else {
            return Err(error::unauthorized(error::offered(&parts.headers)));
        };
        let grant = keeper.authorize::<N>(&CLAIMS, token).await;
        let grant = grant.map_err(|error| error::answer(&error, APPLICATION, keeper.now()))?;
        let Ok(RawPath(path)) = RawPath::from_request_parts(&mut parts, keeper).await;
        let path = path.map_err(|_| error::invalid(vec!["path must be UTF-8".to_owned()]))?;
        Ok(Self {
            grant,
            path,
            headers: parts.headers,
            body,
        })
    }
}

impl<N> Call<N> {
    /// `/cis/v1/users/{user_id}…` and `/cis/v1/manage/users/{user_id}…`
    pub(crate) fn user(&self) -> UserId {
        let at = self
            .path
            .iter()
            .position(|segment| segment == "users")
            .unwrap_or_default();
        UserId::new(self.segment(at + 1))
    }

    /// `/cis/v1/users/email/{email}`
    pub(crate) fn email(&self) -> String {
        self.segment(4)
    }

    /// `/cis/v1/users/{user_id}/device-keys/{key_id}…`. A name that no key can have is unknown, which
    /// the use case says in its turn, after the user: so it looks for one that cannot be.
    pub(crate) fn key(&self) -> KeyName {
        KeyName::parse(self.segment(5)).unwrap_or_else(KeyName::nobodys)
    }

    /// `/cis/v1/applications/{app_id}…`, or at the end of `/cis/v1/manage/users/{user_id}/apps/{app_id}`.
    pub(crate) fn application(&self) -> Option<ApplicationId> {
        let at = if self.path.get(2).is_some_and(|segment| segment == "manage") {
            6
        } else {
            3
        };
        ApplicationId::parse(&self.segment(at))
    }

    /// `/cis/v1/applications/{app_id}/clients/{client_id}`
    pub(crate) fn client(&self) -> Option<ClientId> {
        ClientId::parse(&self.segment(5))
    }

    /// `/cis/v1/client-roles/{role_id}`
    pub(crate) fn role(&self) -> Option<RoleId> {
        RoleId::parse(&self.segment(3))
    }

    fn segment(&self, at: usize) -> String {
        self.path.get(at).cloned().unwrap_or_default()
    }

    /// The grant, and the body's members: exactly one strict JSON object (§2.2).
    pub(crate) async fn fields(self) -> Result<(Grant<N>, Fields), Malformed> {
        let bytes = read(self.body, &self.headers).await?;
        if web::media::is_json(&self.headers) != MediaType::Json {
            return Err(Malformed::of(error::unsupported_media()));
        }
        Ok((self.grant, object(&bytes)?))
    }

    /// As [`Call::fields`], where an empty body, of any type, counts as `{}`.
    pub(crate) async fn optional_fields(self) -> Result<(Grant<N>, Fields), Malformed> {
        let bytes = read(self.body, &self.headers).await?;
        if bytes.is_empty() {
            return Ok((self.grant, Fields::default()));
        }
        if web::media::is_json(&self.headers) != MediaType::Json {
            return Err(Malformed::of(error::unsupported_media()));
        }
        Ok((self.grant, object(&bytes)?))
    }
}

async fn read(body: axum::body::Body, headers: &HeaderMap) -> Result<Vec<u8>, Malformed> {
    match web::body::read(body, headers, BODY, BODY_SECONDS).await {
        Ok(bytes) => Ok(bytes.into()),
        Err(BodyError::TooLarge) => Err(Malformed::of(error::too_large())),
        Err(BodyError::TooSlow) => Err(Malformed::of(error::too_slow())),
        Err(BodyError::Broken) => Err(malformed("body could not be read")),
    }
}

fn object(bytes: &[u8]) -> Result<Fields, Malformed> {
    match web::json::object(bytes, Duplicates::RefuseIn(OBJECTS)) {
        Ok(members) => Ok(Fields::of(members)),
        Err(JsonError::Duplicate(name)) => {
            Err(malformed(&format!("property {name} must not be repeated")))
        }
        Err(JsonError::Empty | JsonError::Syntax | JsonError::NotObject) => {
            Err(malformed("body must be one JSON object"))
        }
    }
}

pub(crate) fn malformed(message: &str) -> Malformed {
    Malformed::of(error::invalid(vec![message.to_owned()]))
}
