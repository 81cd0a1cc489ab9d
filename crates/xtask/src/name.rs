//! A type's name means one thing in the whole domain.

use std::collections::BTreeMap;

use crate::exception::{Broken, Exceptions};
use crate::finding::Finding;
use crate::size::domain_files;
use crate::source::Source;
use crate::tree::Tree;

const RULE: &str = "one meaning of a name";
const HERE: &str = "crates/xtask/src/name.rs";

/// Names that were declared more than once when this rule came, and how many times.
const EXCEPTIONS: &Exceptions = &[];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    repeated(tree).except(EXCEPTIONS, RULE, HERE)
}

fn repeated(tree: &Tree) -> Broken {
    let mut declared: BTreeMap<String, Vec<(&str, usize)>> = BTreeMap::new();
    for (path, text) in domain_files(tree) {
        let product = Source::new(text).without_tests();
        for (number, line) in (1..).zip(product.code().lines()) {
            if let Some(name) = declaration(line) {
                declared
                    .entry(name.to_owned())
                    .or_default()
                    .push((path, number));
            }
        }
    }
    let mut broken = Broken::default();
    declared.retain(|_, places| places.len() > 1);
    for (name, places) in declared {
        let (path, line) = places[places.len() - 1];
        let all: Vec<String> = places
            .iter()
            .map(|(path, line)| format!("{}:{line}", path.trim_start_matches("crates/domain/src/")))
            .collect();
        let what = format!(
            "`{name}` is declared {} times: {}",
            all.len(),
            all.join(", ")
        );
        let remedy = "give each thing a name of its own";
        let finding = Finding::new(path, RULE, what, remedy).at(line);
        broken.measure(&name, all.len(), finding);
    }
    broken
}

/// The name of the type that a line declares. Only what the formatter starts at the margin counts: the types that
/// a trait's implementation gives have the trait's names.
fn declaration(line: &str) -> Option<&str> {
    let rest = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.strip_prefix(' ')?,
        None => line,
    };
    let kinds = ["struct ", "enum ", "trait ", "type "];
    let name = kinds.into_iter().find_map(|kind| rest.strip_prefix(kind))?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(files: &[(&str, &str)], exceptions: &Exceptions) -> Vec<String> {
        let found = repeated(&Tree::of(files)).except(exceptions, RULE, HERE);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_that_is_declared_twice_is_found_with_its_places() {
        let files = [
            (
                "crates/domain/src/a.rs",
                "pub struct Step(u8);\nstruct Other;\n",
            ),
            (
                "crates/domain/src/b.rs",
                "\npub(crate) enum Step<T> {\n}\ntype Login = u8;\n",
            ),
            (
                "crates/domain/src/c.rs",
                "pub(in crate::a) trait Login {}\n",
            ),
        ];
        let found = findings(&files, &[("Login", 2)]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/domain/src/b.rs:2: one meaning of a name: `Step` is declared 2 times: a.rs:1, b.rs:2"));
        assert!(findings(&files, &[("Login", 2), ("Step", 2)]).is_empty());
    }

    #[test]
    fn tests_other_crates_and_what_is_not_at_the_margin_are_free() {
        let files = [
            (
                "crates/domain/src/a.rs",
                "struct A;\nimpl B for A {\n    type Error = ();\n    type A = u8;\n}\n",
            ),
            (
                "crates/domain/src/b.rs",
                "// struct A;\nuse x::A;\n\n#[cfg(test)]\nmod tests {\nstruct A;\n}\n",
            ),
            ("crates/domain/tests/c.rs", "struct A;\n"),
            ("crates/web/src/d.rs", "struct A;\nstruct A;\n"),
        ];
        assert!(findings(&files, &[]).is_empty());
    }
}
