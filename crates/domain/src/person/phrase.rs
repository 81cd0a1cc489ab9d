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
