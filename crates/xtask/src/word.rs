//! No vendor's name occurs in the domain: a foreign word there is a foreign rule there.

use crate::finding::Finding;
use crate::tree::Tree;

/// Found anywhere, in any case, also inside a longer word.
const NAMES: [&str; 17] = [
    "photon",
    "enceeper",
    "knubisoft",
    "silencelab",
    "silence lab",
    "silence_lab",
    "silentshard",
    "silent shard",
    "facetec",
    "transmit",
    "twilio",
    "vonage",
    "firebase",
    "auth0",
    "okta",
    "sendgrid",
    "mailgun",
];

/// Short names that hide inside honest words (`precise`), so they count only where a word begins and ends.
const SHORT: [&str; 2] = ["duo", "cis"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.under("crates/domain") {
        let lines = std::iter::once((0, path)).chain((1..).zip(text.lines()));
        for (number, line) in lines {
            for word in foreign_words(line) {
                let what = format!("the foreign word `{word}`");
                let remedy =
                    "give the concept a neutral name; the foreign one stops at the front's wire.rs";
                findings
                    .push(Finding::new(path, "no vendor in the domain", what, remedy).at(number));
            }
        }
    }
    findings
}

fn foreign_words(line: &str) -> Vec<&'static str> {
    let lower = line.to_lowercase();
    let mut found: Vec<&'static str> = NAMES
        .into_iter()
        .filter(|name| lower.contains(name))
        .collect();
    let words = words(line);
    found.extend(
        SHORT
            .into_iter()
            .filter(|name| words.iter().any(|word| word == name)),
    );
    found
}

/// The words of a line, in lower case, with `snake_case` and `CamelCase` taken apart.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous_lower = false;
    for c in line.chars() {
        if !c.is_alphabetic() || (c.is_uppercase() && previous_lower) {
            words.push(String::new());
        }
        previous_lower = c.is_lowercase();
        if c.is_alphabetic() {
            let last = words.last_mut().expect("it starts with one word");
            last.extend(c.to_lowercase());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(usize, String)> {
        let findings = check(&Tree::of(&[(path, text)]));
        findings
            .into_iter()
            .map(|finding| (finding.line, finding.what))
            .collect()
    }

    #[test]
    fn neutral_words_pass_and_other_crates_are_free() {
        assert!(
            rules(
                "crates/domain/src/lock.rs",
                "// A precise decision of the producer.\nstruct Decision;"
            )
            .is_empty()
        );
        assert!(rules("crates/photon/src/lib.rs", "// Photon").is_empty());
    }

    #[test]
    fn vendor_names_are_found_in_any_case_and_in_comments() {
        let found = rules(
            "crates/domain/src/lock.rs",
            "fn a() {}\n// As PHOTON does.\nlet facetecKey = 1;",
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].0, 2);
        assert_eq!(found[1].1, "the foreign word `facetec`");
    }

    #[test]
    fn short_names_count_as_words_of_any_spelling() {
        for text in ["duo", "DuoKey", "by_cis_user", "theDuoFlow", "CIS"] {
            assert_eq!(rules("crates/domain/src/a.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_file_name_counts_too() {
        assert_eq!(rules("crates/domain/src/twilio.rs", "")[0].0, 0);
    }
}
