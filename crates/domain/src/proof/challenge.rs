//! Challenges: single-use, expiring, bound to one purpose and one subject.
//!
//! Of a code only a keyed tag is kept; the code itself goes to its owner and nowhere else.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::core::error::Error;
use crate::core::port::random::digits;
use crate::core::port::roots::Root;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::proof::Proofs;

/// An outstanding code. Taking it out of its record spends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    tag: [u8; 32],
    pepper: u32,
    pub issued: Timestamp,
    pub expires: Timestamp,
}

/// What became of a presented code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeMatch {
    Right,
    Wrong,
    /// It was right, and its time is over.
    Late,
}

impl Proofs {
    /// A fresh code of six digits for `binding` (purpose, subject, destination): the record of it, and the code.
    pub(crate) fn issue_code(
        &self,
        now: Timestamp,
        life: Duration,
        binding: &[&[u8]],
    ) -> Result<(Code, SecretText), Error> {
        let text = SecretText::new(digits(self.random.as_ref(), 6));
        let pepper = self.roots.current(Root::Pepper);
        let tag = self.code_tag(pepper, binding, &text)?;
        Ok((
            Code {
                tag,
                pepper,
                issued: now,
                expires: now.plus(life),
            },
            text,
        ))
    }

    /// Judges a presented code in constant time. Valid while `now < expires`.
    pub(crate) fn present_code(
        &self,
        now: Timestamp,
        code: &Code,
        binding: &[&[u8]],
        text: &SecretText,
    ) -> Result<CodeMatch, Error> {
        let right: bool = self
            .code_tag(code.pepper, binding, text)?
            .ct_eq(&code.tag)
            .into();
        Ok(match (right, now < code.expires) {
            (true, true) => CodeMatch::Right,
            (true, false) => CodeMatch::Late,
            (false, _) => CodeMatch::Wrong,
        })
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
