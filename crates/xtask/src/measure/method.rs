//! How much a service of the domain offers: its public methods, over all files.

use std::collections::BTreeMap;

use crate::size::domain_files;
use crate::source::Source;
use crate::tree::Tree;

/// Types of the domain that have public asynchronous methods, with the number of all their public methods, most first.
///
/// Only use cases are asynchronous in the domain, so such a type is a service.
pub(super) fn services(tree: &Tree) -> Vec<(usize, String)> {
    let mut found: BTreeMap<String, Methods> = BTreeMap::new();
    for (_, text) in domain_files(tree) {
        count(Source::new(text).without_tests().code(), &mut found);
    }
    let mut services: Vec<(usize, String)> = found
        .into_iter()
        .filter(|(_, methods)| methods.asynchronous > 0)
        .map(|(name, methods)| (methods.all, name))
        .collect();
    services.sort_by(|a, b| b.cmp(a));
    services
}

#[derive(Default)]
struct Methods {
    all: usize,
    asynchronous: usize,
}

/// Adds the public methods of the inherent `impl` blocks, which the formatter starts and ends at the margin.
fn count(code: &str, found: &mut BTreeMap<String, Methods>) {
    let mut of = None;
    for line in code.lines() {
        if let Some(head) = line.strip_prefix("impl").filter(|_| line.ends_with('{')) {
            of = inherent(head);
        } else if line == "}" {
            of = None;
        } else if let (Some(name), Some(rest)) = (&of, line.strip_prefix("    pub ")) {
            let words: Vec<&str> = rest
                .split_whitespace()
                .take_while(|word| *word != "fn")
                .collect();
            let qualifiers = ["async", "const", "unsafe"];
            if words.iter().all(|word| qualifiers.contains(word)) {
                let methods = found.entry(name.clone()).or_default();
                methods.all += 1;
                methods.asynchronous += usize::from(words.contains(&"async"));
            }
        }
    }
}

/// The type's name in ` Name<T> {` or `<T> Name<T> {`; `None` if it implements a trait.
fn inherent(head: &str) -> Option<String> {
    if head.contains(" for ") {
        return None;
    }
    let mut depth = 0_usize;
    let name: String = head
        .chars()
        .filter(|c| {
            depth += usize::from(*c == '<');
            let outside = depth == 0;
            depth = depth.saturating_sub(usize::from(*c == '>'));
            outside
        })
        .collect();
    name.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_counted_over_its_files() {
        let tree = Tree::of(&[
            (
                "crates/domain/src/a.rs",
                "impl People {\n    pub async fn a(&self) {\n        pub fn no() {}\n    }\n    pub(crate) fn b(&self) {}\n    pub const fn c() {}\n    pub d: u8,\n}\n",
            ),
            (
                "crates/domain/src/b.rs",
                "impl<T> People<T> {\n    pub fn d(&self) {}\n}\nimpl Port for People {\n    fn e() {}\n}\nimpl Id {\n    pub fn f() {}\n}\n",
            ),
            (
                "crates/web/src/c.rs",
                "impl Kit {\n    pub async fn a() {}\n}\n",
            ),
        ]);
        assert_eq!(services(&tree), [(3, "People".to_owned())]);
    }
}
