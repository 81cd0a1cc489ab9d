//! The PIN in the Authorization header (§3.3).

use domain::custody::Pin;
use http::HeaderMap;

use crate::value;

/// The PIN of a Basic credential; its user part is ignored.
pub(crate) fn pin(headers: &HeaderMap) -> Option<Pin> {
    web::auth::basic(headers).and_then(|basic| value::pin(basic.password.as_str().to_owned()))
}
