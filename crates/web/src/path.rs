//! The path of a request: split into segments before they are decoded, and read as typed parameters.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, MatchedPath, OriginalUri};
use http::Uri;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{json, percent};

/// A path with a bad percent sequence, or with bytes that are not UTF-8 after decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPath;

/// Why the parameters of a path could not be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// Some segment of the path is a [`BadPath`].
    Encoding,
    /// A parameter does not follow its rule.
    Value,
}

/// Reads the parameters of the route's pattern as a `T`, whose fields are named like them.
///
/// Every parameter is a text; the type of a field says how to read it (see [`json::text`]). It is the same `T` that
/// describes the parameters in OpenAPI.
pub fn params<T: DeserializeOwned>(parts: &Parts) -> Result<T, PathError> {
    let segments = segments(whole(parts)).map_err(|_| PathError::Encoding)?;
    let pattern = parts.extensions.get::<MatchedPath>();
    let names = pattern.map_or("", |pattern| pattern.as_str()).split('/');
    let members: Map<String, Value> = names
        .skip(1)
        .zip(segments)
        .filter_map(|(name, text)| {
            let name = name.strip_prefix('{')?.strip_suffix('}')?;
            Some((name.to_owned(), Value::String(text)))
        })
        .collect();
    json::typed(members).map_err(|_| PathError::Value)
}

/// The path that the client sent, also below a nested router.
fn whole(parts: &Parts) -> &Uri {
    let original = parts.extensions.get::<OriginalUri>();
    original.map_or(&parts.uri, |original| &original.0)
}

/// Splits the raw path on `/`, drops the empty piece before the leading slash and percent-decodes each segment once.
///
/// An encoded slash therefore never splits, and a plus stays a plus. `/` alone gives one empty segment, as does a
/// trailing slash.
///
/// ```
/// let uri = "/user/a%2Fb@c.de/+1".parse().unwrap();
/// assert_eq!(web::path::segments(&uri).unwrap(), ["user", "a/b@c.de", "+1"]);
/// ```
pub fn segments(uri: &Uri) -> Result<Vec<String>, BadPath> {
    let path = uri.path();
    path.strip_prefix('/')
        .unwrap_or(path)
        .split('/')
        .map(|raw| percent::decode(raw).ok_or(BadPath))
        .collect()
}

/// The segments of the whole path the client sent, also below a nested router.
///
/// It never rejects a request, so that the front answers a bad path in its own format and its own order of checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawPath(pub Result<Vec<String>, BadPath>);

impl<S: Sync> FromRequestParts<S> for RawPath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(segments(whole(parts))))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    fn of(uri: &str) -> Result<Vec<String>, BadPath> {
        segments(&uri.parse().unwrap())
    }

    #[test]
    fn splits_first_and_decodes_second() {
        assert_eq!(
            of("/v2/key/a%2Fb/%252F").unwrap(),
            ["v2", "key", "a/b", "%2F"]
        );
        assert_eq!(of("/user/+49?x=%zz").unwrap(), ["user", "+49"]);
        assert_eq!(of("http://host/a/b").unwrap(), ["a", "b"]);
    }

    #[test]
    fn empty_segments_are_kept() {
        assert_eq!(of("/").unwrap(), [""]);
        assert_eq!(of("/a/").unwrap(), ["a", ""]);
        assert_eq!(of("//a").unwrap(), ["", "a"]);
    }

    #[derive(serde::Deserialize, Debug, PartialEq)]
    #[serde(rename_all = "camelCase")]
    struct Item {
        list_name: String,
        #[serde(deserialize_with = "number")]
        number: u8,
    }

    fn number<'de, D: serde::Deserializer<'de>>(text: D) -> Result<u8, D::Error> {
        json::text(text, |text| text.parse().ok())
    }

    async fn params_of(path: &str) -> Result<Item, PathError> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let handler = async move |request: axum::extract::Request| {
            let (parts, _) = request.into_parts();
            sender.send(params(&parts)).unwrap();
        };
        let inner = axum::Router::new().route("/{listName}/items/{number}", get(handler));
        let router = axum::Router::new().nest("/lists", inner);
        let request = http::Request::get(path).body(Body::empty()).unwrap();
        router.oneshot(request).await.unwrap();
        receiver.try_recv().unwrap()
    }

    #[tokio::test]
    async fn parameters_have_names_and_types() {
        let list_name = "a/b".to_owned();
        assert_eq!(
            params_of("/lists/a%2Fb/items/7").await,
            Ok(Item {
                list_name,
                number: 7
            })
        );
        assert_eq!(params_of("/lists/a/items/x").await, Err(PathError::Value));
        assert_eq!(
            params_of("/lists/%zz/items/7").await,
            Err(PathError::Encoding)
        );
    }

    #[test]
    fn one_bad_segment_spoils_the_path() {
        assert_eq!(of("/a/%"), Err(BadPath));
        assert_eq!(of("/%ff/a"), Err(BadPath));
    }
}
