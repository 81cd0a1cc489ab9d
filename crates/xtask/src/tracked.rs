//! What no tracked file may contain: silenced lints, names of package registries, paths of somebody's machine.

use crate::finding::Finding;
use crate::size::product_files;
use crate::source::Source;
use crate::tree::Tree;

/// The registries' hosts, cut so that this file does not name them either.
const HOSTS: [(&str, &str); 6] = [
    ("crates", ".io"),
    ("pypi", ".org"),
    ("files.pythonhosted", ".org"),
    ("deb.debian", ".org"),
    ("registry.npmjs", ".org"),
    ("proxy.golang", ".org"),
];

const FOLDERS: [(&str, &str); 2] = [("/work", "/"), ("/root", "/")];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = product_files(tree)
        .flat_map(|(path, text)| check_attributes(path, &Source::new(text).without_tests()))
        .collect();
    for (path, text) in tree.files() {
        for (number, line) in (1..).zip(text.lines()) {
            findings.extend(check_line(path, line).map(|finding| finding.at(number)));
        }
    }
    findings
}

fn check_attributes(path: &str, product: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, attribute) in product.attributes() {
        let compact: String = attribute.chars().filter(|c| !c.is_whitespace()).collect();
        let has = |lint: &str| {
            let inside = ["[", ",", "("].map(|before| format!("{before}{lint}("));
            inside.iter().any(|start| compact.contains(start))
        };
        if has("allow") {
            let remedy = "mend the cause, or #[expect(…, reason = \"…\")]";
            findings.push(Finding::new(path, "no allow", "a lint is allowed", remedy).at(line));
        } else if has("expect") && !compact.contains("reason=") {
            let remedy = "add reason = \"…\"";
            findings.push(
                Finding::new(path, "no allow", "an expect without its reason", remedy).at(line),
            );
        }
    }
    findings
}

fn check_line(path: &str, line: &str) -> Option<Finding> {
    // Cargo itself writes the name of the one registry into every lock file.
    let generated = path == "Cargo.lock";
    let lower = line.to_lowercase();
    for (start, end) in HOSTS {
        let host = format!("{start}{end}");
        if !generated && lower.contains(&host) {
            let what = format!("the registry host {host}");
            let remedy = "leave registries to the machine's own settings and name packages only";
            return Some(Finding::new(path, "no registry host", what, remedy));
        }
    }
    for (start, end) in FOLDERS {
        let folder = format!("{start}{end}");
        let absolute = line.match_indices(&folder).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || "._-$}~)".contains(c))
        });
        if absolute {
            let what = format!("the machine path {folder}");
            let remedy = "make it relative to the repository, or take it from a flag";
            return Some(Finding::new(path, "no machine path", what, remedy));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let findings = check(&Tree::of(&[(path, text)]));
        findings
            .iter()
            .map(|finding| (finding.line, finding.rule))
            .collect()
    }

    #[test]
    fn expect_with_a_reason_passes() {
        let text = "#[expect(clippy::x, reason = \"because\")]\nfn a() {}\n// #[allow(x)]\n";
        assert!(rules("crates/web/src/a.rs", text).is_empty());
    }

    #[test]
    fn allow_is_refused_in_every_dress() {
        for attribute in [
            "#[allow(x)]",
            "#![allow(x)]",
            "#[cfg_attr(test, allow(x))]",
            "#[ allow (x)]",
        ] {
            assert_eq!(
                rules("crates/web/src/a.rs", attribute),
                [(1, "no allow")],
                "{attribute}"
            );
        }
    }

    #[test]
    fn expect_without_a_reason_is_refused_and_tests_are_free() {
        assert_eq!(
            rules("crates/web/src/a.rs", "#[expect(x)]\nfn a() {}").len(),
            1
        );
        assert!(rules("crates/web/tests/a.rs", "#[allow(x)]").is_empty());
    }

    #[test]
    fn registry_hosts_are_refused_but_in_the_lock_file() {
        let text = format!("see {}{}\n", HOSTS[0].0, HOSTS[0].1);
        assert_eq!(rules("docs/a.md", &text), [(1, "no registry host")]);
        assert!(rules("Cargo.lock", &text).is_empty());
    }

    #[test]
    fn machine_paths_are_refused_and_relative_ones_pass() {
        let [work, root] = FOLDERS.map(|(start, end)| format!("{start}{end}"));
        let absolute = format!("ok\ncd {work}main");
        assert_eq!(rules("tests/a.sh", &absolute), [(2, "no machine path")]);
        let relative = format!("$dir{work}a target{root}b");
        assert!(rules("tests/a.sh", &relative).is_empty());
    }
}
