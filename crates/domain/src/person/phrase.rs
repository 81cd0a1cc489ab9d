//! The anti-phishing code: a word of the owner's in every e-mail, so that he knows it is from here.

use std::sync::Arc;

use crate::core::caller::Caller;
use crate::core::error::{Condition, Error, Refusal};
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::person::People;
use crate::proof::session::SignedIn;
use crate::proof::token::{Operation, Sent};

use super::{Way, WayKind};
use crate::proof::account::Account;
use crate::proof::notice::Change;

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

    fn phrase_way(&self, now: Timestamp, operation: Operation) -> Result<Way, Refusal> {
        if operation == Operation::ChangePhrase {
            self.unrestricted(now)?;
        }
        self.way(WayKind::Email)
            .map_err(|_| Refusal::Unmet(Condition::HasEmail))
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
            own.is_fresh()?;
            let operation = match wish {
                PhraseWish::Add => Operation::AddPhrase,
                PhraseWish::Change => Operation::ChangePhrase,
                PhraseWish::Either => own.account.phrase_operation(),
            };
            let way = own.account.phrase_way(own.now, operation)?;
            match (operation, &own.account.phrase) {
                (Operation::AddPhrase, Some(_)) => {
                    return Ok(Err(Refusal::Unmet(Condition::PhraseUnset)));
                }
                (Operation::ChangePhrase, None) => {
                    return Ok(Err(Refusal::Unmet(Condition::PhraseSet)));
                }
                _ => {}
            }
            Ok(Ok(own.issue(operation, &way)?))
        })
        .await
    }

    /// Sets the code: the first one, or another.
    pub async fn set_phrase(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        phrase: String,
        text: SecretText,
    ) -> Result<(), Error> {
        self.as_owner(caller, who, move |own| {
            let operation = own.account.phrase_operation();
            let way = own.account.phrase_way(own.now, operation)?;
            let slot = own.slot(operation, &[]);
            if let Err(refusal) = own.prove(operation, slot, Some(&way), &text)? {
                return Ok(Err(refusal));
            }
            // The letter still shows the old code: the owner must believe it.
            if operation == Operation::ChangePhrase {
                own.changed("anti_phishing_changed", &Change::default())?;
            }
            own.account.phrase = Some(phrase.clone());
            own.save()?;
            Ok(Ok(()))
        })
        .await
    }
}
