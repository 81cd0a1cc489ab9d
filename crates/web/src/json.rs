//! Strict JSON in, plain JSON out.

mod strict;

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// What happens when an object names a member twice.
///
/// An attacker can use two parsers that treat a repeated member differently. So an API should refuse repeated
/// members unless its clients are known to rely on the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// The last one counts, everywhere.
    LastWins,
    /// Refused in the outermost object; inside, the last one counts.
    RefuseTop,
    /// Refused in every object.
    RefuseAll,
    /// Refused in the outermost object and in the objects that are the value of one of these members of it.
    RefuseIn(&'static [&'static str]),
    /// Refused for these members of the outermost object; elsewhere the last one counts.
    RefuseNamed(&'static [&'static str]),
}

/// Why a text is not an acceptable JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// The text is empty. Many APIs read this as `{}`.
    Empty,
    /// Not exactly one JSON value in UTF-8, or one nested too deeply.
    Syntax,
    /// JSON, but not an object.
    NotObject,
    /// The named member occurs twice where it must not.
    Duplicate(String),
}

/// An object whose members are not the ones that were asked for: one is missing, of another type, or against its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadShape;

/// How deeply values may nest by default. The outermost object is the first level.
pub const DEPTH: usize = 128;

/// Reads exactly one JSON object.
///
/// Refused as [`JsonError::Syntax`]: bytes that are not UTF-8, a byte order mark, a lone surrogate escape, a number
/// beyond the range of a double, anything but white space after the object, and nesting beyond [`DEPTH`] levels.
pub fn object(bytes: &[u8], duplicates: Duplicates) -> Result<Map<String, Value>, JsonError> {
    object_with_depth(bytes, duplicates, DEPTH)
}

/// As [`object`], with another number of allowed levels.
pub fn object_with_depth(
    bytes: &[u8],
    duplicates: Duplicates,
    depth: usize,
) -> Result<Map<String, Value>, JsonError> {
    if bytes.is_empty() {
        return Err(JsonError::Empty);
    }
    let text = str::from_utf8(bytes).map_err(|_| JsonError::Syntax)?;
    match strict::value(text, duplicates, depth)? {
        Value::Object(members) => Ok(members),
        _ => Err(JsonError::NotObject),
    }
}

/// Reads the members of an object as the `T` that describes the request, also in OpenAPI.
///
/// A member that `T` does not know is ignored, unless `T` has `#[serde(deny_unknown_fields)]`.
pub fn typed<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, BadShape> {
    // The parser's own words may quote a value, and so a secret: they end here.
    T::deserialize(Value::Object(members)).map_err(|_| BadShape)
}

/// Reads a string with `read`, which gives nothing for a text against its rule. For `#[serde(deserialize_with)]`:
///
/// ```
/// use serde::{Deserialize, Deserializer};
///
/// #[derive(Deserialize)]
/// struct Request {
///     #[serde(deserialize_with = "code")]
///     code: u32,
/// }
///
/// fn code<'de, D: Deserializer<'de>>(text: D) -> Result<u32, D::Error> {
///     web::json::text(text, |text| (text.len() == 6).then(|| text.parse().ok())?)
/// }
///
/// assert_eq!(serde_json::from_str::<Request>(r#"{"code":"000042"}"#).unwrap().code, 42);
/// assert!(serde_json::from_str::<Request>(r#"{"code":"42"}"#).is_err());
/// ```
pub fn text<'de, D: Deserializer<'de>, T>(
    text: D,
    read: impl FnOnce(String) -> Option<T>,
) -> Result<T, D::Error> {
    let text = String::deserialize(text)?;
    read(text).ok_or_else(|| D::Error::custom("a text against its rule"))
}

/// A JSON answer that must not be cached and whose type browsers must not guess.
pub fn reply(status: StatusCode, body: &impl Serialize) -> Response {
    let (status, text) = match serde_json::to_vec(body) {
        Ok(text) => (status, text),
        Err(error) => {
            tracing::error!(code = "web.reply", %error, "An answer could not be written as JSON.");
            (StatusCode::INTERNAL_SERVER_ERROR, b"{}".to_vec())
        }
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests;
