//! The cheap half of cargo-deny: the same `deny.toml`, read against `cargo tree`, in seconds and without a build.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::finding::Finding;

const FILE: &str = "deny.toml";

/// The part of `deny.toml` that both tools read.
#[derive(Debug, Deserialize)]
struct Policy {
    graph: Graph,
    licenses: Licences,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

/// One package that may have a licence which is not for everybody.
#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    package: String,
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    #[serde(default)]
    skip: Vec<Skip>,
    #[serde(default)]
    deny: Vec<Skip>,
}

/// `name@version` among the duplicates that we live with, each with a reason; or a name among the banned.
#[derive(Debug, Deserialize)]
struct Skip {
    #[serde(rename = "crate")]
    package: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    licence: String,
}

pub(crate) fn check_workspace(root: &Path) -> Result<Vec<Finding>, String> {
    let text =
        std::fs::read_to_string(root.join(FILE)).map_err(|error| format!("{FILE}: {error}"))?;
    let policy: Policy = toml::from_str(&text).map_err(|error| format!("{FILE}: {error}"))?;
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(root)
        .args(["tree", "--workspace", "--all-features", "--locked"])
        .args(["--edges", "normal,build,dev", "--prefix", "none"])
        .args(["--format", "{p}\t{l}"]);
    for target in &policy.graph.targets {
        command.args(["--target", target]);
    }
    let tree = command
        .output()
        .map_err(|error| format!("cargo tree: {error}"))?;
    if !tree.status.success() {
        let why = String::from_utf8_lossy(&tree.stderr);
        return Err(format!("cargo tree: {}", why.trim()));
    }
    let packages = packages(&String::from_utf8_lossy(&tree.stdout))?;
    println!("licences: {} packages", packages.len());
    Ok(check(&policy, &packages))
}

/// The lines `name v1.2.3 (notes)<tab>licence (*)`, where the star marks a package that was listed before.
fn packages(tree: &str) -> Result<BTreeSet<Package>, String> {
    let lines = tree.lines().filter(|line| !line.trim().is_empty());
    let parse = |line: &str| -> Option<Package> {
        let (package, licence) = line.trim_end_matches("(*)").split_once('\t')?;
        let mut words = package.split(' ');
        Some(Package {
            name: words.next()?.to_owned(),
            version: words.next()?.strip_prefix('v')?.to_owned(),
            licence: licence.trim().to_owned(),
        })
    };
    lines
        .map(|line| parse(line).ok_or_else(|| format!("cargo tree: not understood: {line}")))
        .collect()
}

fn check(policy: &Policy, packages: &BTreeSet<Package>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = packages
        .iter()
        .filter_map(|package| check_licence(policy, package))
        .collect();
    findings.extend(check_bans(policy, packages));
    findings.extend(check_duplicates(policy, packages));
    findings
}

fn check_licence(policy: &Policy, package: &Package) -> Option<Finding> {
    let full = format!("{}@{}", package.name, package.version);
    let exceptions = policy.licenses.exceptions.iter();
    let own = exceptions
        .filter(|exception| exception.package == package.name || exception.package == full)
        .flat_map(|exception| &exception.allow);
    let allowed: BTreeSet<&str> = policy
        .licenses
        .allow
        .iter()
        .chain(own)
        .map(String::as_str)
        .collect();
    let what = match satisfied(&package.licence, &allowed) {
        Some(true) => return None,
        Some(false) => format!("{full} is licensed `{}`", package.licence),
        None if package.licence.is_empty() => format!("{full} names no licence"),
        None => format!("{full}: `{}` is no licence expression", package.licence),
    };
    let remedy = "take another package, or allow the licence in deny.toml and say why";
    Some(Finding::new(FILE, "licence", what, remedy))
}

fn check_bans(policy: &Policy, packages: &BTreeSet<Package>) -> Vec<Finding> {
    let banned = |package: &&Package| {
        policy
            .bans
            .deny
            .iter()
            .any(|ban| ban.package == package.name)
    };
    let found = packages.iter().filter(banned);
    found
        .map(|package| {
            let what = format!("{} {} is in the tree", package.name, package.version);
            Finding::new(
                FILE,
                "banned package",
                what,
                "`cargo tree -i` tells who brings it",
            )
        })
        .collect()
}

fn check_duplicates(policy: &Policy, packages: &BTreeSet<Package>) -> Vec<Finding> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions
            .entry(&package.name)
            .or_default()
            .push(&package.version);
    }
    let skips = |name: &str, version: &str| {
        let full = format!("{name}@{version}");
        policy.bans.skip.iter().any(|skip| skip.package == full)
    };
    let mut findings = Vec::new();
    for (name, versions) in &versions {
        let unexplained = versions.iter().filter(|version| !skips(name, version));
        if unexplained.count() > 1 {
            let what = format!(
                "{name} is there {} times: {}",
                versions.len(),
                versions.join(", ")
            );
            let remedy = "unify them, or list all but the newest under bans.skip in deny.toml with the reason";
            findings.push(Finding::new(FILE, "duplicate version", what, remedy));
        }
    }
    for skip in &policy.bans.skip {
        let (name, version) = skip.package.split_once('@').unwrap_or((&skip.package, ""));
        let known = versions
            .get(name)
            .filter(|versions| versions.contains(&version));
        if known.is_none_or(|versions| versions.len() < 2) {
            let what = format!("bans.skip lists {}, which is no duplicate", skip.package);
            findings.push(Finding::new(
                FILE,
                "duplicate version",
                what,
                "remove the line",
            ));
        }
    }
    findings
}

/// Whether a licence expression can be met with the licences we allow; `None` when it cannot be read.
fn satisfied(expression: &str, allowed: &BTreeSet<&str>) -> Option<bool> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let verdict = either(&tokens, &mut at, allowed)?;
    (at == tokens.len()).then_some(verdict)
}

fn either(tokens: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> Option<bool> {
    let mut verdict = both(tokens, at, allowed)?;
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        verdict |= both(tokens, at, allowed)?;
    }
    Some(verdict)
}

fn both(tokens: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> Option<bool> {
    let mut verdict = single(tokens, at, allowed)?;
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        verdict &= single(tokens, at, allowed)?;
    }
    Some(verdict)
}

fn single(tokens: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> Option<bool> {
    let token = *tokens.get(*at)?;
    *at += 1;
    if token == "(" {
        let verdict = either(tokens, at, allowed)?;
        let closed = tokens.get(*at) == Some(&")");
        *at += 1;
        return closed.then_some(verdict);
    }
    if [")", "AND", "OR", "WITH"].contains(&token) {
        return None;
    }
    if tokens.get(*at) == Some(&"WITH") {
        let exception = tokens.get(*at + 1)?;
        *at += 2;
        let whole = format!("{token} WITH {exception}");
        return Some(allowed.contains(whole.as_str()));
    }
    Some(allowed.contains(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        [graph]
        targets = ["x86_64-unknown-linux-gnu"]
        [licenses]
        allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
        exceptions = [{ crate = "roots", allow = ["CDLA-Permissive-2.0"] }]
        [bans]
        deny = [{ crate = "openssl" }]
        skip = [{ crate = "rand@0.8.5", reason = "two worlds" }]
    "#;

    fn findings(tree: &str) -> Vec<String> {
        let policy: Policy = toml::from_str(POLICY).expect("a policy");
        let packages = packages(tree).expect("a tree");
        check(&policy, &packages)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn expressions_are_satisfied_as_spdx_means_them() {
        let allowed =
            BTreeSet::from(["MIT", "Apache-2.0", "ISC", "Apache-2.0 WITH LLVM-exception"]);
        let cases = [
            ("MIT", Some(true)),
            ("GPL-3.0-only", Some(false)),
            ("MIT OR GPL-3.0-only", Some(true)),
            ("MIT/GPL-3.0", Some(true)),
            ("MIT AND GPL-3.0-only", Some(false)),
            ("ISC AND (Apache-2.0 OR GPL-2.0-only)", Some(true)),
            ("MIT OR ISC AND GPL-2.0-only", Some(true)),
            ("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", Some(true)),
            ("Apache-2.0 WITH Other-exception", Some(false)),
            ("", None),
            ("MIT OR", None),
            ("(MIT", None),
            ("MIT ISC", None),
        ];
        for (expression, verdict) in cases {
            assert_eq!(satisfied(expression, &allowed), verdict, "{expression}");
        }
    }

    #[test]
    fn a_clean_tree_passes() {
        let tree = "keyward v0.1.0 (there)\tMIT OR Apache-2.0\nrand v0.8.5\tMIT\nrand v0.9.0\tMIT\nrand v0.8.5\tMIT (*)\nroots v1.0.0\tCDLA-Permissive-2.0\n\nderive v1.0.0 (proc-macro)\tMIT\n";
        assert_eq!(findings(tree), Vec::<String>::new());
    }

    #[test]
    fn an_unwanted_licence_and_a_missing_one_are_named() {
        let found =
            findings("rand v0.8.5\tMIT\nrand v0.9.0\tMIT\na v1.0.0\tGPL-3.0-only\nb v1.0.0\t\n");
        assert!(found[0].starts_with("deny.toml: licence: a@1.0.0 is licensed `GPL-3.0-only`"));
        assert!(found[1].contains("b@1.0.0 names no licence"));
    }

    #[test]
    fn an_exception_holds_for_its_package_only() {
        let found =
            findings("rand v0.8.5\tMIT\nrand v0.9.0\tMIT\nother v1.0.0\tCDLA-Permissive-2.0\n");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_new_duplicate_and_a_stale_line_are_named() {
        let found = findings("rand v0.9.0\tMIT\nbase v1.0.0\tMIT\nbase v2.0.0\tMIT\n");
        assert!(found[0].contains("base is there 2 times: 1.0.0, 2.0.0"));
        assert!(found[1].contains("bans.skip lists rand@0.8.5, which is no duplicate"));
    }

    #[test]
    fn a_banned_package_is_named() {
        let found = findings("rand v0.8.5\tMIT\nrand v0.9.0\tMIT\nopenssl v0.10.0\tMIT\n");
        assert!(found[0].contains("openssl 0.10.0 is in the tree"));
    }

    #[test]
    fn a_tree_that_is_not_understood_is_an_error() {
        assert!(packages("warning: something\n").is_err());
    }
}
