//! The anti-phishing code: a word of the owner's in every e-mail, which shows that the e-mail is from this server.

use std::sync::Arc;

use crate::core::caller::Caller;
use crate::core::error::{Condition, Error, Refusal};
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::person::People;
use crate::proof::account::Account;
use crate::proof::notice::Change;
use crate::proof::session::SignedIn;
use crate::proof::token::{Operation, Sent};

use super::{Way, WayKind};

/// What a code is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhraseWish {
    Add,
    Change,
    /// Whichever fits the account.
    Either,
}

impl Account {
    /// The operation that fits the account.
    fn phrase_operation(&self) -> Operation {
        match self.phrase {
            Some(_) => Operation::ChangePhrase,
            None => Operation::AddPhrase,
        }
    }

    /// Where the code for `operation` goes. Only a change waits for the end of a cool-down.
    fn phrase_way(&self, now: Timestamp, operation: Operation) -> Result<Way, Refusal> {
        if operation == Operation::ChangePhrase {
            self.unrestricted(now)?;
        }
        self.way(WayKind::Email)
            .map_err(|_| Refusal::Unmet(Condition::HasEmail))
    }

    /// The code that may be sent: what it is for, and where it goes.
    fn may_send_phrase_code(
        &self,
        now: Timestamp,
        wish: PhraseWish,
    ) -> Result<(Operation, Way), Refusal> {
        let operation = match wish {
            PhraseWish::Add => Operation::AddPhrase,
            PhraseWish::Change => Operation::ChangePhrase,
            PhraseWish::Either => self.phrase_operation(),
        };
        let way = self.phrase_way(now, operation)?;
        match (operation, &self.phrase) {
            (Operation::AddPhrase, Some(_)) => Err(Refusal::Unmet(Condition::PhraseUnset)),
            (Operation::ChangePhrase, None) => Err(Refusal::Unmet(Condition::PhraseSet)),
            _ => Ok((operation, way)),
        }
    }
}

impl People {
    /// Sends a code to the e-mail address.
    pub async fn send_phrase_token(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        wish: PhraseWish,
    ) -> Result<Sent, Error> {
        self.as_owner(caller, who, move |own| {
            allowed!(own.is_fresh());
            let (operation, way) = allowed!(own.account.may_send_phrase_code(own.now, wish));
            Ok(own.issue(operation, &way)?.into())
        })
        .await
    }

    /// Sets the anti-phishing code: the first one, or another.
    pub async fn set_phrase(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        phrase: String,
        text: SecretText,
    ) -> Result<(), Error> {
        self.as_owner(caller, who, move |own| {
            let operation = own.account.phrase_operation();
            let way = allowed!(own.account.phrase_way(own.now, operation));
            let slot = own.slot(operation, &[]);
            allowed!(own.prove(operation, slot, Some(&way), &text)?);
            // The message still shows the old code, so that the owner believes it.
            if operation == Operation::ChangePhrase {
                own.changed(&Change::new("anti_phishing_changed"))?;
            }
            own.account.phrase = Some(phrase.clone());
            own.save()?;
            Ok(Verdict::Done(()))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::proof::account::tests::{EMAIL, anna, anna_with_phone, at};

    /// Anna with an anti-phishing code, or without.
    fn account(phrase: Option<&str>) -> Account {
        Account {
            phrase: phrase.map(str::to_owned),
            ..anna()
        }
    }

    fn sent(account: &Account, wish: PhraseWish) -> Result<Operation, Refusal> {
        let (operation, way) = account.may_send_phrase_code(at(0), wish)?;
        assert_eq!(way, Way::email(EMAIL));
        Ok(operation)
    }

    #[test]
    fn a_wish_must_fit_the_account() {
        let (without, with) = (account(None), account(Some("blue")));
        let unset = Err(Refusal::Unmet(Condition::PhraseSet));
        let set = Err(Refusal::Unmet(Condition::PhraseUnset));
        for (account, wish, expected) in [
            (&without, PhraseWish::Add, Ok(Operation::AddPhrase)),
            (&without, PhraseWish::Change, unset),
            (&without, PhraseWish::Either, Ok(Operation::AddPhrase)),
            (&with, PhraseWish::Add, set),
            (&with, PhraseWish::Change, Ok(Operation::ChangePhrase)),
            (&with, PhraseWish::Either, Ok(Operation::ChangePhrase)),
        ] {
            assert_eq!(sent(account, wish), expected, "{wish:?}");
        }
    }

    #[test]
    fn only_a_change_waits_for_a_cool_down() {
        let (mut without, mut with) = (account(None), account(Some("blue")));
        for account in [&mut without, &mut with] {
            account.restrict(at(0), Duration::from_secs(60));
        }
        let until = at(60);
        let cooling = Err(Refusal::Unmet(Condition::CooledDown { until }));
        assert_eq!(sent(&without, PhraseWish::Add), Ok(Operation::AddPhrase));
        assert_eq!(sent(&with, PhraseWish::Change), cooling);
        assert_eq!(
            sent(&without, PhraseWish::Change),
            cooling,
            "before it is told that there is none"
        );
    }

    #[test]
    fn without_an_email_address_there_is_no_phrase() {
        let mut account = anna_with_phone();
        account.email = None;
        assert_eq!(
            sent(&account, PhraseWish::Either),
            Err(Refusal::Unmet(Condition::HasEmail))
        );
    }
}
