//! Values as the wire spells them (§2).

use std::time::Duration;

use domain::person::process::ProcessId;
use domain::person::{Factor, Way, WayKind};
use domain::secret::SecretText;
use uuid::Uuid;

/// A UUID with its dashes, in either case.
pub(crate) fn process(text: &str) -> Option<ProcessId> {
    let id = (text.len() == 36).then(|| Uuid::parse_str(text).ok())?;
    id.map(ProcessId)
}

/// The kind of an address, also in the spelling of versions 4 to 6.
pub(crate) fn kind(text: &str) -> Option<WayKind> {
    match text {
        "EMAIL" | "email" => Some(WayKind::Email),
        "PHONE_NUMBER" | "phoneNumber" => Some(WayKind::Phone),
        _ => None,
    }
}

/// As [`kind`], and the authenticator.
pub(crate) fn factor(text: &str) -> Option<Factor> {
    match text {
        "GOOGLE_AUTHENTICATOR" | "googleAuthenticator" => Some(Factor::Authenticator),
        other => kind(other).map(WayKind::factor),
    }
}

pub(crate) fn factor_name(factor: Factor) -> &'static str {
    match factor {
        Factor::Email => "EMAIL",
        Factor::Phone => "PHONE_NUMBER",
        Factor::Authenticator => "GOOGLE_AUTHENTICATOR",
    }
}

/// A user key: what starts with a plus is a phone number.
pub(crate) fn way(text: &str) -> Option<Way> {
    let text = text.trim();
    if text.starts_with('+') {
        phone(text)
    } else {
        email(text)
    }
}

pub(crate) fn email(text: &str) -> Option<Way> {
    let text = text.trim();
    let length = text.chars().count();
    let at = single_at(text)?;
    let (local, domain) = (&text[..at], &text[at + 1..]);
    let sound = (3..=254).contains(&length)
        && (1..=64).contains(&local.chars().count())
        && domain.contains('.')
        && domain.split('.').all(|label| !label.is_empty())
        && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    sound.then(|| Way::email(text))
}

/// Where the one `@` outside quotes is.
fn single_at(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut found = None;
    for (at, letter) in text.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '@' if !quoted && found.is_some() => return None,
            '@' if !quoted => found = Some(at),
            _ => {}
        }
    }
    found.filter(|_| !quoted)
}

pub(crate) fn phone(text: &str) -> Option<Way> {
    let number: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '.' | '-' | '(' | ')'))
        .collect();
    let digits = number.strip_prefix('+')?;
    let sound = (7..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| Way::phone(&number))
}

/// A value of a query whose plus was turned into a space on its way.
pub(crate) fn plus(text: &str) -> String {
    match text.strip_prefix(' ') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => format!("+{rest}"),
        _ => text.to_owned(),
    }
}

/// Six digits, spaces removed.
pub(crate) fn token(text: &str) -> Option<SecretText> {
    let digits: String = text.chars().filter(|c| *c != ' ').collect();
    let sound = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| SecretText::new(digits))
}

/// Six digits of an authenticator, or one of its recovery codes.
pub(crate) fn app_code(text: &str) -> Option<SecretText> {
    if let Some(digits) = token(text) {
        return Some(digits);
    }
    let letters: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let sound = letters.len() == 12 && letters.bytes().all(|byte| byte.is_ascii_alphanumeric());
    sound.then(|| SecretText::new(letters))
}

/// 4 to 32 letters, digits, `_` and `-`, in any script.
pub(crate) fn phrase(text: &str) -> Option<String> {
    let text = text.trim();
    let sound = (4..=32).contains(&text.chars().count())
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    sound.then(|| text.to_owned())
}

/// `30min.`, `90s.`
pub(crate) fn expiration(life: Duration) -> String {
    let seconds = life.as_secs();
    if seconds.is_multiple_of(60) {
        format!("{}min.", seconds / 60)
    } else {
        format!("{seconds}s.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails() {
        for good in [
            "a@b.c",
            " Anna.B+x@example.com ",
            "\"a@b\"@example.com",
            "ä@exämple.de",
        ] {
            assert!(email(good).is_some(), "{good}");
        }
        let local = "x".repeat(65);
        for bad in [
            "",
            "a",
            "a@b",
            "@b.c",
            "a@b@c.d",
            "a b@c.d",
            "a@b..c",
            "a@.c",
            "a@b.c\n.d",
            &format!("{local}@b.c"),
        ] {
            assert!(email(bad).is_none(), "{bad}");
        }
        assert_eq!(email("A@B.c").unwrap().norm, "a@b.c");
    }

    #[test]
    fn phones() {
        assert_eq!(
            phone("+49 (151) 12-34.5678").unwrap().norm,
            "+4915112345678"
        );
        for bad in [
            "+012345678",
            "49151123456",
            "+123456",
            "+1234567890123456",
            "+12345678a",
        ] {
            assert!(phone(bad).is_none(), "{bad}");
        }
        assert_eq!(plus(" 123456789"), "+123456789");
    }

    #[test]
    fn codes() {
        assert!(token("04 21 37").is_some());
        for bad in ["04213", "0421377", "04213x", "٠٤٢١٣٧"] {
            assert!(token(bad).is_none(), "{bad}");
        }
        assert!(app_code("abcd-efgh-2345").is_some());
        assert!(app_code("abcd-efgh").is_none());
    }

    #[test]
    fn phrases_and_spans() {
        assert_eq!(
            phrase(" blauer-Fuchs_7 ").as_deref(),
            Some("blauer-Fuchs_7")
        );
        assert!(phrase("abc").is_none());
        assert!(phrase("with space").is_none());
        assert_eq!(expiration(Duration::from_secs(1800)), "30min.");
        assert_eq!(expiration(Duration::from_secs(90)), "90s.");
    }
}
