//! Path segments, split before they are decoded.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OriginalUri};
use http::Uri;
use http::request::Parts;

use crate::percent;

/// A path with a bad percent sequence, or with bytes that are not UTF-8 after decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPath;

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
/// It never rejects by itself, so that a bad path is answered by the front, in its own shape and in its own order of
/// checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawPath(pub Result<Vec<String>, BadPath>);

impl<S: Sync> FromRequestParts<S> for RawPath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let uri = parts
            .extensions
            .get::<OriginalUri>()
            .map_or(&parts.uri, |original| &original.0);
        Ok(Self(segments(uri)))
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn one_bad_segment_spoils_the_path() {
        assert_eq!(of("/a/%"), Err(BadPath));
        assert_eq!(of("/%ff/a"), Err(BadPath));
    }
}
