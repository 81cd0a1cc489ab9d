//! No wire's spelling occurs in the domain: how a front calls a member or a constant stops at that front.

use crate::exception::{Broken, Exceptions};
use crate::finding::Finding;
use crate::size::domain_files;
use crate::source::{Hidden, Source, hidden_texts};
use crate::tree::Tree;

const RULE: &str = "no wire's spelling in the domain";
const HERE: &str = "crates/xtask/src/spelling.rs";

/// Spellings that stay, and how many times each occurs. Row ids and the tags of codes are computed from those of
/// operations, stored messages hold those of kinds and channels, and `JWT` is the type of a token in RFC 7519.
const STORED: &Exceptions = &[
    ("ANTI_PHISHING_ADDING", 1),
    ("ANTI_PHISHING_CHANGING", 1),
    ("EMAIL", 1),
    ("JWT", 1),
    ("LOGIN", 1),
    ("MFA_DISABLING", 1),
    ("NOTICE", 1),
    ("OPERATOR", 1),
    ("OTT", 1),
    ("PASSWORD_CHANGING", 1),
    ("PASSWORD_RECOVERY", 1),
    ("REGISTRATION", 1),
    ("SMS", 1),
    ("USER_KEY_ADDING_EMAIL", 1),
    ("USER_KEY_ADDING_PHONE_NUMBER", 1),
    ("USER_KEY_CHANGING", 1),
    ("USER_KEY_CHANGING_NEW_KEY", 1),
    ("USER_KEY_RECOVERY_NEW_KEY", 1),
    ("USER_KEY_RECOVERY_VERIFICATION", 1),
    ("USER_KEY_REMOVING", 1),
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    spellings(tree).except(STORED, RULE, HERE)
}

fn spellings(tree: &Tree) -> Broken {
    let mut broken = Broken::default();
    for (path, text) in domain_files(tree) {
        let product = &text[..Source::new(text).without_tests().code().len()];
        for (line, kind, hidden) in hidden_texts(product) {
            for word in foreign(kind, hidden) {
                let what = format!("the spelling `{word}`");
                let remedy = "give it a neutral name, which the front translates";
                broken.count(word, Finding::new(path, RULE, what, remedy).at(line));
            }
        }
    }
    broken
}

/// `camelCase` anywhere; in a literal also `CONSTANT_CASE`, and a literal that is capitals as a whole.
///
/// A comment may name a constant of ours.
fn foreign(kind: Hidden, text: &str) -> Vec<&str> {
    let literal = kind == Hidden::Literal;
    if literal && is_constant(text) {
        return vec![text];
    }
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| is_camel(word) || literal && word.contains('_') && is_constant(word))
        .filter(|word| !text.contains(&format!("{{{word}}}")))
        .collect()
}

fn is_camel(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.contains(|c: char| c.is_ascii_uppercase())
        && !word.contains('_')
}

fn is_constant(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(usize, String)> {
        let tree = Tree::of(&[("crates/domain/src/a.rs", text)]);
        let found = spellings(&tree).except(&[], RULE, HERE);
        found
            .into_iter()
            .map(|finding| (finding.line, finding.what))
            .collect()
    }

    #[test]
    fn camel_case_is_found_in_literals_and_comments() {
        assert_eq!(
            words("\nlet a = \"googleToken\";")[0],
            (2, "the spelling `googleToken`".to_owned())
        );
        assert_eq!(words("// The wire says newUserKey.\n").len(), 1);
        assert!(
            words("fn foreign_word() {} // A Word, an_A and OpenID.\nlet a = \"a sentence\";")
                .is_empty()
        );
    }

    #[test]
    fn constants_are_found_in_literals_only() {
        assert_eq!(words("let a = r#\"an USER_KEY in words\"#;").len(), 1);
        assert_eq!(words("let a = \"M1\";").len(), 1);
        assert!(words("// See A_CONSTANT, and M1.\nlet a = \"say M1\"; let b = 'M';\n").is_empty());
        assert!(words("format!(\"{OUR_PREFIX}: {a}\");").is_empty());
    }

    #[test]
    fn tests_are_free() {
        assert!(
            words("fn a() {}\n#[cfg(test)]\nmod tests {\n    const A: &str = \"M1\";\n}\n")
                .is_empty()
        );
    }
}
