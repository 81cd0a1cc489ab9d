//! Looks for many secrets in many encodings at once.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A secret as it may be written.
pub(super) struct Form {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// A secret where it should not be.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) form: String,
    pub(super) around: String,
}

/// Secrets in all their forms, by how a form begins.
#[derive(Default)]
pub(super) struct Search {
    forms: Vec<(String, Form)>,
    begins: HashMap<[u8; 4], Vec<usize>>,
}

impl Search {
    pub(super) fn add(&mut self, name: &str, secret: &[u8]) {
        for form in forms(secret) {
            let begin = form.bytes[..4].try_into().unwrap();
            self.begins.entry(begin).or_default().push(self.forms.len());
            self.forms.push((name.to_owned(), form));
        }
    }

    pub(super) fn within(&self, hay: &[u8]) -> Vec<Found> {
        let mut seconds = vec![false; 1 << 16];
        for begin in self.begins.keys() {
            seconds[pair(begin)] = true;
        }
        let mut found: Vec<Found> = Vec::new();
        for (at, window) in hay.windows(4).enumerate() {
            if !seconds[pair(window)] {
                continue;
            }
            let candidates = self.begins.get(window).into_iter().flatten();
            for (name, form) in candidates.map(|nth| &self.forms[*nth]) {
                let known = found.iter().any(|found| found.name == *name);
                if !known && hay[at..].starts_with(&form.bytes) {
                    found.push(Found {
                        name: name.clone(),
                        form: form.name.clone(),
                        around: around(hay, at),
                    });
                }
            }
        }
        found
    }
}

fn pair(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

fn around(hay: &[u8], at: usize) -> String {
    let part = &hay[at.saturating_sub(80)..hay.len().min(at + 60)];
    String::from_utf8_lossy(part).escape_debug().to_string()
}

/// As it is, hexadecimal, base64 wherever it begins in a longer text, UTF-16, percent-encoded.
pub(super) fn forms(secret: &[u8]) -> Vec<Form> {
    let hex = |upper: bool| -> String {
        let digits = |byte: &u8| {
            if upper {
                format!("{byte:02X}")
            } else {
                format!("{byte:02x}")
            }
        };
        secret.iter().map(digits).collect()
    };
    let percent = |all: bool| -> String {
        let one = |byte: &u8| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' if !all => {
                char::from(*byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        };
        secret.iter().map(one).collect()
    };
    let mut forms = vec![
        form("as it is", secret.to_vec()),
        form("hex", hex(false).into_bytes()),
        form("HEX", hex(true).into_bytes()),
        form("percent-encoded", percent(false).into_bytes()),
        form(
            "percent-encoded in lower case",
            percent(false).to_lowercase().into_bytes(),
        ),
        form("all percent-encoded", percent(true).into_bytes()),
        form(
            "UTF-16 LE",
            secret.iter().flat_map(|byte| [*byte, 0]).collect(),
        ),
        form(
            "UTF-16 BE",
            secret.iter().flat_map(|byte| [0, *byte]).collect(),
        ),
    ];
    for shift in 0..3 {
        let shifted = [&vec![0; shift][..], secret].concat();
        // Letters that also depend on what stands before or behind are left out.
        let first = (shift * 8).div_ceil(6);
        let last = shifted.len() * 8 / 6;
        for (name, text) in [
            ("base64", STANDARD_NO_PAD.encode(&shifted)),
            ("base64url", URL_SAFE_NO_PAD.encode(&shifted)),
        ] {
            let bytes = text.as_bytes()[first..last].to_vec();
            forms.push(form(&format!("{name} at {shift}"), bytes));
        }
    }
    // Many are the same for a plain word.
    let mut seen = Vec::new();
    forms.retain(|form| {
        let fresh = !seen.contains(&form.bytes);
        seen.push(form.bytes.clone());
        fresh
    });
    forms
}

fn form(name: &str, bytes: Vec<u8>) -> Form {
    Form {
        name: name.to_owned(),
        bytes,
    }
}

/// A code of six digits, where it is not part of a longer number or of a fraction of a second.
pub(super) fn code(code: &str, hay: &[u8]) -> Option<Found> {
    let digit = |at: Option<&u8>| at.is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.');
    let stands = |at: usize| {
        hay[at..].starts_with(code.as_bytes())
            && !digit(at.checked_sub(1).and_then(|at| hay.get(at)))
            && !hay.get(at + 6).is_some_and(u8::is_ascii_digit)
    };
    let at = (0..hay.len().saturating_sub(5))
        .find(|at| hay[*at] == code.as_bytes()[0] && stands(*at))?;
    Some(Found {
        name: "a code".to_owned(),
        form: "as it is".to_owned(),
        around: around(hay, at),
    })
}
