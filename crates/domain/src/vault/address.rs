//! Login names: e-mail addresses, with the rule of a browser's input field.

/// A valid address. It is shown and written to as it was registered, and compared in ASCII lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginName(String);

const LONGEST: usize = 254;
const LONGEST_LABEL: usize = 63;

impl LoginName {
    /// Reads an address by the rule of the HTML element `input type=email`. At most 254 bytes; nothing is trimmed.
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

    /// The form in which two spellings of the same account are equal.
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
    fn spellings_that_differ_in_ascii_case_are_the_same_account() {
        let name = LoginName::parse("A.Nn+Tag@Example.ORG").unwrap();
        assert_eq!(name.as_str(), "A.Nn+Tag@Example.ORG");
        assert_eq!(name.normalised(), "a.nn+tag@example.org");
        let other = LoginName::parse("a.nn@example.org").unwrap();
        assert_ne!(name.normalised(), other.normalised());
    }

    proptest::proptest! {
        #[test]
        fn an_accepted_name_is_printable_ascii_with_one_at_sign(text in ".{0,12}@.{0,12}") {
            if let Some(name) = LoginName::parse(&text) {
                proptest::prop_assert_eq!(name.as_str(), text.as_str());
                proptest::prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
                proptest::prop_assert_eq!(text.matches('@').count(), 1);
                let normal = LoginName::parse(&name.normalised()).unwrap();
                proptest::prop_assert_eq!(normal.normalised(), name.normalised());
            }
        }
    }

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
