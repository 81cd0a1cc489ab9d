//! Bearer secrets: random texts that act for whoever shows them.
//!
//! Of such a text only a keyed hash is stored, as the id of the record it opens. So a look-up is one
//! indexed read, taking is one atomic removal, and a stolen database opens nothing.

use crate::core::port::random::bytes;
use crate::core::port::store::{Kind, RowId};
use crate::proof::Proofs;

impl Proofs {
    /// `N` random bytes in lower-case hex.
    pub(crate) fn fresh_bearer<const N: usize>(&self) -> String {
        hex::encode(bytes::<N>(self.random.as_ref()))
    }

    /// Where the record of a presented text lies, if there is one.
    pub(crate) fn bearer_row(&self, kind: Kind, text: &str) -> RowId {
        self.rows.id(kind, &[b"bearer", text.as_bytes()])
    }
}

/// Whether a presented text could have been issued: `digits` lower-case hex digits.
pub(crate) fn has_form(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
