//! Percent decoding, once and strictly.

/// Decodes every `%XX` of `raw` exactly once; `None` for a bad sequence or when the result is not UTF-8.
///
/// A lenient decoder would keep `%zz`, so that two texts could mean the same path.
pub(crate) fn decode(raw: &str) -> Option<String> {
    decode_bytes(raw.as_bytes(), Plus::Stays)
}

/// As [`decode`], but for bytes, and a plus means a space, as in HTML forms.
pub(crate) fn decode_form(raw: &[u8]) -> Option<String> {
    decode_bytes(raw, Plus::IsSpace)
}

#[derive(Clone, Copy)]
enum Plus {
    Stays,
    IsSpace,
}

fn decode_bytes(raw: &[u8], plus: Plus) -> Option<String> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.iter();
    while let Some(&byte) = rest.next() {
        decoded.push(match (byte, plus) {
            (b'%', _) => (nibble(*rest.next()?)? << 4) | nibble(*rest.next()?)?,
            (b'+', Plus::IsSpace) => b' ',
            _ => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_once() {
        assert_eq!(decode("%2B123").as_deref(), Some("+123"));
        assert_eq!(decode("a%2fb%2Fc").as_deref(), Some("a/b/c"));
        assert_eq!(decode("%2541").as_deref(), Some("%41"));
        assert_eq!(decode("p%C3%A4").as_deref(), Some("pä"));
        assert_eq!(decode("").as_deref(), Some(""));
    }

    #[test]
    fn a_plus_is_a_space_only_in_a_form() {
        assert_eq!(decode("+1 2").as_deref(), Some("+1 2"));
        assert_eq!(decode_form(b"a+b%2B").as_deref(), Some("a b+"));
    }

    #[test]
    fn bad_sequences_and_bad_utf8_are_refused() {
        for bad in [
            "%",
            "%4",
            "%zz",
            "%4g",
            "a%",
            "%%41",
            "%c3",
            "%ff",
            "%C0%80",
            "%ED%A0%80",
        ] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
