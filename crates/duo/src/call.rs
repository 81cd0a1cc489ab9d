//! One call, taken apart in the order of §2.8: token, scope, content type, body.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::response::Response;
use domain::federated::{FederatedUser, Login, TokenNeed};
use domain::{Caller, Wallets};
use http::{HeaderMap, Uri, header};
use web::ClientAddr;
use web::auth::Bearer as Offered;
use web::body::BodyError;
use web::json::{Duplicates, JsonError};
use web::media::MediaType;

use crate::SURFACE;
use crate::error::{self, Code, Failure};
use crate::value::Members;

/// Most bytes of an ordinary body.
pub(crate) const BODY: usize = 64 * 1024;
/// Most bytes of a body with shares.
pub(crate) const SHARES_BODY: usize = 8 * 1024 * 1024;
/// Most bytes of a body that may carry face data.
pub(crate) const FACE_BODY: usize = 24 * 1024 * 1024;
/// Longest time for sending a body, in seconds: phones upload slowly.
const BODY_SECONDS: u64 = 60;

/// Members that must not be repeated.
const KNOWN: &[&str] = &[
    "device_id",
    "signature",
    "device_name",
    "face_scan",
    "audit_trail_image",
    "low_quality_audit_trail_image",
    "user_agent",
    "session_id",
    "keyshares",
    "key_ids",
    "token",
    "instance",
    "setup",
    "key_id",
    "passkey",
    "credential",
];

pub(crate) type Reply = Result<Response, Failure>;

/// A call before anything of it is judged.
pub(crate) struct Call {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    body: axum::body::Body,
    pub(crate) client: IpAddr,
    pub(crate) caller: Caller,
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        let client = ClientAddr::of(&parts.extensions);
        let caller = Caller {
            surface: SURFACE,
            network: client.network(),
            language: language(&parts.headers),
        };
        Ok(Self {
            uri: parts.uri,
            headers: parts.headers,
            body,
            client: client.0,
            caller,
        })
    }
}

impl Call {
    /// Who calls, with the right that the endpoint needs.
    pub(crate) fn bearer(
        &self,
        wallets: &Arc<Wallets>,
        scope: Option<&'static str>,
        login: Login,
    ) -> impl Future<Output = Result<FederatedUser, Failure>> + Send + use<> {
        let token = match web::auth::bearer(&self.headers) {
            Offered::Token(token) => Some(token.to_owned()),
            Offered::Missing | Offered::Malformed => None,
        };
        let wallets = Arc::clone(wallets);
        async move {
            let token = token.ok_or(error::TOKEN_INVALID)?;
            let judged = wallets.bearer(&token, TokenNeed { scope, login }).await;
            judged.map_err(|error| error::of_token(error, wallets.now()))
        }
    }

    /// The members of a JSON body of at most `limit` bytes.
    pub(crate) async fn members(self, limit: usize) -> Result<Members, Failure> {
        if web::media::is_json(&self.headers) == MediaType::Other {
            return Err(error::MEDIA_TYPE.into());
        }
        let bytes = self.bytes(limit).await?;
        Ok(object(&bytes)?)
    }

    /// The same for a body that may be absent, whatever it is said to be.
    pub(crate) async fn members_if_any(self) -> Result<Members, Failure> {
        let media = web::media::is_json(&self.headers);
        let bytes = self.bytes(BODY).await?;
        match (bytes.is_empty(), media) {
            (true, _) => Ok(Members::new()),
            (false, MediaType::Other) => Err(error::MEDIA_TYPE.into()),
            (false, _) => Ok(object(&bytes)?),
        }
    }

    async fn bytes(self, limit: usize) -> Result<Bytes, Code> {
        let read = web::body::read(self.body, &self.headers, limit, BODY_SECONDS).await;
        read.map_err(|error| match error {
            BodyError::TooLarge => error::TOO_LARGE,
            BodyError::TooSlow => error::TOO_SLOW,
            BodyError::Broken => error::MALFORMED,
        })
    }
}

fn object(bytes: &[u8]) -> Result<Members, Code> {
    web::json::object(bytes, Duplicates::RefuseNamed(KNOWN)).map_err(|error| match error {
        JsonError::Empty | JsonError::Syntax | JsonError::NotObject | JsonError::Duplicate(_) => {
            error::MALFORMED
        }
    })
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
