//! What `security.profile = "strict"` changes: one table, which the doctor lists and the start applies.

use super::Config;

/// One number that the strict profile bounds.
pub(crate) struct Rule {
    pub(crate) key: &'static str,
    pub(crate) bound: Bound,
    pub(crate) why: &'static str,
    value: fn(&mut Config) -> &mut u64,
}

/// How a number is bounded.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    AtMost(u64),
}

impl Bound {
    fn applied(self, value: u64) -> u64 {
        match self {
            Self::AtMost(most) => value.min(most),
        }
    }
}

/// All of them.
pub(crate) const RULES: &[Rule] = &[Rule {
    key: "photon.code_ttl_seconds",
    bound: Bound::AtMost(600),
    why: "NIST SP 800-63B-4: an out-of-band secret is valid for ten minutes at most",
    value: |config| &mut config.photon.code_ttl_seconds,
}];

/// A number that `strict` would change.
pub(crate) struct Difference {
    pub(crate) key: &'static str,
    pub(crate) now: u64,
    pub(crate) strict: u64,
    pub(crate) why: &'static str,
}

/// What the strict profile would change in `config`.
pub(crate) fn differences(config: &Config) -> Vec<Difference> {
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

/// Puts the strict numbers in force.
pub(super) fn apply(config: &mut Config) {
    for rule in RULES {
        let value = (rule.value)(config);
        *value = rule.bound.applied(*value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list is exactly what changes: applied, nothing is left of it, and nothing else moved.
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
        for (section, values) in &before {
            for (key, value) in values.as_table().unwrap() {
                if after[section].get(key) != Some(value) {
                    changed.push(format!("{section}.{key}"));
                }
            }
        }
        assert_eq!(
            changed,
            listed
                .iter()
                .map(|difference| difference.key)
                .collect::<Vec<_>>()
        );
    }
}
