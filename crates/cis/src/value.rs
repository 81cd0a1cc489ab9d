//! Values by the rules of §5.2, §6 and §7.1: never trimmed, never normalised.

use serde_json::Value;

use crate::fields::{Fields, Rule};

/// Most bytes of a `custom_data` as compact JSON.
const CUSTOM_BYTES: usize = 8192;
/// Most levels of it; the object itself is the first.
const CUSTOM_LEVELS: usize = 16;

pub(crate) const KEY_ID: Rule = Rule {
    holds: |text| domain::tenant::device_key::KeyName::parse(text.to_owned()).is_some(),
    says: "must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ : @ + = - and not dots only",
};

pub(crate) const DISPLAY_NAME: Rule = Rule {
    holds: |text| {
        text.chars().count() <= 255 && !text.chars().any(|c| c <= '\u{1f}' || c == '\u{7f}')
    },
    says: "must be at most 255 characters without control characters",
};

pub(crate) const ANY: Rule = Rule {
    holds: |_| true,
    says: "must be a string",
};

pub(crate) const DEVICE_TOKEN: Rule = Rule {
    holds: |text| (32..=255).contains(&text.chars().count()),
    says: "must be longer than or equal to 32 and shorter than or equal to 255 characters",
};

pub(crate) const PUSH_TYPE: Rule = Rule {
    holds: |text| text == "FCM" || text == "APN",
    says: "must be one of the following values: FCM, APN",
};

pub(crate) const SHORT: Rule = Rule {
    holds: |text| (1..=255).contains(&text.chars().count()),
    says: "must be 1 to 255 characters",
};

pub(crate) const NAME: Rule = Rule {
    holds: |text| (1..=255).contains(&text.chars().count()) && !text.chars().any(char::is_control),
    says: "must be 1 to 255 characters without control characters",
};

pub(crate) const CHALLENGE: Rule = Rule {
    holds: |text| (1..=4096).contains(&text.len()),
    says: "must be 1 to 4096 bytes",
};

pub(crate) const SIGNATURE: Rule = Rule {
    holds: |text| (1..=2048).contains(&text.chars().count()),
    says: "must be 1 to 2048 characters",
};

pub(crate) const EMAIL: Rule = Rule {
    holds: is_email,
    says: "must be an email",
};

pub(crate) const PHONE: Rule = Rule {
    holds: is_phone,
    says: "must be a phone number in E.164 form",
};

/// At most 254 characters, and one `@` with something on both sides.
fn is_email(text: &str) -> bool {
    let parts = text.split_once('@');
    let sound = parts
        .is_some_and(|(left, right)| !left.is_empty() && !right.is_empty() && !right.contains('@'));
    sound && text.chars().count() <= 254 && !text.chars().any(char::is_control)
}

/// `^\+[1-9][0-9]{6,14}$`
fn is_phone(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else {
        return false;
    };
    (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
}

/// A `custom_data`: an object of bounded size and depth, as compact JSON.
pub(crate) fn custom(fields: &mut Fields, name: &str) -> Option<String> {
    let value = fields.any(name)?;
    if !value.is_object() {
        return fields.wrong(name, "must be an object");
    }
    if !within(&value, CUSTOM_LEVELS) {
        return fields.wrong(name, "must have at most 16 levels");
    }
    let text = value.to_string();
    if text.len() > CUSTOM_BYTES {
        return fields.wrong(name, "must be at most 8192 bytes");
    }
    Some(text)
}

/// Whether containers nest at most `levels` deep. The parser has bounded the depth already.
fn within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Object(members) => {
            levels > 0 && members.values().all(|inner| within(inner, levels - 1))
        }
        Value::Array(items) => levels > 0 && items.iter().all(|inner| within(inner, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// Kept JSON, as a value for an answer.
pub(crate) fn stored(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_and_phones() {
        for good in ["a@b", "A.b+c@d.example", "ä@c.de"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "@",
            "a@",
            "@b",
            "a@b@c",
            "a",
            "a@b\n",
            &format!("{}@b", "a".repeat(253)),
        ] {
            assert!(!is_email(bad), "{bad}");
        }
        for good in ["+1234567", "+123456789012345"] {
            assert!(is_phone(good), "{good}");
        }
        for bad in [
            "+123456",
            "+1234567890123456",
            "+0123456",
            "1234567",
            "+12345a7",
            "+1234567\n",
        ] {
            assert!(!is_phone(bad), "{bad}");
        }
    }

    #[test]
    fn depth_is_counted_in_containers() {
        let nested = |levels: usize| {
            let text = format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
            serde_json::from_str::<Value>(&text).expect("JSON")
        };
        assert!(within(&nested(16), 16));
        assert!(!within(&nested(17), 16));
    }
}
