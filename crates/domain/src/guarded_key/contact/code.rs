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
use crate::limit::budget::GuessRules;
use crate::limit::counted::{AtOnce, Finding};
use crate::limit::familiar::CallerStanding;
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
        (now, caller): (Timestamp, &Caller),
        contact: &Stored<Contact>,
        text: &SecretText,
    ) -> TxResult<Result<(), Refusal>> {
        if contact.waiting.is_none() {
            return Ok(Err(Refusal::WrongState));
        }
        let rules = self.code_rules(tx, now, contact.place.owner, caller)?;
        let budget = self.counted_by_budget(contact.id(), rules);
        let judged = self.judge_at_once(tx, now, &budget, |_| {
            Ok(finding(self.present_contact_code(now, contact, text)?))
        })?;
        Ok(answer(judged))
    }

    /// The limits of wrong codes of a contact of `key`, as they bind `caller`.
    pub(in crate::guarded_key) fn code_rules(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        key: Option<RowId>,
        caller: &Caller,
    ) -> TxResult<GuessRules> {
        let standing = match key {
            Some(key) => self.standing(tx, now, key, caller)?,
            None => CallerStanding::Stranger,
        };
        Ok(self.policy.code_guesses().by(standing))
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
        let networks = [
            self.network_rates("sends for network", caller, policy.sends_per_network),
            self.network_rates("messages for network", caller, limits.network_messages),
        ]
        .concat();
        let to_address = [policy.sends_per_address];
        let mut wanted: Vec<(RowId, &[Rate])> = vec![
            (own, &policy.sends_per_contact),
            (
                self.rate_row("sends to address", &address.text),
                &to_address,
            ),
        ];
        let in_all = [
            (self.rate_row("sends", ""), [policy.sends_in_all]),
            (self.rate_row("messages", ""), [limits.day_messages]),
        ];
        wanted.extend(
            networks
                .iter()
                .chain(&in_all)
                .map(|(row, rates)| (*row, &rates[..])),
        );
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guarded_key::contact::tests::at;

    fn refusal(presented: CodeMatch) -> Option<Refusal> {
        match finding(presented) {
            Finding::Right(()) => None,
            Finding::Wrong(why) => Some(why),
            Finding::Unjudged(why) => panic!("{why:?} counts neither way"),
        }
    }

    #[test]
    fn only_a_correct_code_in_time_is_no_failure() {
        assert_eq!(refusal(CodeMatch::Right), None);
        assert_eq!(refusal(CodeMatch::Late), Some(Refusal::Expired));
    }

    #[test]
    fn a_wrong_code_says_nothing_about_the_tries_left() {
        let wrong = Refusal::BadProof { left: None };
        assert_eq!(refusal(CodeMatch::Wrong), Some(wrong));
    }

    #[test]
    fn a_code_that_was_judged_is_answered_by_what_was_found() {
        assert_eq!(answer(AtOnce::Right(())), Ok(()));
        let wrong = AtOnce::Wrong {
            why: Refusal::Expired,
            failures: 3,
        };
        assert_eq!(answer(wrong), Err(Refusal::Expired));
    }

    #[test]
    fn a_code_that_could_not_be_judged_is_answered_by_when_the_next_can_be() {
        let until = at(9);
        let exhausted = Err(Refusal::Exhausted { until });
        assert_eq!(answer(AtOnce::Exhausted { until }), exhausted);
        assert_eq!(answer(AtOnce::InFlight { until }), exhausted);
    }

    #[test]
    fn a_code_is_bound_to_its_purpose_and_its_contact() {
        let [one, two] = [1, 2].map(|byte| Id::<Contact>::new(RowId([byte; 16])));
        let verify = binding(&one, CodePurpose::Verify).concat();
        assert_ne!(verify, binding(&one, CodePurpose::Recover).concat());
        assert_ne!(verify, binding(&two, CodePurpose::Verify).concat());
    }
}
