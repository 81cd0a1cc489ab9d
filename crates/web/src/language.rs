//! The language that a client prefers.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// The language for a client that names none, or none that can be parsed.
const FALLBACK: &str = "en";

/// The primary tag of the first language in `Accept-Language`: two or three lower-case letters, such as `de`.
///
/// Only the first one counts, without its quality and its region. The caller must check whether there are texts in
/// this language.
pub fn preferred(headers: &HeaderMap) -> String {
    let named = headers
        .get(ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    let first = named.and_then(|text| text.split([',', ';', '-']).next());
    let first = first.unwrap_or_default().trim();
    let plain =
        (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    if plain {
        first.to_ascii_lowercase()
    } else {
        FALLBACK.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn of(text: &'static str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(text));
        preferred(&headers)
    }

    #[test]
    fn the_first_language_counts_without_its_region() {
        for text in ["de", "DE", "de-AT,en;q=0.9", " de ;q=0.5, fr", "de,en"] {
            assert_eq!(of(text), "de", "{text}");
        }
        assert_eq!(of("gsw-CH"), "gsw");
    }

    #[test]
    fn what_is_no_language_counts_as_english() {
        for text in ["", "*", "d", "deut", "d3", "*;q=0.1, de", ",de"] {
            assert_eq!(of(text), "en", "{text}");
        }
        assert_eq!(preferred(&HeaderMap::new()), "en");
    }
}
