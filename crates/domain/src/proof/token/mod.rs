//! One-time tokens: six digits that prove who reads an address, for one operation and one subject.
//!
//! 1. [`Proofs::issue_token`] draws on the send budgets, overwrites the token that lived in the same slot, and queues
//!    the message, all in the caller's transaction.
//! 2. [`Proofs::prove`] counts a wrong try and judges a code, in the transaction of its effect. A right code takes the
//!    token out of its slot, so of two parallel right codes one wins.
//!
//! A slot is named by the operation and its subject (a process, or an account and its session), so a token can be used
//! nowhere else. A token for somebody who does not exist is a decoy: nothing is sent and no code matches it, and
//! everything else is the same.

mod budgets;
mod issue;
mod operation;
mod policy;
mod prove;

use serde::{Deserialize, Serialize};

use crate::core::id::Id;
use crate::core::port::store::{Kind, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::proof::Proofs;
use crate::proof::challenge::Code;
use crate::proof::way::Way;

pub use issue::Sent;
pub(crate) use issue::TokenIssue;
pub use operation::Operation;
pub use policy::TokenPolicy;
pub(crate) use prove::TokenProof;

/// Whether a token can ever match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Aim {
    Real,
    Decoy,
}

/// The record of a live token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Token {
    id: [u8; 16],
    pub(crate) operation: Operation,
    /// Where it went, and what the call that uses it will apply.
    pub(crate) way: Way,
    code: Code,
    aim: Aim,
    wrong: u32,
}

impl Record for Token {
    const KIND: Kind = "token";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

impl Proofs {
    /// The slot of a token: one token lives for each operation and each list of what else names its subject.
    pub(crate) fn token_slot(&self, operation: Operation, subject: &[&[u8]]) -> Id<Token> {
        let mut parts = vec![operation.name().as_bytes()];
        parts.extend_from_slice(subject);
        self.rows.named(&parts)
    }

    /// Ends the token in a slot, if there is one.
    pub(crate) fn drop_token(&self, tx: &mut dyn Tx, slot: Id<Token>) -> TxResult<()> {
        self.rows.remove(tx, slot)?;
        Ok(())
    }
}

/// What a code is bound to: a code that was read under another token, slot or address does not match.
fn binding<'a>(
    id: &'a [u8; 16],
    operation: Operation,
    slot: &'a Id<Token>,
    way: &'a Way,
) -> [&'a [u8]; 5] {
    [
        id,
        operation.name().as_bytes(),
        slot.as_bytes(),
        way.kind.name().as_bytes(),
        way.norm.as_bytes(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::core::port::store::RowId;

    #[test]
    fn a_code_is_bound_to_its_token_its_operation_its_slot_and_its_address() {
        let (id, slot) = ([1; 16], Id::new(RowId([2; 16])));
        let way = Way::email("Anna@example.com");
        let bound = binding(&id, Operation::Login, &slot, &way);
        let expected: [&[u8]; 5] = [&[1; 16], b"LOGIN", &[2; 16], b"email", b"anna@example.com"];
        assert_eq!(bound, expected);
        let (other_id, other_slot) = ([9; 16], Id::new(RowId([9; 16])));
        let other_way = Way::email("bert@example.com");
        for other in [
            binding(&other_id, Operation::Login, &slot, &way),
            binding(&id, Operation::AddPhrase, &slot, &way),
            binding(&id, Operation::Login, &other_slot, &way),
            binding(&id, Operation::Login, &slot, &other_way),
        ] {
            assert_ne!(other, bound);
        }
    }

    #[test]
    fn spellings_of_one_address_are_one_binding() {
        let (id, slot) = ([1; 16], Id::new(RowId([2; 16])));
        let (one, other) = (
            Way::email("Anna@Example.com"),
            Way::email("anna@example.com"),
        );
        let bound = |way| binding(&id, Operation::Login, &slot, way).map(<[u8]>::to_vec);
        assert_eq!(bound(&one), bound(&other));
    }
}
