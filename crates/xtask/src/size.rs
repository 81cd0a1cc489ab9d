//! How long a file and a function may grow.

use crate::finding::Finding;
use crate::source::Source;
use crate::tree::{Tree, has_extension};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 100;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    product_files(tree)
        .flat_map(|(path, text)| check_file(path, &Source::new(text).without_tests()))
        .collect()
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

fn check_file(path: &str, product: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = product.code().lines().count();
    if lines > FILE_LINES {
        let what = format!("{lines} lines, {FILE_LINES} are allowed");
        let remedy = "split it by verb and keep the noun as folder";
        findings.push(Finding::new(path, "file size", what, remedy));
    }
    for function in product.functions() {
        if function.lines > FUNCTION_LINES {
            let what = format!(
                "`{}` has {} lines, {FUNCTION_LINES} are allowed",
                function.name, function.lines
            );
            let remedy = "name its steps and give each a function";
            findings.push(Finding::new(path, "function size", what, remedy).at(function.line));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[(path, text)]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    call();\n".repeat(lines - 2))
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        assert!(findings("crates/web/src/a.rs", &"// x\n".repeat(600)).is_empty());
        assert!(findings("crates/web/src/a.rs", &function(100)).is_empty());
    }

    #[test]
    fn one_line_more_is_not() {
        let found = findings("crates/web/src/a.rs", &"// x\n".repeat(601));
        assert!(found[0].starts_with("crates/web/src/a.rs: file size: 601 lines"));
        let found = findings("crates/web/src/a.rs", &format!("\n{}", function(101)));
        assert!(found[0].starts_with("crates/web/src/a.rs:2: function size: `long` has 101"));
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
