//! Values by the rules of §3.4: parsed whole, never trimmed, never normalised.

use domain::guarded_key::contact::ContactAddress;
use domain::guarded_key::{GuardedKeyId, Pin};
use domain::message::Channel;
use domain::secret::SecretText;
use uuid::Uuid;

/// 4 to 256 UTF-16 code units without LF, CR, U+2028 and U+2029.
pub(crate) fn pin(text: String) -> Option<Pin> {
    let units = text.encode_utf16().count();
    let breaks = text.contains(['\n', '\r', '\u{2028}', '\u{2029}']);
    ((4..=256).contains(&units) && !breaks).then(|| Pin(SecretText::new(text)))
}

/// A lower-case UUID of version 1 to 5 and the usual variant.
pub(crate) fn key_id(text: &str) -> Option<GuardedKeyId> {
    let dashes = [8, 13, 18, 23];
    let shape = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| {
            if dashes.contains(&at) {
                byte == b'-'
            } else {
                matches!(byte, b'0'..=b'9' | b'a'..=b'f')
            }
        });
    let version = text
        .as_bytes()
        .get(14)
        .is_some_and(|byte| (b'1'..=b'5').contains(byte));
    let variant = text
        .as_bytes()
        .get(19)
        .is_some_and(|byte| b"89ab".contains(byte));
    (shape && version && variant)
        .then(|| Uuid::parse_str(text).ok().map(GuardedKeyId))
        .flatten()
}

/// Exactly six ASCII digits.
pub(crate) fn code(text: String) -> Option<SecretText> {
    (text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| SecretText::new(text))
}

/// A phone number or an email address.
pub(crate) fn user_id(text: &str) -> Option<ContactAddress> {
    let channel = if is_phone(text) {
        Channel::Sms
    } else if is_email(text) {
        Channel::Email
    } else {
        return None;
    };
    Some(ContactAddress {
        channel,
        text: text.to_owned(),
    })
}

/// `^\+[1-9][0-9]{1,14}$`
fn is_phone(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else {
        return false;
    };
    (2..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
}

fn is_email(text: &str) -> bool {
    // A domain never holds an at sign, a quoted local part may.
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let ours = text.len() <= 254 && !text.chars().any(char::is_control);
    ours && (is_dotted(local) || is_quoted(local)) && (is_literal(domain) || is_host(domain))
}

fn is_dotted(local: &str) -> bool {
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
}

fn is_atom(char: char) -> bool {
    let space = char.is_whitespace() || char == '\u{feff}';
    !space && !r#"<>()[]\.,;:@""#.contains(char)
}

fn is_quoted(local: &str) -> bool {
    let inner = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| {
        !inner.is_empty() && !inner.contains(['\n', '\r', '\u{2028}', '\u{2029}'])
    })
}

fn is_literal(domain: &str) -> bool {
    let inner = domain
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let number = |part: &str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    inner.is_some_and(|inner| inner.split('.').count() == 4 && inner.split('.').all(number))
}

fn is_host(domain: &str) -> bool {
    let Some((labels, last)) = domain.rsplit_once('.') else {
        return false;
    };
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    labels.split('.').all(label)
        && last.len() >= 2
        && last.bytes().all(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of §3.4.
    #[test]
    fn user_ids() {
        for bad in [
            "+1",
            "+0123",
            "4917512345678",
            "+1234567890123456",
            "a@b",
            "a b@c.de",
            "a@b_c.de",
            "a@bä.de",
            "a..b@c.de",
            ".a@b.de",
            "a@b.c",
            "a@b.co\n",
            "",
            "@",
            "\"\"@b.de",
            "a@b..de",
            "+12\n",
            "a\u{7f}@b.de",
        ] {
            assert_eq!(user_id(bad), None, "{bad:?}");
        }
        for good in ["+12", "+123456789012345"] {
            assert_eq!(
                user_id(good).map(|address| address.channel),
                Some(Channel::Sms),
                "{good}"
            );
        }
        for good in [
            "a@b.co",
            "A@B.CO",
            "a+tag@b.de",
            "o'x@c.de",
            "a/b@c.de",
            "a%b@c.de",
            "ä@c.de",
            "a@b-.de",
        ] {
            assert_eq!(
                user_id(good).map(|address| address.channel),
                Some(Channel::Email),
                "{good}"
            );
        }
        assert_eq!(user_id(&format!("{}@b.co", "a".repeat(250))), None);
    }

    #[test]
    fn pins_are_counted_in_utf16() {
        for good in ["1234", "    ", "pä ß", "ab:cdef", "🙂🙂", "\0\0\0\0"] {
            assert!(pin(good.to_owned()).is_some(), "{good:?}");
        }
        for bad in [
            "",
            "123",
            "🙂",
            "12\n34",
            "12\r34",
            "12\u{2028}34",
            "1234\u{2029}",
        ] {
            assert!(pin(bad.to_owned()).is_none(), "{bad:?}");
        }
        assert!(pin("x".repeat(256)).is_some());
        assert!(pin("x".repeat(257)).is_none());
        assert!(pin("🙂".repeat(129)).is_none());
    }

    #[test]
    fn key_ids_are_lower_case_uuids() {
        assert!(key_id("8bfd90a9-949b-42e6-aae4-1690ce339721").is_some());
        for bad in [
            "8BFD90A9-949b-42e6-aae4-1690ce339721",
            "8bfd90a9-949b-62e6-aae4-1690ce339721",
            "8bfd90a9-949b-42e6-cae4-1690ce339721",
            "8bfd90a9949b42e6aae41690ce339721",
            "8bfd90a9-949b-42e6-aae4-1690ce339721\n",
            "",
            "x",
        ] {
            assert!(key_id(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn codes_are_six_digits() {
        assert!(code("000123".to_owned()).is_some());
        for bad in ["12345", "1234567", "12345a", "12345\n", "１２３４５６"] {
            assert!(code(bad.to_owned()).is_none(), "{bad:?}");
        }
    }
}
