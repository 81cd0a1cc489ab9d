//! Codes to contacts: how many may be sent, what a message with one says, and what becomes of one that is entered.

use super::{CodePurpose, Contact, ContactAddress};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::message::{Message, MessageKind};
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::guarded_key::GuardedKeys;
use crate::letter::outbox::Posting;
use crate::limit::counted::{AtOnce, Finding};
use crate::limit::rate::Rate;
use crate::proof::challenge::CodeMatch;

/// What a contact's code is bound to: a code of one purpose or contact is wrong for every other.
pub(in crate::guarded_key) fn binding(contact: &Id<Contact>, purpose: CodePurpose) -> [&[u8]; 2] {
    [purpose.name().as_bytes(), contact.as_bytes()]
}

/// What the comparison of a code means for the count of tries: only a correct code in time is no failure.
fn finding(presented: CodeMatch) -> Finding<(), Refusal> {
    match presented {
        CodeMatch::Right => Finding::Right(()),
        CodeMatch::Wrong => Finding::Wrong(Refusal::BadProof { left: None }),
        CodeMatch::Late => Finding::Wrong(Refusal::Expired),
    }
}

/// The answer to a code that was judged, or that could not be.
fn answer(judged: AtOnce<(), Refusal>) -> Result<(), Refusal> {
    match judged {
        AtOnce::Right(()) => Ok(()),
        AtOnce::Wrong { why, .. } | AtOnce::Unjudged(why) => Err(why),
        AtOnce::Exhausted { until } | AtOnce::InFlight { until } => {
            Err(Refusal::Exhausted { until })
        }
    }
}

impl GuardedKeys {
    /// Counts and judges a code in one transaction. The caller uses the code up if it was correct.
    pub(in crate::guarded_key) fn judge_code(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        contact: &Stored<Contact>,
        text: &SecretText,
    ) -> TxResult<Result<(), Refusal>> {
        if contact.waiting.is_none() {
            return Ok(Err(Refusal::WrongState));
        }
        let budget = self.counted_by_budget(contact.id(), self.policy.code_guesses());
        let judged = self.judge_at_once(tx, now, &budget, |_| {
            Ok(finding(self.present_contact_code(now, contact, text)?))
        })?;
        Ok(answer(judged))
    }

    /// Compares a code with the one that was sent, in constant time. Counts nothing.
    pub(in crate::guarded_key) fn present_contact_code(
        &self,
        now: Timestamp,
        contact: &Stored<Contact>,
        text: &SecretText,
    ) -> Result<CodeMatch, Error> {
        let Some(waiting) = &contact.waiting else {
            return Ok(CodeMatch::Wrong);
        };
        let row = contact.key();
        self.present_code(now, &waiting.code, &binding(&row, waiting.purpose), text)
    }

    /// Takes one send of every budget that a code to `address` uses, or refuses and takes none.
    pub(in crate::guarded_key) fn spend_sends(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        contact: Id<Contact>,
        address: &ContactAddress,
    ) -> TxResult<Result<(), Refusal>> {
        let policy = &self.policy;
        let limits = &self.shared;
        let own = self
            .rows
            .id("rate", &[b"sends of contact", contact.as_bytes()]);
        let wanted: [(RowId, &[Rate]); 6] = [
            (own, &policy.sends_per_contact),
            (
                self.rate_row("sends to address", &address.text),
                &[policy.sends_per_address],
            ),
            (
                self.rate_row("sends for network", &caller.network),
                &[policy.sends_per_network],
            ),
            (
                self.rate_row("messages for network", &caller.network),
                &[limits.network_messages],
            ),
            (self.rate_row("sends", ""), &[policy.sends_in_all]),
            (self.rate_row("messages", ""), &[limits.day_messages]),
        ];
        self.spend_rates(tx, now, &wanted)
    }

    /// Queues the message that carries a code. An older code of the same purpose is not sent any more.
    pub(in crate::guarded_key) fn post_code(
        &self,
        tx: &mut dyn Tx,
        (now, caller): (Timestamp, &Caller),
        (contact, address): (Id<Contact>, &ContactAddress),
        purpose: CodePurpose,
        code: &SecretText,
    ) -> TxResult<()> {
        let life = self.policy.code_life;
        let message = Message {
            surface: caller.surface.to_owned(),
            channel: address.channel,
            to: address.text.clone(),
            kind: MessageKind::Code,
            operation: purpose.name().to_owned(),
            language: caller.language.clone(),
            code: Some(code.expose().to_owned()),
            link: None,
            anti_phishing_code: None,
            facts: [("valid".to_owned(), format!("{}s", life.as_secs()))].into(),
        };
        self.post(tx, now, Posting::code(message, life, contact.row()))
    }
}
