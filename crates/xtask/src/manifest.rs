//! Who may depend on whom, read from the manifests of the crates.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::finding::Finding;
use crate::tree::Tree;

/// The foreign wires: a crate each, knowing nothing of each other.
pub(crate) const FRONTS: [&str; 5] = ["photon", "enceeper", "profile", "duo", "cis"];

const RULE: &str = "dependency direction";
const FRONT_MAY: &[&str] = &["domain", "web"];
const STORE_MAY: &[&str] = &["domain", "crypto"];

/// What a crate of ours may depend on among ours; the folder's name is the crate's name.
const TABLE: [(&str, &[&str]); 22] = [
    ("crypto", &[]),
    ("web", &[]),
    ("terminal", &[]),
    ("admin-wire", &[]),
    ("domain", &["crypto"]),
    ("store", STORE_MAY),
    ("outside", STORE_MAY),
    ("photon", FRONT_MAY),
    ("enceeper", FRONT_MAY),
    ("profile", FRONT_MAY),
    ("duo", FRONT_MAY),
    ("cis", FRONT_MAY),
    ("admin", &["admin-wire", "domain", "web"]),
    // Clients of a running server: they know its wires, not its domain and not its storage.
    ("cli", &["admin-wire", "terminal"]),
    ("torture", &["admin-wire", "cli", "crypto", "terminal"]),
    // What `node` serves and `operate` looks into. No listener and no front, so that `operate` needs none.
    ("config", &["crypto", "domain", "outside"]),
    ("compose", COMPOSE_MAY),
    ("operate", OPERATE_MAY),
    ("node", NODE_MAY),
    // Picks one of the four programs.
    (
        "bin",
        &["cli", "config", "node", "operate", "terminal", "torture"],
    ),
    // The harness may reach what the crates under test are built from.
    ("testkit", &["domain", "store", "web", "crypto"]),
    ("xtask", &[]),
];

const COMPOSE_MAY: &[&str] = &["config", "crypto", "domain", "outside", "store"];
const OPERATE_MAY: &[&str] = &[
    "admin-wire",
    "compose",
    "config",
    "domain",
    "outside",
    "store",
    "terminal",
];
const NODE_MAY: &[&str] = &[
    "admin",
    "admin-wire",
    "cis",
    "compose",
    "config",
    "domain",
    "duo",
    "enceeper",
    "outside",
    "photon",
    "profile",
    "store",
    "terminal",
    "web",
];

/// What the tests and benchmarks of the binary may use besides: they compute what a client computes, and compare a
/// request with its parts.
const BIN_TESTS_MAY: &[&str] = &["crypto", "domain", "store"];

#[derive(Deserialize)]
struct Manifest {
    package: Package,
    #[serde(default)]
    dependencies: Dependencies,
    #[serde(default, rename = "dev-dependencies")]
    dev: Dependencies,
    #[serde(default, rename = "build-dependencies")]
    build: Dependencies,
    #[serde(default)]
    target: BTreeMap<String, Target>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Deserialize)]
struct Target {
    #[serde(default)]
    dependencies: Dependencies,
    #[serde(default, rename = "dev-dependencies")]
    dev: Dependencies,
    #[serde(default, rename = "build-dependencies")]
    build: Dependencies,
}

type Dependencies = BTreeMap<String, toml::Value>;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let crates = tree.crates();
    crates
        .iter()
        .flat_map(|folder| check_crate(tree, folder))
        .collect()
}

fn check_crate(tree: &Tree, folder: &str) -> Vec<Finding> {
    let file = format!("crates/{folder}/Cargo.toml");
    let text = tree.text(&file).unwrap_or_default();
    let manifest: Manifest = match toml::from_str(text) {
        Ok(manifest) => manifest,
        Err(error) => {
            let what = error.message().to_owned();
            return vec![Finding::new(file, RULE, what, "mend the manifest")];
        }
    };
    let Some((_, may)) = TABLE.iter().find(|(name, _)| *name == folder) else {
        let what = format!("`{folder}` has no line in the dependency table");
        let remedy = "put the code into an existing crate, or add a line to the table in crates/xtask/src/manifest.rs with its reason";
        return vec![Finding::new(file, RULE, what, remedy)];
    };
    let mut findings = check_name(folder, &file, &manifest.package.name);
    let mut refuse = |dependency: &str, remedy: String| {
        let what = format!("`{folder}` depends on `{dependency}`");
        findings.push(Finding::new(&file, RULE, what, remedy));
    };
    for dependency in ours(tree, &manifest.product()) {
        if dependency == "testkit" {
            refuse(
                &dependency,
                "testkit is only ever a dev-dependency".to_owned(),
            );
        } else if !may.contains(&dependency.as_str()) {
            refuse(&dependency, remedy(folder, may));
        }
    }
    for dependency in ours(tree, &manifest.tests()) {
        let harness = dependency == "testkit" && !["xtask", "crypto"].contains(&folder);
        let bench = folder == "bin" && BIN_TESTS_MAY.contains(&dependency.as_str());
        if !harness && !bench && !may.contains(&dependency.as_str()) {
            refuse(&dependency, remedy(folder, may));
        }
    }
    findings
}

fn check_name(folder: &str, file: &str, name: &str) -> Vec<Finding> {
    let expected = if folder == "bin" { "keyward" } else { folder };
    if name == expected {
        return Vec::new();
    }
    let what = format!("the package is called `{name}`");
    vec![Finding::new(
        file,
        "crate name",
        what,
        format!("call it `{expected}`"),
    )]
}

fn remedy(folder: &str, may: &[&str]) -> String {
    if may.is_empty() {
        return format!(
            "`{folder}` depends on nothing of ours: move what is shared down into it, or turn the call round"
        );
    }
    let may = may.join(", ");
    format!(
        "`{folder}` may depend on {may}: a rule belongs in domain, a wire-neutral helper in web"
    )
}

impl Manifest {
    fn product(&self) -> Vec<&Dependencies> {
        let targets = self.target.values();
        let conditional = targets.flat_map(|target| [&target.dependencies, &target.build]);
        [&self.dependencies, &self.build]
            .into_iter()
            .chain(conditional)
            .collect()
    }

    fn tests(&self) -> Vec<&Dependencies> {
        let conditional = self.target.values().map(|target| &target.dev);
        std::iter::once(&self.dev).chain(conditional).collect()
    }
}

/// The folders of our own crates among some dependencies.
fn ours(tree: &Tree, tables: &[&Dependencies]) -> Vec<String> {
    let crates = tree.crates();
    let mut found: Vec<String> = tables
        .iter()
        .flat_map(|table| table.iter())
        .map(|(key, value)| {
            let renamed = value.get("package").and_then(toml::Value::as_str);
            match renamed.unwrap_or(key) {
                "keyward" => "bin".to_owned(),
                name => name.to_owned(),
            }
        })
        .filter(|name| crates.contains(&name.as_str()))
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, rest: &str) -> String {
        format!("[package]\nname = \"{name}\"\n\n{rest}")
    }

    fn house(folder: &str, text: &str) -> Tree {
        let path = format!("crates/{folder}/Cargo.toml");
        let mut files: Vec<(String, String)> = [
            "crypto", "web", "domain", "store", "outside", "photon", "duo", "cli", "node",
            "testkit",
        ]
        .iter()
        .map(|name| (format!("crates/{name}/Cargo.toml"), manifest(name, "")))
        .collect();
        files.retain(|(known, _)| *known != path);
        files.push((path, text.to_owned()));
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        Tree::of(&files)
    }

    fn findings(folder: &str, rest: &str) -> Vec<String> {
        let name = if folder == "bin" { "keyward" } else { folder };
        let tree = house(folder, &manifest(name, rest));
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_table_names_each_crate_once() {
        let mut names: Vec<&str> = TABLE.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
    }

    #[test]
    fn every_allowed_direction_passes() {
        let none: Vec<String> = Vec::new();
        assert_eq!(
            findings(
                "domain",
                "[dependencies]\ncrypto.workspace = true\nserde.workspace = true"
            ),
            none
        );
        assert_eq!(
            findings(
                "store",
                "[dependencies]\ndomain.workspace = true\ncrypto.workspace = true"
            ),
            none
        );
        assert_eq!(
            findings(
                "photon",
                "[dependencies]\ndomain.workspace = true\nweb.workspace = true\n[dev-dependencies]\ntestkit.workspace = true"
            ),
            none
        );
        assert_eq!(
            findings(
                "bin",
                "[dependencies]\nnode.workspace = true\ncli.workspace = true\n[dev-dependencies]\nstore.workspace = true"
            ),
            none
        );
    }

    fn refuses(folder: &str, rest: &str) {
        assert_eq!(findings(folder, rest).len(), 1, "{folder}: {rest}");
    }

    #[test]
    fn the_hub_and_the_ground_floor_look_at_nothing_above() {
        refuses("domain", "[dependencies]\nstore.workspace = true");
        refuses("crypto", "[dependencies]\ndomain.workspace = true");
        refuses("web", "[dependencies]\ndomain.workspace = true");
        refuses("crypto", "[dev-dependencies]\ntestkit.workspace = true");
    }

    #[test]
    fn a_front_reaches_neither_storage_nor_another_front() {
        let found = findings(
            "duo",
            "[dependencies]\nstore.workspace = true\noutside.workspace = true\nphoton.workspace = true",
        );
        assert_eq!(found.len(), 3);
        assert!(found[0].starts_with(
            "crates/duo/Cargo.toml: dependency direction: `duo` depends on `outside` (`duo` may"
        ));
    }

    #[test]
    fn a_client_knows_neither_the_domain_nor_storage() {
        for dependency in ["domain", "store"] {
            let found = findings(
                "cli",
                &format!("[dependencies]\n{dependency}.workspace = true"),
            );
            assert_eq!(found.len(), 1, "{found:?}");
        }
    }

    #[test]
    fn the_binary_itself_reaches_only_its_programs() {
        refuses("bin", "[dependencies]\nstore.workspace = true");
    }

    #[test]
    fn storage_does_not_know_the_web() {
        refuses("store", "[dependencies]\nweb.workspace = true");
        refuses(
            "outside",
            "[target.'cfg(unix)'.dependencies]\nweb.workspace = true",
        );
    }

    #[test]
    fn the_harness_is_a_dev_dependency_only() {
        let found = findings("photon", "[dependencies]\ntestkit.workspace = true");
        assert!(found[0].contains("only ever a dev-dependency"));
        refuses("bin", "[build-dependencies]\ntestkit.workspace = true");
    }

    #[test]
    fn a_renamed_dependency_is_seen_through() {
        let found = findings(
            "photon",
            "[dependencies]\nshelf = { package = \"store\", path = \"../store\" }",
        );
        assert!(found[0].contains("`store`"));
    }

    #[test]
    fn names_follow_the_folders_and_the_binary_is_keyward() {
        let tree = house("bin", &manifest("bin", ""));
        assert_eq!(check(&tree)[0].remedy, "call it `keyward`");
        let tree = house("photon", &manifest("photon-front", ""));
        assert_eq!(check(&tree)[0].rule, "crate name");
    }

    #[test]
    fn a_crate_outside_the_table_needs_a_reason() {
        let found = findings("utils", "");
        assert!(found[0].contains("no line in the dependency table"));
    }

    #[test]
    fn a_manifest_that_is_no_toml_is_reported() {
        assert_eq!(check(&house("web", "[package")).len(), 1);
    }
}
