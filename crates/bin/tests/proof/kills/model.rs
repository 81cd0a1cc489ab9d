//! What the server said about one key, and what it may have done besides.

use std::io;

use crate::http::Answer;

/// What a PIN endpoint said about a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Right,
    Wrong,
    /// Ten failures: nothing was judged.
    Limited,
    /// Turned away, or no answer: nobody knows.
    Nothing,
}

/// An outcome that may be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Yes,
    No,
    Unknown,
}

/// One key and its users.
pub(super) struct Key {
    pub(super) id: String,
    pub(super) content: Option<String>,
    /// The PIN last acknowledged, and those that an unanswered change may have set.
    pub(super) pins: Vec<String>,
    /// Tries since the last right PIN that was acknowledged.
    pub(super) tries: u32,
    pub(super) users: Vec<User>,
}

/// One address at a key.
pub(super) struct User {
    pub(super) address: String,
    pub(super) verified: Known,
    /// Requests for a code that were acknowledged, and those that were not.
    pub(super) asked: usize,
    pub(super) perhaps: usize,
    /// The end of the running lock, if an answer named it.
    pub(super) lock: Option<String>,
    /// A code whose use was acknowledged.
    pub(super) spent: Option<String>,
    /// Tries of a code since the last right one that was acknowledged.
    pub(super) tries: u32,
    /// Left alone until the end, since nobody knows what is outstanding.
    pub(super) idle: bool,
}

impl User {
    pub(super) fn new(address: String) -> Self {
        Self {
            address,
            verified: Known::No,
            asked: 0,
            perhaps: 0,
            lock: None,
            spent: None,
            tries: 0,
            idle: false,
        }
    }
}

impl Key {
    pub(super) fn new(id: String, pin: String) -> Self {
        Self {
            id,
            content: None,
            pins: vec![pin],
            tries: 0,
            users: Vec::new(),
        }
    }

    /// The PIN, when it is certain.
    pub(super) fn pin(&self) -> Option<String> {
        match self.pins.as_slice() {
            [pin] => Some(pin.clone()),
            _ => None,
        }
    }

    /// Takes note of an answer to a try with `pin`, and finds the promise that it breaks.
    pub(super) fn judge(&mut self, pin: &str, answer: &io::Result<Answer>) -> Said {
        self.tries += 1;
        let candidate = self.pins.iter().any(|known| known == pin);
        let status = match answer {
            Ok(answer) => answer.status,
            Err(_) => return Said::Nothing,
        };
        match status {
            200 | 201 | 409 => {
                assert!(candidate, "{}: a wrong PIN opened", self.id);
                self.pins = vec![pin.to_owned()];
                self.tries = 0;
                Said::Right
            }
            404 => {
                self.pins.retain(|known| known != pin);
                assert!(
                    !self.pins.is_empty(),
                    "{}: neither the old PIN nor the new one opens",
                    self.id
                );
                Said::Wrong
            }
            429 => {
                assert!(
                    self.tries > 10,
                    "{}: locked after {} tries",
                    self.id,
                    self.tries
                );
                Said::Limited
            }
            503 => Said::Nothing,
            other => panic!("{}: a try was answered {other}", self.id),
        }
    }

    /// Takes note of the content that an answer shows.
    pub(super) fn see(&mut self, answer: &Answer) {
        let content = answer.field("encryptionKey").unwrap();
        let known = self.content.get_or_insert_with(|| content.clone());
        assert_eq!(*known, content, "{}: the key never changes", self.id);
    }
}
