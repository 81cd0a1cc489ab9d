//! What `security.profile = "strict"` changes: one table, which the doctor lists and the start applies.

use crate::Config;

/// One number that the strict profile limits.
struct Rule {
    key: &'static str,
    bound: Bound,
    why: &'static str,
    value: fn(&mut Config) -> &mut u64,
}

/// How a number is limited.
#[derive(Clone, Copy)]
enum Bound {
    AtMost(u64),
}

impl Bound {
    fn applied(self, value: u64) -> u64 {
        match self {
            Self::AtMost(most) => value.min(most),
        }
    }
}

/// All rules of the strict profile.
const RULES: &[Rule] = &[
    Rule {
        key: "photon.code_ttl_seconds",
        bound: Bound::AtMost(600),
        why: TEN_MINUTES,
        value: |config| &mut config.photon.code_ttl_seconds,
    },
    Rule {
        key: "profile.ott.lifetime_seconds",
        bound: Bound::AtMost(600),
        why: TEN_MINUTES,
        value: |config| &mut config.profile.ott.lifetime_seconds,
    },
    Rule {
        key: "profile.ott.lifetime_seconds_email",
        bound: Bound::AtMost(600),
        why: TEN_MINUTES,
        value: |config| &mut config.profile.ott.lifetime_seconds_email,
    },
    Rule {
        key: "profile.ott.lifetime_seconds_phone",
        bound: Bound::AtMost(600),
        why: TEN_MINUTES,
        value: |config| &mut config.profile.ott.lifetime_seconds_phone,
    },
    Rule {
        key: "profile.session.refresh_grace_seconds",
        bound: Bound::AtMost(0),
        why: "OWASP ASVS 5: a refresh token may be used only once",
        value: |config| &mut config.profile.session.refresh_grace_seconds,
    },
];

const TEN_MINUTES: &str =
    "NIST SP 800-63B-4: an out-of-band secret is valid for ten minutes at most";

/// A number that `strict` would change.
pub struct Difference {
    pub key: &'static str,
    pub now: u64,
    pub strict: u64,
    pub why: &'static str,
}

/// What the strict profile would change in `config`.
pub fn differences(config: &Config) -> Vec<Difference> {
    let mut config = config.clone();
    RULES
        .iter()
        .map(|rule| {
            let now = *(rule.value)(&mut config);
            Difference {
                key: rule.key,
                now,
                strict: rule.bound.applied(now),
                why: rule.why,
            }
        })
        .filter(|difference| difference.now != difference.strict)
        .collect()
}

/// Applies the strict numbers to `config`.
pub(crate) fn apply(config: &mut Config) {
    for rule in RULES {
        let value = (rule.value)(config);
        *value = rule.bound.applied(*value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applying the profile changes exactly the listed numbers.
    #[test]
    fn applying_changes_what_is_listed_and_nothing_else() {
        let compat = Config::default();
        let listed = differences(&compat);
        assert!(!listed.is_empty());
        let mut strict = compat.clone();
        apply(&mut strict);
        assert!(differences(&strict).is_empty());
        let (before, after) = (
            toml::Table::try_from(&compat).unwrap(),
            toml::Table::try_from(&strict).unwrap(),
        );
        let mut changed = Vec::new();
        compare("", &before, &after, &mut changed);
        assert_eq!(
            changed,
            listed
                .iter()
                .map(|difference| difference.key)
                .collect::<Vec<_>>()
        );
    }

    fn compare(above: &str, before: &toml::Table, after: &toml::Table, changed: &mut Vec<String>) {
        for (key, value) in before {
            let name = format!("{above}{key}");
            match value {
                toml::Value::Table(inner) => {
                    let after = after[key].as_table().unwrap();
                    compare(&format!("{name}."), inner, after, changed);
                }
                value if after.get(key) != Some(value) => changed.push(name),
                _ => {}
            }
        }
    }
}
