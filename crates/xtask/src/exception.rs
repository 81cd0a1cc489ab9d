//! Lists of what broke a rule when the rule was made: they may shrink, and never grow.

use std::collections::BTreeMap;

use crate::finding::Finding;

/// Names of what may break a rule, each with how far it may.
pub(crate) type Exceptions = [(&'static str, usize)];

/// What breaks a rule, by the name that an exception has for it.
#[derive(Default)]
pub(crate) struct Broken(BTreeMap<String, (usize, Vec<Finding>)>);

impl Broken {
    /// Adds one more of `name`.
    pub(crate) fn count(&mut self, name: &str, finding: Finding) {
        let (amount, findings) = self.0.entry(name.to_owned()).or_default();
        *amount += 1;
        findings.push(finding);
    }

    /// Adds that `name` is as large as `amount`.
    pub(crate) fn measure(&mut self, name: &str, amount: usize, finding: Finding) {
        let (most, findings) = self.0.entry(name.to_owned()).or_default();
        *most = amount.max(*most);
        findings.push(finding);
    }

    /// The findings that no exception covers, and the exceptions in `list` that cover nothing any more.
    pub(crate) fn except(
        self,
        exceptions: &Exceptions,
        rule: &'static str,
        list: &str,
    ) -> Vec<Finding> {
        let allowed = |name: &str| {
            let mut known = exceptions.iter().filter(|(known, _)| *known == name);
            known.next().map_or(0, |(_, allowed)| *allowed)
        };
        let needless = exceptions
            .iter()
            .filter(|(name, _)| !self.0.contains_key(*name));
        let mut found: Vec<Finding> = needless
            .map(|(name, _)| {
                let what = format!("the exception `{name}` is not needed any more");
                Finding::new(
                    list,
                    rule,
                    what,
                    "remove its line; the list may only shrink",
                )
            })
            .collect();
        for (name, (amount, findings)) in self.0 {
            if amount > allowed(&name) {
                found.extend(findings);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn except(broken: Broken, exceptions: &Exceptions) -> Vec<String> {
        let found = broken.except(exceptions, "rule", "list.rs");
        found.iter().map(ToString::to_string).collect()
    }

    fn finding() -> Finding {
        Finding::new("a.rs", "rule", "is wrong", "mend it")
    }

    #[test]
    fn what_is_excepted_is_silent_up_to_its_amount() {
        let twice = || {
            let mut broken = Broken::default();
            broken.count("A", finding());
            broken.count("A", finding());
            broken
        };
        assert!(except(twice(), &[("A", 2)]).is_empty());
        assert_eq!(except(twice(), &[("A", 1)]).len(), 2);
        assert_eq!(except(twice(), &[]).len(), 2);
        let mut large = Broken::default();
        large.measure("A", 90, finding());
        large.measure("A", 80, finding());
        assert!(except(large, &[("A", 90)]).is_empty());
    }

    #[test]
    fn a_needless_exception_is_found() {
        let found = except(Broken::default(), &[("A", 1)]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("list.rs: rule: the exception `A` is not needed"));
    }
}
