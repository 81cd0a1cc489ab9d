//! The media type of a request body.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// The declared type of a request's body, as far as JSON is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// There is no `Content-Type`.
    Absent,
    /// `application/json`, with or without parameters.
    Json,
    /// Another type that ends with `+json`, such as `application/problem+json`.
    JsonSuffix,
    /// Any other type, an invalid one, or more than one header.
    Other,
}

/// Parses `Content-Type`. The case of type and subtype and all parameters are ignored.
pub fn is_json(headers: &HeaderMap) -> MediaType {
    match essence(headers) {
        None => MediaType::Absent,
        Some(essence) if essence == "application/json" => MediaType::Json,
        Some(essence) if has_json_suffix(&essence) => MediaType::JsonSuffix,
        Some(_) => MediaType::Other,
    }
}

/// Whether the body is declared to be an HTML form (`application/x-www-form-urlencoded`).
pub fn is_form(headers: &HeaderMap) -> bool {
    essence(headers).is_some_and(|essence| essence == "application/x-www-form-urlencoded")
}

/// Returns `type/subtype` in lower case, or an empty text, which matches nothing, if the header is invalid or
/// repeated.
fn essence(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return Some(String::new());
    }
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default();
    Some(essence.trim_matches([' ', '\t']).to_ascii_lowercase())
}

fn has_json_suffix(essence: &str) -> bool {
    let Some((kind, subtype)) = essence.split_once('/') else {
        return false;
    };
    let stem = subtype.strip_suffix("+json").unwrap_or_default();
    !kind.is_empty() && !stem.is_empty() && !subtype.contains('/') && !essence.contains(' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn with(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_TYPE, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn json_in_any_spelling() {
        for text in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"a;b\"",
            "application/json ;x=y",
        ] {
            assert_eq!(is_json(&with(&[text])), MediaType::Json, "{text}");
        }
    }

    #[test]
    fn a_suffix_is_told_apart() {
        assert_eq!(
            is_json(&with(&["application/Problem+JSON; a=b"])),
            MediaType::JsonSuffix
        );
        for text in [
            "application/+json",
            "+json",
            "/a+json",
            "a/b/c+json",
            "a /b+json",
        ] {
            assert_eq!(is_json(&with(&[text])), MediaType::Other, "{text}");
        }
    }

    #[test]
    fn absent_is_not_other() {
        assert_eq!(is_json(&HeaderMap::new()), MediaType::Absent);
        for text in [
            "",
            "text/plain",
            "application/jsonx",
            "json",
            "application/json, text/plain",
        ] {
            assert_eq!(is_json(&with(&[text])), MediaType::Other, "{text}");
        }
        assert_eq!(
            is_json(&with(&["application/json", "application/json"])),
            MediaType::Other
        );
    }

    #[test]
    fn forms() {
        assert!(is_form(&with(&[
            "application/x-www-form-urlencoded; charset=UTF-8"
        ])));
        assert!(is_form(&with(&["Application/X-WWW-Form-URLEncoded"])));
        assert!(!is_form(&with(&["multipart/form-data"])));
        assert!(!is_form(&HeaderMap::new()));
    }
}
