//! Login names: e-mail addresses as a browser's input field accepts them.

/// A valid address, shown and written to as it was registered, compared in ASCII lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginName(String);

const LONGEST: usize = 254;
const LONGEST_LABEL: usize = 63;

impl LoginName {
    /// The rule of the HTML `input type=email` element, at most 254 characters, nothing trimmed.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, host) = text.split_once('@')?;
        let sound = text.len() <= LONGEST
            && !local.is_empty()
            && local.bytes().all(is_local)
            && host.split('.').all(is_label);
        sound.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form under which two spellings are the same account.
    pub fn normalised(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte)
}

fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=LONGEST_LABEL).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_accepts_is_accepted() {
        for good in [
            "a@b",
            "a.b..c@d.e",
            ".@x",
            "A+tag@Example.ORG",
            "o'x/y=z@a-b.c1",
        ] {
            assert!(LoginName::parse(good).is_some(), "{good}");
        }
        for bad in [
            "", "@", "a@", "@b", "a@b.", "a@.b", "a@-b", "a@b-", "a b@c", " a@b", "a@b\n", "a@b@c",
            "ä@b", "a@ä", "a\r\n@b", "\"a\"@b", "a@b_c",
        ] {
            assert_eq!(LoginName::parse(bad), None, "{bad:?}");
        }
        assert!(LoginName::parse(&format!("{}@b", "a".repeat(252))).is_some());
        assert!(LoginName::parse(&format!("{}@b", "a".repeat(253))).is_none());
        assert!(LoginName::parse(&format!("a@{}", "b".repeat(64))).is_none());
    }
}
