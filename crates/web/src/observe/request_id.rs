//! The name with which a request can be found in the log.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header in which a client or proxy may name its request, and in which the answer returns the name.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

const LONGEST: usize = 64;

/// A request's name: the one in its header, if it is harmless, otherwise 32 random hex digits.
///
/// It helps people to search a log. It is neither a secret nor a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The name of a request with these headers.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(HEADER).iter();
        match (
            values.next().and_then(|value| value.to_str().ok()),
            values.next(),
        ) {
            (Some(text), None) if is_harmless(text) => Self(text.into()),
            _ => Self::random(),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "no decision depends on the name of a request"
    )]
    fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string().into())
    }

    /// Its text: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn header_value(&self) -> HeaderValue {
        // Its letters are all legal in a header; the other arm is never taken.
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

/// As an extractor it never fails: without [`super::layer`] around the router, the request is named on the spot.
impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self::of(&parts.headers)))
    }
}

/// Nothing that could forge a log line, run away in length, or mean something to a terminal.
fn is_harmless(text: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(values: &[&str]) -> RequestId {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        RequestId::of(&headers)
    }

    #[test]
    fn a_harmless_name_is_kept() {
        for name in ["a", "A-z_0.9", &"x".repeat(64)] {
            assert_eq!(named(&[name]).as_str(), name);
        }
    }

    #[test]
    fn any_other_name_is_replaced() {
        let long = "x".repeat(65);
        for names in [
            &[][..],
            &[""],
            &["a b"],
            &["a;b"],
            &["ä"],
            &[&long],
            &["a", "b"],
        ] {
            let id = named(names);
            assert_eq!(id.as_str().len(), 32, "{names:?}");
            assert!(id.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert_ne!(id, named(names));
        }
    }
}
