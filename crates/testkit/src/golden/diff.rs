//! A difference in a readable form.

use std::fmt::Write;

/// Marks each line that differs: `-` is the golden's line, `+` the current one.
pub(super) fn diff(expected: &[String], actual: &[String]) -> String {
    let mut out = String::new();
    for at in 0..expected.len().max(actual.len()) {
        match (expected.get(at), actual.get(at)) {
            (Some(expected), Some(actual)) if expected == actual => line(&mut out, ' ', expected),
            (expected, actual) => {
                if let Some(expected) = expected {
                    line(&mut out, '-', expected);
                }
                if let Some(actual) = actual {
                    line(&mut out, '+', actual);
                }
                if let (Some(expected), Some(actual)) = (expected, actual) {
                    let same = expected.chars().zip(actual.chars());
                    let column = same.take_while(|(one, other)| one == other).count();
                    line(&mut out, ' ', &format!("{}^", " ".repeat(column)));
                }
            }
        }
    }
    out
}

fn line(out: &mut String, mark: char, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "  {mark} {text}");
}

/// Bytes as lines of text, or in hex if they are not text.
pub(super) fn lines(bytes: &[u8]) -> Vec<String> {
    match str::from_utf8(bytes) {
        Ok("") => Vec::new(),
        Ok(text) => text.split('\n').map(visible).collect(),
        Err(_) => vec![format!("(bytes) {}", hex::encode(bytes))],
    }
}

fn visible(line: &str) -> String {
    line.replace('\r', "\\r").replace('\t', "\\t")
}
