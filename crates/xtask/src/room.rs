//! The rooms of the domain, and that imports go from an upper room to a lower one only.

use std::collections::BTreeMap;

use crate::exception::{Broken, Exceptions};
use crate::finding::Finding;
use crate::size::domain_files;
use crate::source::Source;
use crate::tree::Tree;

const RULE: &str = "imports between rooms";
const HERE: &str = "crates/xtask/src/room.rs";
const SOURCES: &str = "crates/domain/src/";

/// From top to bottom: a room may import those of the floors below its own, and itself.
const FLOORS: [&[&str]; 6] = [
    &["guarded_key", "person", "vault", "wallet", "tenant"],
    &["proof"],
    &["limit"],
    &["letter"],
    &["trail"],
    &["core"],
];

/// The files that put the rooms together. They may import all, and no room may import them.
const COMPOSITION: [&str; 3] = ["lib", "policy", "services"];

/// Imports that are allowed although they go up, `file > room`, and how many.
const EXCEPTIONS: &Exceptions = &[];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    wrong_imports(tree).except(EXCEPTIONS, RULE, HERE)
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn wrong_imports(tree: &Tree) -> Broken {
    let exported = tree
        .text(&format!("{SOURCES}lib.rs"))
        .map(exports)
        .unwrap_or_default();
    let mut broken = Broken::default();
    for (path, text) in domain_files(tree) {
        let file = path.trim_start_matches(SOURCES);
        let modules = modules(file);
        let room = modules.first().copied().unwrap_or_default();
        if COMPOSITION.contains(&room) {
            continue;
        }
        let Some(own) = floor(room) else {
            let what = format!("`{room}` is no room");
            let remedy = "move it into the lowest room that fits";
            broken.count(file, Finding::new(path, RULE, what, remedy));
            continue;
        };
        let product = Source::new(text).without_tests();
        for (offset, name) in crate_paths(product.code(), modules.len()) {
            let target = exported.get(name).map_or(name, String::as_str);
            let composition = COMPOSITION.contains(&target);
            let up = floor(target).is_some_and(|floor| target != room && floor <= own);
            if composition || up {
                let what = format!("`{room}` imports `{target}`");
                let remedy = "imports go down; what two rooms share is in a room below both";
                let finding = Finding::new(path, RULE, what, remedy).at(product.line_of(offset));
                broken.count(&format!("{file} > {target}"), finding);
            }
        }
    }
    broken
}

/// The modules of a file: `person/login.rs` is in `person` and `login`, `person/mod.rs` in `person`.
fn modules(file: &str) -> Vec<&str> {
    let path = file.trim_end_matches(".rs");
    path.split('/').filter(|part| *part != "mod").collect()
}

/// What the root of the crate is asked for: each name behind `crate::`, or behind as many `super::` as lead there from
/// `depth` modules, alone or in braces.
fn crate_paths(code: &str, depth: usize) -> Vec<(usize, &str)> {
    let up = "super::".repeat(depth);
    let mut found = Vec::new();
    for prefix in ["crate::", &up] {
        for (at, _) in code.match_indices(prefix) {
            let before = &code[..at];
            if !before.ends_with(|c: char| c.is_alphanumeric() || "_$:".contains(c)) {
                let start = at + prefix.len();
                found.extend(
                    first_names(&code[start..])
                        .into_iter()
                        .map(|(offset, name)| (start + offset, name)),
                );
            }
        }
    }
    found
}

/// The first name of each path: of one path, or of those in braces.
fn first_names(path: &str) -> Vec<(usize, &str)> {
    let name = |at: usize| {
        let rest = &path[at..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        (at, &rest[..end.unwrap_or(rest.len())])
    };
    if !path.starts_with('{') {
        return vec![name(0)];
    }
    let mut names = Vec::new();
    let (mut depth, mut fresh) = (0_usize, false);
    for (at, c) in path.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            c if fresh && c.is_alphabetic() => names.push(name(at)),
            _ => {}
        }
        fresh = depth == 1 && ("{,".contains(c) || fresh && c.is_whitespace());
    }
    names
}

/// The names that the root of the crate exports out of a room, so that `crate::Name` is no way around.
fn exports(lib: &str) -> BTreeMap<String, String> {
    let code = Source::new(lib);
    let mut exported = BTreeMap::new();
    for statement in code.code().split(';') {
        let Some((_, path)) = statement.split_once("pub use ") else {
            continue;
        };
        let mut words = path
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty() && *word != "crate");
        let Some(room) = words.next() else { continue };
        for name in words {
            exported.insert(name.to_owned(), room.to_owned());
        }
    }
    exported
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<(String, &str)> = files
            .iter()
            .map(|(file, text)| (format!("{SOURCES}{file}"), *text))
            .collect();
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(file, text)| (file.as_str(), *text))
            .collect();
        let found = wrong_imports(&Tree::of(&files)).except(&[], RULE, HERE);
        found
            .into_iter()
            .map(|finding| {
                let file = finding.file.trim_start_matches(SOURCES).to_owned();
                format!("{file}:{} {}", finding.line, finding.what)
            })
            .collect()
    }

    #[test]
    fn imports_go_down() {
        let all =
            "use crate::proof::A;\nuse crate::{core, limit::{B, C}, letter};\nuse crate::trail;\n";
        assert!(findings(&[("person/login.rs", all)]).is_empty());
        assert!(
            findings(&[(
                "limit/mod.rs",
                "use crate::limit::budget;\nuse crate::core::Core;\n"
            )])
            .is_empty()
        );
        assert_eq!(
            findings(&[("limit/budget.rs", all)]),
            ["limit/budget.rs:1 `limit` imports `proof`"]
        );
        assert_eq!(
            findings(&[("core/a.rs", "fn a() {\n    crate::trail::b();\n}\n")]),
            ["core/a.rs:2 `core` imports `trail`"]
        );
    }

    #[test]
    fn no_concept_imports_another() {
        assert_eq!(
            findings(&[("vault.rs", "use crate::person::A;\n")]),
            ["vault.rs:1 `vault` imports `person`"]
        );
        let own = "use crate::vault::A;\nuse super::b;\n";
        assert!(findings(&[("vault/mod.rs", own)]).is_empty());
    }

    #[test]
    fn the_composition_imports_all_and_is_imported_by_none() {
        let all = "use crate::person::A;\nuse crate::vault::B;\n";
        assert!(findings(&[("lib.rs", all), ("services.rs", all)]).is_empty());
        assert_eq!(
            findings(&[("person/a.rs", "use crate::services::A;\n")]),
            ["person/a.rs:1 `person` imports `services`"]
        );
    }

    #[test]
    fn a_file_without_a_room_is_found() {
        assert_eq!(
            findings(&[("keeper.rs", "")]),
            ["keeper.rs:0 `keeper` is no room"]
        );
    }

    #[test]
    fn braces_and_steps_upwards_are_followed() {
        let braces = "use crate::{\n    core::{person, B},\n    proof,\n    vault as other,\n};\n";
        assert_eq!(findings(&[("limit/a.rs", braces)]).len(), 2);
        let up = "use super::super::proof::A;\nuse super::person;\n";
        assert_eq!(
            findings(&[("limit/a.rs", up)]),
            ["limit/a.rs:1 `limit` imports `proof`"]
        );
        assert_eq!(
            findings(&[("limit/mod.rs", "use super::person;\n")]).len(),
            1
        );
    }

    #[test]
    fn a_name_that_the_root_exports_belongs_to_its_room() {
        let lib = "pub mod proof;\npub use core::{Error, time::Timestamp};\npub use crate::proof::Token;\n";
        let found = findings(&[
            ("lib.rs", lib),
            ("trail/a.rs", "use crate::{Error, Timestamp, Token};\n"),
        ]);
        assert_eq!(found, ["trail/a.rs:1 `trail` imports `proof`"]);
    }

    #[test]
    fn tests_comments_and_other_crates_are_free() {
        let text = "// crate::vault::A\nlet a = \"crate::vault::A\"; othercrate::vault::A;\n#[cfg(test)]\nmod tests {\n    use crate::vault::A;\n}\n";
        assert!(
            findings(&[
                ("person/a.rs", text),
                ("person/tests.rs", "use crate::vault;\n")
            ])
            .is_empty()
        );
    }
}
