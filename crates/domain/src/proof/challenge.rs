//! Codes: used once, valid for a while, bound to one purpose and one subject.
//!
//! Of a code only a keyed tag is stored; the code itself goes to the person it is for and nowhere else.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::core::error::Error;
use crate::core::port::random::digits;
use crate::core::port::roots::Root;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::proof::Proofs;

/// An outstanding code. Taking it out of its record uses it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    tag: [u8; 32],
    pepper: u32,
    pub issued: Timestamp,
    pub expires: Timestamp,
}

/// Whether a presented code is the one that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeMatch {
    Right,
    Wrong,
    /// It was right, and its time is over.
    Late,
}

impl Code {
    /// Compares the tag of a presented code in constant time. A code is valid while `now < expires`.
    fn compare(&self, now: Timestamp, tag: &[u8; 32]) -> CodeMatch {
        let right: bool = tag.ct_eq(&self.tag).into();
        match (right, now < self.expires) {
            (true, true) => CodeMatch::Right,
            (true, false) => CodeMatch::Late,
            (false, _) => CodeMatch::Wrong,
        }
    }
}

impl Proofs {
    /// Draws a code of six digits for `binding` (purpose, subject, destination). Returns its record and the code.
    pub(crate) fn issue_code(
        &self,
        now: Timestamp,
        life: Duration,
        binding: &[&[u8]],
    ) -> Result<(Code, SecretText), Error> {
        let text = SecretText::new(digits(self.random.as_ref(), 6));
        let pepper = self.roots.current(Root::Pepper);
        let code = Code {
            tag: self.code_tag(pepper, binding, &text)?,
            pepper,
            issued: now,
            expires: now.plus(life),
        };
        Ok((code, text))
    }

    /// Judges a presented code for `binding`, in constant time.
    ///
    /// `Unavailable`: the pepper that the code was tagged with is not at hand.
    pub(crate) fn present_code(
        &self,
        now: Timestamp,
        code: &Code,
        binding: &[&[u8]],
        text: &SecretText,
    ) -> Result<CodeMatch, Error> {
        let tag = self.code_tag(code.pepper, binding, text)?;
        Ok(code.compare(now, &tag))
    }

    fn code_tag(
        &self,
        pepper: u32,
        binding: &[&[u8]],
        text: &SecretText,
    ) -> Result<[u8; 32], Error> {
        let mut parts: Vec<&[u8]> = vec![b"code"];
        parts.extend_from_slice(binding);
        parts.push(text.expose().as_bytes());
        Ok(*self.roots.prf(Root::Pepper, pepper, &parts)?.expose())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A code whose tag is all sevens.
    pub(crate) fn code_until(expires: Timestamp) -> Code {
        Code {
            tag: [7; 32],
            pepper: 1,
            issued: Timestamp::from_millis(0),
            expires,
        }
    }

    #[test]
    fn a_code_is_right_until_it_expires_and_then_late() {
        let code = code_until(Timestamp::from_millis(1_000));
        for (now, found) in [
            (0, CodeMatch::Right),
            (999, CodeMatch::Right),
            (1_000, CodeMatch::Late),
            (1_001, CodeMatch::Late),
        ] {
            let now = Timestamp::from_millis(now);
            assert_eq!(code.compare(now, &[7; 32]), found, "{now:?}");
        }
    }

    #[test]
    fn another_tag_is_wrong_whenever_it_comes() {
        let code = code_until(Timestamp::from_millis(1_000));
        let mut tag = [7; 32];
        tag[31] = 6;
        for now in [0, 1_000] {
            let now = Timestamp::from_millis(now);
            assert_eq!(code.compare(now, &tag), CodeMatch::Wrong);
        }
    }
}
