//! The values for templates. They are cleaned so that none can add a header, a line or a second code.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::Timestamp;
use domain::message::Message;
use domain::port::courier::Words;
use minijinja::{Value, context, value::Object};

use super::locale::Locale;

/// Maximum length of a fact. Facts are times, numbers or short names; a longer one may be a text that an attacker
/// wants to put into a message.
const LONGEST_FACT: usize = 200;
/// The only fact that may have several lines: the whole text of a general notice.
const TEXT: &str = "text";

#[derive(Debug)]
pub(super) struct Values {
    language: String,
    product: String,
    code: String,
    link: String,
    anti_phishing_code: String,
    facts: BTreeMap<String, String>,
    sample: bool,
}

impl Values {
    pub(super) fn of(message: &Message, language: &str, product: &str) -> Self {
        let locale = Locale::of(language);
        let code = message.code.as_deref().map(clean).unwrap_or_default();
        let mut facts: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &message.facts {
            facts.insert(name.clone(), fact(name, value, locale));
        }
        let mut anti_phishing_code = message
            .anti_phishing_code
            .as_deref()
            .map(clean)
            .unwrap_or_default();
        if !code.is_empty() {
            // With two sequences of six digits in a message, people may enter the wrong one.
            anti_phishing_code = grouped(&anti_phishing_code);
            for value in facts.values_mut() {
                *value = grouped(value);
            }
        }
        Self {
            language: language.to_owned(),
            product: product.to_owned(),
            code,
            link: message.link.as_deref().map(clean).unwrap_or_default(),
            anti_phishing_code,
            facts,
            sample: false,
        }
    }

    /// Adds an empty value for every fact that a template may use.
    pub(super) fn sample_facts(&mut self) {
        let locale = Locale::of(&self.language);
        let at = Timestamp::from_millis(1_605_535_005_840);
        for (name, value) in [
            ("until", locale.time(at)),
            ("at", locale.time(at)),
            ("left", locale.days(7)),
            ("valid", locale.span(3_600)),
            ("contact", "j***@example.com".to_owned()),
        ] {
            self.facts.insert(name.to_owned(), value);
        }
        self.sample = true;
    }

    pub(super) fn language(&self) -> &str {
        &self.language
    }

    pub(super) fn code(&self) -> &str {
        &self.code
    }

    pub(super) fn link(&self) -> &str {
        &self.link
    }

    pub(super) fn has_anti_phishing_code(&self) -> bool {
        !self.anti_phishing_code.is_empty()
    }

    pub(super) fn context(&self) -> Value {
        let facts = Facts {
            values: self.facts.clone(),
            sample: self.sample,
        };
        context! {
            product => self.product.as_str(),
            code => self.code.as_str(),
            link => self.link.as_str(),
            anti_phishing_code => self.anti_phishing_code.as_str(),
            facts => Value::from_object(facts),
        }
    }

    /// Used if a template fails in spite of all checks: only the values, because a person who waits for a code
    /// must get it.
    pub(super) fn plain_words(&self) -> Words {
        let mut lines = vec![self.product.as_str()];
        lines.extend(
            [self.code(), self.link(), &self.anti_phishing_code]
                .into_iter()
                .filter(|line| !line.is_empty()),
        );
        Words {
            subject: self.product.clone(),
            text: lines.join("\n\n"),
            html: String::new(),
        }
    }
}

/// Facts by name. A fact that the message does not have is an empty text, so that `{% if facts.until %}` works.
#[derive(Debug)]
struct Facts {
    values: BTreeMap<String, String>,
    sample: bool,
}

impl Object for Facts {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let absent = if self.sample { "sample" } else { "" };
        Some(Value::from(
            self.values.get(name).map_or(absent, String::as_str),
        ))
    }
}

/// Formats a fact for people: a time of RFC 3339, seconds as `1800s`, the days in `left`. Other facts stay as they
/// are.
fn fact(name: &str, value: &str, locale: &Locale) -> String {
    if let Some(at) = Timestamp::parse(value) {
        return locale.time(at);
    }
    if let Some(seconds) = value
        .strip_suffix('s')
        .and_then(|number| number.parse().ok())
    {
        return locale.span(seconds);
    }
    if name == "left"
        && let Ok(days) = value.parse()
    {
        return locale.days(days);
    }
    if name == TEXT {
        let lines: Vec<String> = value.lines().map(clean).collect();
        return lines.join("\n");
    }
    clean(value).chars().take(LONGEST_FACT).collect()
}

/// Removes characters that could end a line, hide text or reverse its direction.
pub(super) fn clean(value: &str) -> String {
    let shown: String = value
        .chars()
        .filter(|c| !hides(*c))
        .map(|c| if ends_line(c) { ' ' } else { c })
        .collect();
    shown.trim().to_owned()
}

fn ends_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Zero-width characters, and those that reverse the direction of writing.
fn hides(c: char) -> bool {
    matches!(
        c,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
}

/// Splits every sequence of six or more digits into groups of three.
fn grouped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut run = String::new();
    for c in value.chars().chain(['\n']) {
        if c.is_ascii_digit() {
            run.push(c);
            continue;
        }
        for (at, digit) in run.chars().enumerate() {
            if run.len() >= 6 && at > 0 && at.is_multiple_of(3) {
                out.push(' ');
            }
            out.push(digit);
        }
        run.clear();
        out.push(c);
    }
    out.pop();
    out
}

/// The number of sequences of six or more digits.
pub(super) fn six_digit_runs(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_digit())
        .filter(|run| run.len() >= 6)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_digits_are_split_only_where_they_could_be_a_code() {
        assert_eq!(grouped("123456"), "123 456");
        assert_eq!(grouped("a1234567b 12345"), "a123 456 7b 12345");
        assert_eq!(grouped(""), "");
        assert_eq!(six_digit_runs(&grouped("123456789012 x 424242")), 0);
        assert_eq!(six_digit_runs("123456 12345 1234567"), 2);
    }

    #[test]
    fn nothing_ends_a_line_or_hides() {
        assert_eq!(
            clean(" a\r\nBcc: b\u{202e}\u{2028}c\u{0}\u{200b} "),
            "a  Bcc: b c"
        );
    }

    #[test]
    fn facts_become_words() {
        let english = Locale::of("en");
        assert_eq!(
            fact("until", "2020-12-16T13:56:45.848Z", english),
            "16 December 2020, 13:56 UTC"
        );
        assert_eq!(fact("valid", "1800s", english), "30 minutes");
        assert_eq!(fact("left", "7", english), "7 days");
        assert_eq!(fact("count", "7", english), "7");
        assert_eq!(fact("device", "Ann's", english), "Ann's");
        assert_eq!(fact("text", "a\r\nb", english), "a\nb");
        assert_eq!(
            fact("device", &"x".repeat(500), english).len(),
            LONGEST_FACT
        );
    }
}
