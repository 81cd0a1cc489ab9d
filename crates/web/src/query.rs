//! Parses query strings and HTML forms into lists of pairs, which keep order and repetitions.

use http::Uri;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::json::{self, BadShape};
use crate::percent;

/// A query with a bad percent sequence, or with bytes that are not UTF-8 after decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadQuery;

/// A form body with a bad percent sequence, or with bytes that are not UTF-8 after decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadForm;

/// The pairs of a query, percent-decoded only: a plus stays a plus, since phone numbers are sent with a bare one.
///
/// Empty pieces are skipped, a name without `=` has the empty value, and only the first `=` separates.
pub fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, BadQuery> {
    let query = uri.query().unwrap_or_default().as_bytes();
    split(query, |raw| {
        str::from_utf8(raw).ok().and_then(percent::decode)
    })
    .ok_or(BadQuery)
}

/// The pairs of an `application/x-www-form-urlencoded` body, where a plus is a space; otherwise as [`pairs`].
pub fn form(body: &[u8]) -> Result<Vec<(String, String)>, BadForm> {
    split(body, percent::decode_form).ok_or(BadForm)
}

/// Reads pairs as a `T`, whose fields are named like them. Every value is a text, and the type of a field says how to
/// read it (see [`json::text`]). Of a repeated name the first one counts.
pub fn typed<T: DeserializeOwned>(pairs: Vec<(String, String)>) -> Result<T, BadShape> {
    let mut members = Map::new();
    for (name, text) in pairs {
        members.entry(name).or_insert(Value::String(text));
    }
    json::typed(members)
}

fn split(raw: &[u8], decode: impl Fn(&[u8]) -> Option<String>) -> Option<Vec<(String, String)>> {
    raw.split(|&byte| byte == b'&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let equals = piece.iter().position(|&byte| byte == b'=');
            let (name, value) = match equals {
                Some(at) => (&piece[..at], &piece[at + 1..]),
                None => (piece, &[][..]),
            };
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn query(text: &str) -> Result<Vec<(String, String)>, BadQuery> {
        pairs(&format!("/x{text}").parse().unwrap())
    }

    #[test]
    fn a_query_keeps_its_plus() {
        assert_eq!(
            query("?n=+12&m=%2B1").unwrap(),
            owned(&[("n", "+12"), ("m", "+1")])
        );
    }

    #[test]
    fn a_form_turns_plus_into_space() {
        assert_eq!(
            form(b"a=1+2&b=%2B").unwrap(),
            owned(&[("a", "1 2"), ("b", "+")])
        );
    }

    #[test]
    fn order_and_repetition_are_kept() {
        assert_eq!(
            query("?b=1&a=2&b=3").unwrap(),
            owned(&[("b", "1"), ("a", "2"), ("b", "3")])
        );
        assert_eq!(
            form(b"a&&=x&b=c=d&").unwrap(),
            owned(&[("a", ""), ("", "x"), ("b", "c=d")])
        );
        assert_eq!(query("").unwrap(), []);
        assert_eq!(query("?").unwrap(), []);
        assert_eq!(form(b"").unwrap(), []);
    }

    #[test]
    fn pairs_are_read_as_a_struct() {
        #[derive(serde::Deserialize, Debug, PartialEq)]
        struct Search {
            name: String,
            limit: Option<String>,
        }
        let read = |text| typed::<Search>(query(text).unwrap());
        let (name, limit) = ("a".to_owned(), None);
        assert_eq!(read("?name=a&name=b&x=y"), Ok(Search { name, limit }));
        assert_eq!(read("?limit=1"), Err(BadShape));
    }

    #[test]
    fn bad_encodings_are_refused() {
        assert_eq!(query("?a=%4"), Err(BadQuery));
        assert_eq!(query("?%ff=1"), Err(BadQuery));
        assert_eq!(form(b"a=%"), Err(BadForm));
        assert_eq!(form(b"a=\xff"), Err(BadForm));
    }
}
