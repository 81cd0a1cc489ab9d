//! Each foreign wire says in its README where we deviate from what it documents, and why.

use crate::finding::Finding;
use crate::manifest::FRONTS;
use crate::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let crates = tree.crates();
    FRONTS
        .into_iter()
        .filter(|front| crates.contains(front))
        .filter_map(|front| check_front(tree, front))
        .collect()
}

fn check_front(tree: &Tree, front: &str) -> Option<Finding> {
    let file = format!("crates/{front}/README.md");
    let rule = "front README";
    let Some(text) = tree.text(&file) else {
        let remedy = "write it: a link to the spec sheet, and a heading Errata with each deviation and its reason";
        return Some(Finding::new(file, rule, "there is none", remedy));
    };
    let has_errata = text.lines().any(|line| {
        let heading = line.trim_start_matches('#');
        heading.len() < line.len() && heading.trim().eq_ignore_ascii_case("errata")
    });
    let remedy = "add it; when there is no deviation, say so below it";
    (!has_errata).then(|| Finding::new(file, rule, "no heading Errata", remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: (&str, &str) = ("crates/duo/Cargo.toml", "");

    #[test]
    fn a_front_with_errata_passes_and_absent_fronts_are_fine() {
        let tree = Tree::of(&[
            MANIFEST,
            ("crates/duo/README.md", "# Duo\n\n## Errata\n\nNone.\n"),
        ]);
        assert!(check(&tree).is_empty());
    }

    #[test]
    fn a_missing_readme_and_a_missing_heading_are_reported() {
        assert_eq!(check(&Tree::of(&[MANIFEST]))[0].what, "there is none");
        let tree = Tree::of(&[
            MANIFEST,
            ("crates/duo/README.md", "# Duo\n\nErrata below.\n"),
        ]);
        assert_eq!(check(&tree)[0].what, "no heading Errata");
    }
}
