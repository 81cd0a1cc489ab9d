//! The anti-phishing code: a word of the owner's in every e-mail, so that he knows it is from here.

use std::sync::Arc;

use crate::error::{Condition, Error, Refusal};
use crate::keeper::{Caller, Keeper};
use crate::secret::SecretText;
use crate::session::SignedIn;
use crate::time::Timestamp;
use crate::token::{Operation, Sent};

use super::account::Account;
use super::notice::Change;
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

    fn phrase_way(&self, now: Timestamp, operation: Operation) -> Result<Way, Refusal> {
        if operation == Operation::ChangePhrase {
            self.unrestricted(now)?;
        }
        self.way(WayKind::Email)
            .map_err(|_| Refusal::Unmet(Condition::HasEmail))
    }
}

impl Keeper {
    /// Sends a code to the e-mail address.
    pub async fn send_phrase_token(
        self: &Arc<Self>,
        caller: Caller,
        who: SignedIn,
        wish: PhraseWish,
    ) -> Result<Sent, Error> {
        let now = self.now();
        self.decided(now, move |keeper, tx| {
            let account = keeper.own_account(tx, &who)?;
            keeper.is_fresh(now, &who)?;
            let operation = match wish {
                PhraseWish::Add => Operation::AddPhrase,
                PhraseWish::Change => Operation::ChangePhrase,
                PhraseWish::Either => account.phrase_operation(),
            };
            let way = account.phrase_way(now, operation)?;
            match (operation, &account.phrase) {
                (Operation::AddPhrase, Some(_)) => {
                    return Ok(Err(Refusal::Unmet(Condition::PhraseUnset)));
                }
                (Operation::ChangePhrase, None) => {
                    return Ok(Err(Refusal::Unmet(Condition::PhraseSet)));
                }
                _ => {}
            }
            Ok(Ok(keeper.issue_own(
                tx, now, &caller, &who, &account, operation, &way,
            )?))
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
        let now = self.now();
        self.decided(now, move |keeper, tx| {
            let mut account = keeper.own_account(tx, &who)?;
            let operation = account.phrase_operation();
            let way = account.phrase_way(now, operation)?;
            let slot = keeper.own_slot(operation, &who, &[]);
            let judged =
                keeper.prove_own(tx, now, &caller, &who, operation, slot, Some(&way), &text)?;
            if let Err(refusal) = judged {
                return Ok(Err(refusal));
            }
            // The letter still shows the old code: the owner must believe it.
            if operation == Operation::ChangePhrase {
                keeper.changed(
                    tx,
                    now,
                    &caller,
                    &account,
                    "anti_phishing_changed",
                    &Change::default(),
                )?;
            }
            account.phrase = Some(phrase.clone());
            keeper.rows.put(tx, &mut account)?;
            Ok(Ok(()))
        })
        .await
    }
}
