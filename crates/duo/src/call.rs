//! The parts of a call as a handler receives them, in the order of §2.8: token, scope, content type, body. The first one
//! that cannot be read answers the call.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::net::IpAddr;

use axum::extract::{FromRequest, FromRequestParts, Request};
use domain::Caller;
use domain::proof::federated::{FederatedUser, Login, TokenNeed};
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use web::ClientAddr;
use web::auth::Bearer as Offered;
use web::json::Duplicates;
use web::media::MediaType;

use crate::error::{self, Code, Failure};
use crate::{SURFACE, Wallets};

/// Most bytes of an ordinary body.
const BODY: usize = 64 * 1024;
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

/// Who calls, as far as the network tells, and in which language to write to this person.
pub(crate) struct Calling {
    pub(crate) caller: Caller,
    pub(crate) client: IpAddr,
}

impl<S: Sync> FromRequestParts<S> for Calling {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let client = ClientAddr::of(&parts.extensions);
        let caller = Caller {
            surface: SURFACE,
            network: client.network(),
            language: web::language::preferred(&parts.headers),
        };
        Ok(Self {
            caller,
            client: client.0,
        })
    }
}

/// What an endpoint needs of the token (§4).
pub(crate) trait Right {
    const SCOPE: Option<&'static str>;
    const LOGIN: Login = Login::Whenever;
}

macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident: $scope:expr, $login:ident;)*) => {
        $($(#[$doc])* pub(crate) struct $name;

        impl Right for $name {
            const SCOPE: Option<&'static str> = $scope;
            const LOGIN: Login = Login::$login;
        })*
    };
}

rights! {
    /// Any token of the user.
    AnyScope: None, Whenever;
    WriteDevices: Some("write:devices"), Whenever;
    ReadDevices: Some("read:devices"), Whenever;
    /// To enrol a face or a passkey, the login must be fresh.
    WriteFace: Some("write:face"), Fresh;
    ReadFace: Some("read:face"), Whenever;
    WriteBackup: Some("write:backup"), Whenever;
    /// To get keyshares back, the login must be fresh.
    ReadBackup: Some("read:backup"), Fresh;
    ReadTransactions: Some("read:transactions"), Whenever;
}

/// The user whose token has the right `R`.
pub(crate) struct Holder<R>(pub(crate) FederatedUser, pub(crate) PhantomData<R>);

impl<R: Right> FromRequestParts<Wallets> for Holder<R> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, wallets: &Wallets) -> Result<Self, Failure> {
        let Offered::Token(token) = web::auth::bearer(&parts.headers) else {
            return Err(error::TOKEN_INVALID.into());
        };
        let (scope, login) = (R::SCOPE, R::LOGIN);
        let judged = wallets.bearer(token, TokenNeed { scope, login }).await;
        let bearer = judged.map_err(error::of_token(wallets))?;
        Ok(Self(bearer, PhantomData))
    }
}

/// A JSON body.
pub(crate) trait Form: DeserializeOwned {
    /// Largest body in bytes.
    const BYTES: usize = BODY;

    /// Tells what is wrong with members that are no `Self`.
    fn fault(_: &Map<String, Value>) -> Code {
        error::MALFORMED
    }
}

/// The body. A content type that is not JSON is refused; none at all is taken for JSON.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: Form> FromRequest<Wallets> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &Wallets) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        if web::media::is_json(&parts.headers) == MediaType::Other {
            return Err(error::MEDIA_TYPE.into());
        }
        let bytes = web::body::read(body, &parts.headers, T::BYTES, BODY_SECONDS).await?;
        let members = object(&bytes)?;
        let fault = T::fault(&members);
        let form = web::json::typed(members);
        form.map(Self).map_err(|_| fault.into())
    }
}

/// A body of which nothing is needed. It may be absent, and then its content type does not matter.
pub(crate) struct AnyBody;

impl FromRequest<Wallets> for AnyBody {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &Wallets) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = web::body::read(body, &parts.headers, BODY, BODY_SECONDS).await?;
        if bytes.is_empty() {
            return Ok(Self);
        }
        if web::media::is_json(&parts.headers) == MediaType::Other {
            return Err(error::MEDIA_TYPE.into());
        }
        object(&bytes).map(|_| Self)
    }
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, Failure> {
    let object = web::json::object(bytes, Duplicates::RefuseNamed(KNOWN));
    object.map_err(|_| error::MALFORMED.into())
}
