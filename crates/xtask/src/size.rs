//! How long a file and a function may grow.

use crate::exception::{Broken, Exceptions};
use crate::finding::Finding;
use crate::source::Source;
use crate::tree::{Tree, has_extension};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

const FILE_RULE: &str = "file size";
const FUNCTION_RULE: &str = "function size";
const HERE: &str = "crates/xtask/src/size.rs";

/// Files that were longer when the limit came: crate, name, lines.
const LONG_FILES: &Exceptions = &[];

/// Functions that were longer when the limit came: crate, name, lines.
const LONG_FUNCTIONS: &Exceptions = &[];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let Sizes { files, functions } = too_long(tree);
    let mut findings = files.except(LONG_FILES, FILE_RULE, HERE);
    findings.extend(functions.except(LONG_FUNCTIONS, FUNCTION_RULE, HERE));
    findings
}

#[derive(Default)]
struct Sizes {
    files: Broken,
    functions: Broken,
}

fn too_long(tree: &Tree) -> Sizes {
    let mut sizes = Sizes::default();
    for (path, text) in product_files(tree) {
        sizes.add(path, &Source::new(text).without_tests());
    }
    sizes
}

/// The Rust files that go into the product: not the tests, which may be as long as the cases they hold.
pub(crate) fn product_files(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.under("crates").filter(|(path, _)| {
        let mut folders: Vec<&str> = path.split('/').collect();
        let file = folders.pop().unwrap_or_default();
        let apart = ["tests", "benches", "examples"];
        has_extension(file, "rs")
            && file != "tests.rs"
            && !folders.iter().any(|folder| apart.contains(folder))
    })
}

/// The product files of the domain.
pub(crate) fn domain_files(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    product_files(tree).filter(|(path, _)| path.starts_with("crates/domain/src/"))
}

impl Sizes {
    fn add(&mut self, path: &str, product: &Source) {
        let mut folders = path.split('/');
        let (owner, file) = (folders.nth(1), folders.next_back());
        let (owner, file) = (owner.unwrap_or_default(), file.unwrap_or_default());
        let lines = product.code().lines().count();
        if lines > FILE_LINES {
            let what = format!("{lines} lines, {FILE_LINES} are allowed");
            let remedy = "split it by verb and keep the noun as folder";
            let finding = Finding::new(path, FILE_RULE, what, remedy);
            self.files
                .measure(&format!("{owner}/{file}"), lines, finding);
        }
        for function in product.functions() {
            let (name, lines) = (function.name, function.lines);
            if lines > FUNCTION_LINES {
                let what = format!("`{name}` has {lines} lines, {FUNCTION_LINES} are allowed");
                let remedy = "name its steps and give each a function";
                let finding = Finding::new(path, FUNCTION_RULE, what, remedy).at(function.line);
                self.functions
                    .measure(&format!("{owner}/{name}"), lines, finding);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let Sizes { files, functions } = too_long(&Tree::of(&[(path, text)]));
        let mut found = files.except(&[], FILE_RULE, HERE);
        found.extend(functions.except(&[], FUNCTION_RULE, HERE));
        found.iter().map(ToString::to_string).collect()
    }

    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    call();\n".repeat(lines - 2))
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        assert!(findings("crates/web/src/a.rs", &"// x\n".repeat(500)).is_empty());
        assert!(findings("crates/web/src/a.rs", &function(70)).is_empty());
    }

    #[test]
    fn one_line_more_is_not() {
        let found = findings("crates/web/src/a.rs", &"// x\n".repeat(501));
        assert!(found[0].starts_with("crates/web/src/a.rs: file size: 501 lines"));
        let found = findings("crates/web/src/a.rs", &format!("\n{}", function(71)));
        assert!(found[0].starts_with("crates/web/src/a.rs:2: function size: `long` has 71"));
    }

    #[test]
    fn an_exception_is_for_one_name_in_one_crate() {
        let found = |path: &str| {
            let sizes = too_long(&Tree::of(&[(path, &function(71))]));
            let found = sizes
                .functions
                .except(&[("web/long", 71)], FUNCTION_RULE, HERE);
            found.len()
        };
        assert_eq!(found("crates/web/src/a.rs"), 0);
        assert_eq!(found("crates/duo/src/a.rs"), 2, "too long, and not needed");
    }

    #[test]
    fn tests_do_not_count() {
        let long = "// x\n".repeat(700);
        assert!(findings("crates/web/tests/wire.rs", &long).is_empty());
        assert!(findings("crates/web/src/body/tests.rs", &long).is_empty());
        let tail = format!(
            "fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{}{long}}}\n",
            function(300)
        );
        assert!(findings("crates/web/src/a.rs", &tail).is_empty());
    }

    #[test]
    fn a_test_module_in_the_middle_counts() {
        let text = format!(
            "#[cfg(test)]\nmod tests {{\n{}}}\nfn a() {{}}\n",
            "// x\n".repeat(700)
        );
        assert_eq!(findings("crates/web/src/a.rs", &text).len(), 1);
    }
}
