//! The text files of the repository, in memory, so that a check is a plain function that a test can feed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Paths relative to the root, with forward slashes, and their text.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// What git tracks, and what it would track once added; ignored and binary files are left out.
    pub(crate) fn tracked(root: &Path) -> Result<Self, String> {
        let listing = Command::new("git")
            .current_dir(root)
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .output()
            .map_err(|error| format!("git ls-files: {error}"))?;
        if !listing.status.success() {
            let why = String::from_utf8_lossy(&listing.stderr);
            return Err(format!("git ls-files: {}", why.trim()));
        }
        let names = String::from_utf8_lossy(&listing.stdout);
        let mut tree = Self::default();
        for name in names.split('\0').filter(|name| !name.is_empty()) {
            // A file that is deleted but not yet committed is still listed; one that is not text has no rules here.
            if let Ok(text) = std::fs::read_to_string(root.join(name)) {
                tree.files.insert(name.to_owned(), text);
            }
        }
        Ok(tree)
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The files below a folder, which is named without a slash at its end.
    pub(crate) fn under<'t>(&'t self, folder: &str) -> impl Iterator<Item = (&'t str, &'t str)> {
        let prefix = format!("{folder}/");
        self.files()
            .filter(move |(path, _)| path.starts_with(&prefix))
    }

    /// The crates that exist: the folders of `crates/` with a manifest.
    pub(crate) fn crates(&self) -> Vec<&str> {
        self.under("crates")
            .filter_map(|(path, _)| {
                let folder = path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
                (!folder.contains('/')).then_some(folder)
            })
            .collect()
    }
}

/// Whether a file is of a kind; git's names are compared as they are written.
pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, end)| end == extension)
}

#[cfg(test)]
impl Tree {
    /// A fixture: paths and texts, as a test writes them.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Self {
            files: files.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_the_folders_with_a_manifest() {
        let tree = Tree::of(&[
            ("crates/web/Cargo.toml", ""),
            ("crates/web/src/lib.rs", ""),
            ("crates/web/tests/fixture/Cargo.toml", ""),
            ("crates/notes.md", ""),
        ]);
        assert_eq!(tree.crates(), ["web"]);
    }

    #[test]
    fn a_repository_is_read_through_git_and_skips_what_it_ignores() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .expect("a workspace");
        let tree = Tree::tracked(root).expect("git answers");
        assert!(tree.text("crates/xtask/src/tree.rs").is_some());
        assert!(tree.under("target").next().is_none());
    }
}
