//! The sizes of the house: lines of files and functions, tests beside the product, the breadth of services.
//!
//! A file's lines end where its own test module begins. A function's lines go from its name to its closing brace.

mod method;

use std::collections::BTreeMap;
use std::fmt;

use crate::size::{domain_files, product_files};
use crate::source::Source;
use crate::tree::{Tree, has_extension};

/// How many of the longest functions and files are listed.
const LISTED: usize = 20;

/// The sizes of one workspace.
pub(crate) struct Measures {
    crates: BTreeMap<String, Sizes>,
    /// Lines of every function, with its place; longest first.
    functions: Vec<(usize, String)>,
    /// How many domain files have a test module, inside or in a file of its own, of how many.
    tested: (usize, usize),
    /// How many times a lint about dead code is expected.
    dead: usize,
    /// Public methods of the services of the domain; most first.
    services: Vec<(usize, String)>,
}

/// The sizes of one crate.
#[derive(Default)]
struct Sizes {
    files: Vec<(usize, String)>,
    test_lines: usize,
}

impl Measures {
    pub(crate) fn of(tree: &Tree) -> Self {
        let mut measures = Self {
            crates: BTreeMap::new(),
            functions: Vec::new(),
            tested: tested(tree),
            dead: dead(tree),
            services: method::services(tree),
        };
        for (path, text) in tree.files() {
            if has_extension(path, "rs") {
                measures.add(path, text);
            }
        }
        measures.functions.sort_by(|a, b| b.cmp(a));
        measures
    }

    fn add(&mut self, path: &str, text: &str) {
        let mut folders = path.split('/');
        let first = folders.next().unwrap_or_default();
        let name = match folders.next() {
            Some(name) if first == "crates" => name,
            _ => first,
        };
        let sizes = self.crates.entry(name.to_owned()).or_default();
        let lines = text.lines().count();
        if name == "testkit" || is_test(path) {
            sizes.test_lines += lines;
            return;
        }
        let product = product(text);
        let kept = product.lines().count();
        sizes.files.push((kept, path.to_owned()));
        sizes.test_lines += lines - kept;
        for function in Source::new(product).functions() {
            let place = format!("{path}:{} {}", function.line, function.name);
            self.functions.push((function.lines, place));
        }
    }
}

/// Whether a whole file is a test, a benchmark or an example.
fn is_test(path: &str) -> bool {
    let inside = |folder: &str| path.split('/').rev().skip(1).any(|part| part == folder);
    path.ends_with("/tests.rs") || ["tests", "benches", "examples"].into_iter().any(inside)
}

/// The lines before the test module at the end of a file.
fn product(text: &str) -> &str {
    let mut at = 0;
    let mut attribute = None;
    for line in text.split_inclusive('\n') {
        let code = line.trim();
        match attribute {
            Some(start) if code.starts_with("mod ") && code.ends_with('{') => {
                return &text[..start];
            }
            _ => attribute = (code == "#[cfg(test)]").then_some(at),
        }
        at += line.len();
    }
    text
}

fn tested(tree: &Tree) -> (usize, usize) {
    domain_files(tree).fold((0, 0), |(with, all), (path, text)| {
        let folder = path.trim_end_matches(".rs").trim_end_matches("/mod");
        let beside = tree.text(&format!("{folder}/tests.rs"));
        let has = product(text).len() < text.len() || beside.is_some();
        (with + usize::from(has), all + 1)
    })
}

fn dead(tree: &Tree) -> usize {
    let expects = |text: &str| {
        let source = Source::new(text);
        let attributes = source.attributes().into_iter();
        attributes
            .filter(|(_, text)| text.contains("expect") && text.contains("dead_code"))
            .count()
    };
    product_files(tree).map(|(_, text)| expects(text)).sum()
}

/// The value below which that share of some sorted values lies, by the nearest rank.
fn quantile(sorted: &[usize], share: f64) -> usize {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "there are far fewer files and functions than that"
    )]
    let rank = (share * sorted.len().saturating_sub(1) as f64).round_ties_even() as usize;
    sorted.get(rank).copied().unwrap_or_default()
}

fn sorted(measured: &[(usize, String)]) -> Vec<usize> {
    let mut lines: Vec<usize> = measured.iter().map(|(lines, _)| *lines).collect();
    lines.sort_unstable();
    lines
}

impl fmt::Display for Measures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = Sizes::default();
        writeln!(
            f,
            "crate       files   lines  median  p95  max |  tests  ratio"
        )?;
        for (name, sizes) in &self.crates {
            writeln!(f, "{name:11} {sizes}")?;
            all.files.extend(sizes.files.iter().cloned());
            all.test_lines += sizes.test_lines;
        }
        writeln!(f, "{:11} {all}", "all")?;

        let lines = sorted(&self.functions);
        let at = |share| quantile(&lines, share);
        let (median, p95, p99, max) = (at(0.5), at(0.95), at(0.99), at(1.0));
        let count = lines.len();
        writeln!(
            f,
            "\nfunctions {count}: median {median}, p95 {p95}, p99 {p99}, max {max}"
        )?;
        list(f, "longest functions", &self.functions)?;
        all.files.sort_by(|a, b| b.cmp(a));
        list(f, "largest files", &all.files)?;
        list(f, "public methods of the domain's services", &self.services)?;

        let (with, of) = self.tested;
        writeln!(
            f,
            "\ndomain files with a test module beside them: {with} of {of}"
        )?;
        writeln!(f, "dead code expected: {}", self.dead)
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sorted = sorted(&self.files);
        let lines: usize = sorted.iter().sum();
        let at = |share| quantile(&sorted, share);
        let (count, median, p95, max) = (sorted.len(), at(0.5), at(0.95), at(1.0));
        let tests = self.test_lines;
        #[expect(clippy::cast_precision_loss, reason = "a ratio of two decimals")]
        let ratio = tests as f64 / lines.max(1) as f64;
        write!(
            f,
            "{count:5} {lines:7}  {median:6} {p95:4} {max:4} | {tests:6} {ratio:6.2}"
        )
    }
}

fn list(f: &mut fmt::Formatter<'_>, title: &str, measured: &[(usize, String)]) -> fmt::Result {
    writeln!(f, "\n{title}")?;
    for (size, what) in measured.iter().take(LISTED) {
        writeln!(f, "{size:6}  {what}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_ends_where_its_tests_begin() {
        assert_eq!(product("a\n#[cfg(test)]\nmod tests {\n}\n"), "a\n");
        let beside = "a\n#[cfg(test)]\nmod tests;\nb\n";
        assert_eq!(product(beside), beside);
        let helper = "#[cfg(test)]\nfn a() {}\nmod b {\n}\n";
        assert_eq!(product(helper), helper);
    }

    #[test]
    fn quantiles_take_the_nearest_rank() {
        assert_eq!(quantile(&[], 0.5), 0);
        assert_eq!(quantile(&[1, 2, 3], 0.5), 2);
        assert_eq!(quantile(&[1, 2], 0.5), 1, "a tie goes to the even rank");
        let hundred: Vec<usize> = (1..=100).collect();
        assert_eq!(quantile(&hundred, 0.95), 95);
        assert_eq!(quantile(&hundred, 1.0), 100);
    }

    #[test]
    fn a_workspace_is_measured() {
        let tree = Tree::of(&[
            (
                "crates/domain/src/a.rs",
                "#[expect(dead_code, reason = \"r\")]\nfn a() {\n}\n#[cfg(test)]\nmod tests {\n}\n",
            ),
            ("crates/domain/src/b.rs", "fn b() {}\n"),
            ("crates/domain/src/b/tests.rs", "fn c() {}\n"),
            ("crates/domain/src/c/mod.rs", "fn d() {}\n"),
            ("crates/testkit/src/lib.rs", "fn e() {}\n"),
            ("tests/real/f.rs", "fn f() {}\n"),
        ]);
        let measures = Measures::of(&tree);
        assert_eq!(measures.functions.len(), 3);
        assert_eq!(measures.functions[0].1, "crates/domain/src/a.rs:2 a");
        assert_eq!((measures.tested, measures.dead), ((2, 3), 1));
        let text = measures.to_string();
        let row = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            let words = line.expect("a row").split_whitespace();
            words
                .skip(1)
                .map(str::to_owned)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(row("domain"), "3 5 1 3 3 | 4 0.80");
        assert_eq!(row("testkit"), "0 0 0 0 0 | 1 1.00");
        assert_eq!(row("all"), "3 5 1 3 3 | 6 1.20");
    }
}
