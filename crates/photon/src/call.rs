//! One call, taken apart (§3.2): path, headers, body and caller.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::Response;
use domain::Caller;
use domain::contact::Address;
use domain::custody::{KeyId, Pin};
use http::{HeaderMap, header};
use serde_json::{Map, Value};
use web::ClientAddr;
use web::body::BodyError;
use web::json::{Duplicates, JsonError};
use web::path::RawPath;

use crate::{SURFACE, auth, error, value};

/// Largest request body in bytes.
const BODY: usize = 16 * 1024;
/// Longest time for sending it, in seconds.
const BODY_SECONDS: u64 = 15;
/// Fields that must be strings wherever they occur.
const TEXTS: [&str; 5] = ["pin", "newPin", "userId", "code", "op"];

/// A call before anything of it is judged.
pub(crate) struct Call {
    path: Vec<String>,
    headers: HeaderMap,
    body: axum::body::Body,
    pub(crate) caller: Caller,
}

/// A request that does not have the shape its endpoint needs.
pub(crate) enum Malformed {
    Invalid,
    TooLarge,
    TooSlow,
}

impl Malformed {
    pub(crate) fn answer(&self) -> Response {
        match self {
            Self::Invalid => error::invalid_request(),
            Self::TooLarge => error::too_large(),
            Self::TooSlow => error::too_slow(),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Ok(RawPath(path)) = RawPath::from_request_parts(&mut parts, state).await;
        let path = path.map_err(|_| error::invalid_request())?;
        let caller = Caller {
            surface: SURFACE,
            network: ClientAddr::of(&parts.extensions).network(),
            language: language(&parts.headers),
        };
        Ok(Self {
            path,
            headers: parts.headers,
            body,
            caller,
        })
    }
}

impl Call {
    /// A segment of the path, empty when there is none.
    pub(crate) fn segment(&self, at: usize) -> String {
        self.path.get(at).cloned().unwrap_or_default()
    }

    /// `/v2/key/{keyId}`: the third segment.
    pub(crate) fn key_id(&self) -> Result<KeyId, Malformed> {
        self.path
            .get(2)
            .and_then(|text| value::key_id(text))
            .ok_or(Malformed::Invalid)
    }

    /// `/v2/key/{keyId}/user/{userId}`: the fifth segment.
    pub(crate) fn user_id(&self) -> Result<Address, Malformed> {
        self.path
            .get(4)
            .and_then(|text| value::user_id(text))
            .ok_or(Malformed::Invalid)
    }

    pub(crate) fn pin(&self) -> Result<Pin, Malformed> {
        auth::pin(&self.headers).ok_or(Malformed::Invalid)
    }

    /// The body's fields; an absent or empty body has none.
    pub(crate) async fn fields(self) -> Result<(Fields, Caller), Malformed> {
        let bytes = match web::body::read(self.body, &self.headers, BODY, BODY_SECONDS).await {
            Ok(bytes) => bytes,
            Err(BodyError::TooLarge) => return Err(Malformed::TooLarge),
            Err(BodyError::TooSlow) => return Err(Malformed::TooSlow),
            Err(BodyError::Broken) => return Err(Malformed::Invalid),
        };
        let fields = match web::json::object(&bytes, Duplicates::LastWins) {
            Ok(fields) => fields,
            Err(JsonError::Empty) => Map::new(),
            Err(JsonError::Syntax | JsonError::NotObject | JsonError::Duplicate(_)) => {
                return Err(Malformed::Invalid);
            }
        };
        let texts = TEXTS.iter().all(|name| {
            matches!(
                fields.get(*name),
                None | Some(Value::Null | Value::String(_))
            )
        });
        if texts {
            Ok((Fields(fields), self.caller))
        } else {
            Err(Malformed::Invalid)
        }
    }
}

/// The fields of a body: those that matter are strings, null or absent.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Takes a text out; null counts as absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        match self.0.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }
}

/// The first language the caller names, for the messages it causes.
fn language(headers: &HeaderMap) -> String {
    let named = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    let first = named
        .and_then(|text| text.split([',', ';', '-']).next())
        .unwrap_or_default()
        .trim();
    let plain =
        (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    if plain {
        first.to_ascii_lowercase()
    } else {
        "en".to_owned()
    }
}
