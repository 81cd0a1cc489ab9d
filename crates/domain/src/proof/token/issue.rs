//! Sending a one-time token.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::caller::Caller;
use crate::core::error::Refusal;
use crate::core::id::Id;
use crate::core::message::{Message, MessageKind};
use crate::core::port::random::bytes;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Place;
use crate::core::secret::SecretText;
use crate::core::time::{Timestamp, days};
use crate::letter::outbox::Posting;
use crate::proof::Proofs;
use crate::proof::way::Way;
use crate::trail::audit::Event;

use super::budgets::Reach;
use super::{Aim, Operation, Token, binding};

/// A wish to send a token.
pub(crate) struct TokenIssue<'a> {
    pub(crate) operation: Operation,
    /// Who it is for: see [`Proofs::token_slot`].
    pub(crate) slot: Id<Token>,
    pub(crate) way: &'a Way,
    pub(crate) aim: Aim,
    /// What the budget of operation and address counts, if that is not the address.
    pub(crate) counted_as: &'a str,
    /// Language and anti-phishing code of the account, if there is one.
    pub(crate) language: &'a str,
    pub(crate) phrase: Option<&'a str>,
    /// Sends that the process has left for this address, and when the process ends. `None`: no limit.
    pub(crate) left: Option<(u32, Timestamp)>,
    /// What the owner of an address that is taken is told instead.
    pub(crate) instead: Option<Message>,
}

/// A token was issued, as far as anybody may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    pub life: Duration,
    pub resend_after: Duration,
}

impl TokenIssue<'_> {
    /// Refuses the send if the process has used up its sends.
    fn may_be_sent(&self) -> Result<(), Refusal> {
        match self.left {
            Some((0, until)) => Err(Refusal::Limited { until }),
            _ => Ok(()),
        }
    }

    /// Whether the code of this token can ever match: only if the message with it leaves.
    fn aim_at(&self, reach: Reach) -> Aim {
        match reach {
            Reach::Sends => self.aim,
            Reach::KeepsSilent => Aim::Decoy,
        }
    }

    /// The notice that leaves instead of the code, unless a limit keeps everything back.
    fn notice(&self, reach: Reach) -> Option<&Message> {
        self.instead.as_ref().filter(|_| reach == Reach::Sends)
    }
}

impl Proofs {
    /// Sends a token, or does the same work for a decoy. A refusal has changed nothing.
    pub(crate) fn issue_token(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        request: &TokenIssue<'_>,
    ) -> TxResult<Result<Sent, Refusal>> {
        if let Err(refusal) = request.may_be_sent() {
            return Ok(Err(refusal));
        }
        let reach = match self.spend_token_sends(tx, now, caller, request)? {
            Ok(reach) => reach,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let id = bytes(self.random.as_ref());
        let life = self.policy.tokens.life(request.way.kind);
        let binding = binding(&id, request.operation, &request.slot, request.way);
        let (code, text) = self.issue_code(now, life, &binding)?;
        let aim = request.aim_at(reach);
        let token = Token {
            id,
            operation: request.operation,
            way: request.way.clone(),
            code,
            aim,
            wrong: 0,
        };
        self.replace_token(tx, request.slot, token, now.plus(life).plus(days(1)))?;
        let message = self.code_message(caller, request, &text, life);
        let notice = request.notice(reach);
        let told = notice.map_or("sent", |notice| &notice.operation);
        let first = self.is_first_this_hour(tx, now, told, &request.way.norm)?;
        match aim {
            Aim::Real => self.post(tx, now, Posting::code(message, life, request.slot.row()))?,
            Aim::Decoy => {
                self.post_decoy(tx, now, &message, notice.filter(|_| first).cloned())?;
            }
        }
        let alias = request.slot.alias();
        let event = Event::new(caller.surface, now, "token.issue", alias)
            .by(caller)
            .fact("operation", request.operation.name())
            .fact("destination", request.way.masked());
        self.record(tx, event)?;
        Ok(Ok(Sent {
            life,
            resend_after: self.policy.tokens.pause,
        }))
    }

    /// Overwrites the token that lived in the slot. `due`: when a job removes this one.
    fn replace_token(
        &self,
        tx: &mut dyn Tx,
        slot: Id<Token>,
        token: Token,
        due: Timestamp,
    ) -> TxResult<()> {
        match self.rows.get(tx, slot)? {
            Some(mut old) => {
                old.value = token;
                old.place.due = Some(due);
                self.rows.put(tx, &mut old)
            }
            None => {
                let place = Place::at(slot).due(due);
                self.rows.create(tx, self.tenant(), place, token)?;
                Ok(())
            }
        }
    }

    /// The message that carries the code.
    fn code_message(
        &self,
        caller: &Caller,
        request: &TokenIssue<'_>,
        text: &SecretText,
        life: Duration,
    ) -> Message {
        Message {
            surface: caller.surface.to_owned(),
            channel: request.way.kind.channel(),
            to: request.way.given.clone(),
            kind: MessageKind::Code,
            operation: request.operation.name().to_owned(),
            language: request.language.to_owned(),
            code: Some(text.expose().to_owned()),
            link: None,
            anti_phishing_code: self.phrase_for(request.way.kind, request.phrase),
            facts: BTreeMap::from([("valid".to_owned(), format!("{}s", life.as_secs()))]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::Channel;
    use crate::core::port::store::RowId;

    fn request(way: &Way) -> TokenIssue<'_> {
        TokenIssue {
            operation: Operation::Registration,
            slot: Id::new(RowId([1; 16])),
            way,
            aim: Aim::Real,
            counted_as: &way.norm,
            language: "en",
            phrase: None,
            left: None,
            instead: None,
        }
    }

    fn notice() -> Message {
        Message {
            surface: "profile".to_owned(),
            channel: Channel::Email,
            to: "anna@example.com".to_owned(),
            kind: MessageKind::Notice,
            operation: "registration_attempt".to_owned(),
            language: "en".to_owned(),
            code: None,
            link: None,
            anti_phishing_code: None,
            facts: BTreeMap::new(),
        }
    }

    #[test]
    fn a_process_without_sends_left_sends_nothing_until_it_ends() {
        let way = Way::email("anna@example.com");
        let until = Timestamp::from_millis(5_000);
        let mut wish = request(&way);
        assert_eq!(wish.may_be_sent(), Ok(()));
        wish.left = Some((1, until));
        assert_eq!(wish.may_be_sent(), Ok(()));
        wish.left = Some((0, until));
        assert_eq!(wish.may_be_sent(), Err(Refusal::Limited { until }));
    }

    #[test]
    fn a_code_that_does_not_leave_never_matches() {
        let way = Way::email("anna@example.com");
        let mut wish = request(&way);
        assert_eq!(wish.aim_at(Reach::Sends), Aim::Real);
        assert_eq!(wish.aim_at(Reach::KeepsSilent), Aim::Decoy);
        wish.aim = Aim::Decoy;
        assert_eq!(wish.aim_at(Reach::Sends), Aim::Decoy);
        assert_eq!(wish.aim_at(Reach::KeepsSilent), Aim::Decoy);
    }

    #[test]
    fn a_full_silent_budget_keeps_the_notice_back_too() {
        let way = Way::email("anna@example.com");
        let mut wish = request(&way);
        assert_eq!(wish.notice(Reach::Sends), None);
        wish.instead = Some(notice());
        assert_eq!(wish.notice(Reach::Sends), Some(&notice()));
        assert_eq!(wish.notice(Reach::KeepsSilent), None);
    }
}
