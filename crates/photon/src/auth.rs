//! The PIN in the Authorization header (§3.3).

use axum::extract::FromRequestParts;
use domain::guarded_key::Pin;
use http::request::Parts;

use crate::error::Failure;
use crate::value;

/// The PIN of a Basic credential. The user name of the credential is ignored.
pub(crate) struct BasicPin(pub(crate) Pin);

impl<S: Sync> FromRequestParts<S> for BasicPin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let credential = web::auth::basic(&parts.headers).ok_or(Failure::Malformed)?;
        let pin = value::pin(credential.password.as_str().to_owned());
        pin.map(Self).ok_or(Failure::Malformed)
    }
}
