//! Who hears of what happens to a wallet: its owner over every address that is known, and a program of the
//! operator's of every recovery.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::core::caller::Caller;
use crate::core::message::{Channel, Message, MessageKind};
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::time::Timestamp;
use crate::letter::outbox::Posting;
use crate::proof::account::Account;
use crate::proof::federated::OWN_ISSUER;
use crate::proof::notice::Change;
use crate::wallet::Wallets;

/// The one recipient of news for the operator: they leave in their order.
const OPERATOR: &str = "operator";

impl Wallets {
    /// Tells the owner what happened, over every address that an issuer verified, or that its account here
    /// has. No address, no letter: nothing else of a token is kept.
    pub(crate) fn tell_holder(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        user: RowId,
        operation: &'static str,
    ) -> TxResult<()> {
        let user = self.hold_user(tx, user)?;
        if user.issuer == OWN_ISSUER {
            return self.tell_account(tx, now, caller, &user.subject, operation);
        }
        let memory = self.policy.address_memory;
        let live = user.addresses.iter();
        for address in live.filter(|address| now < address.seen.plus(memory)) {
            let message = Message {
                surface: caller.surface.to_owned(),
                channel: Channel::Email,
                to: address.email.clone(),
                kind: MessageKind::Notice,
                operation: operation.to_owned(),
                language: caller.language.clone(),
                code: None,
                link: None,
                anti_phishing_code: None,
                facts: BTreeMap::from([
                    ("at".to_owned(), now.rfc3339()),
                    ("network".to_owned(), caller.network.clone()),
                ]),
            };
            self.post(tx, now, Posting::notice(message))?;
        }
        Ok(())
    }

    /// Tells the owner of an account of this server, over every address of the account.
    fn tell_account(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        subject: &str,
        operation: &'static str,
    ) -> TxResult<()> {
        let Ok(person) = Uuid::parse_str(subject) else {
            return Ok(());
        };
        let account = self.rows.peek::<Account>(tx, &self.account_row(person))?;
        match account {
            Some(account) => self.tell(tx, now, caller, &account, &Change::new(operation)),
            None => Ok(()),
        }
    }

    /// Tells the operator's program of a recovery, if there is one to tell.
    pub(crate) fn tell_operator(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        (caller, user, count): (&Caller, RowId, usize),
        outcome: &str,
    ) -> TxResult<()> {
        if !self.policy.tell_operator {
            return Ok(());
        }
        let user = self.hold_user(tx, user)?;
        let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let message = Message {
            surface: caller.surface.to_owned(),
            channel: Channel::Operator,
            to: OPERATOR.to_owned(),
            kind: MessageKind::Notice,
            operation: "share.recover".to_owned(),
            language: caller.language.clone(),
            code: None,
            link: None,
            anti_phishing_code: None,
            facts: BTreeMap::from([
                fact("at", &now.rfc3339()),
                fact("issuer", &user.issuer),
                fact("subject", &user.subject),
                fact("outcome", outcome),
                fact("keys", &count.to_string()),
                fact("network", &caller.network),
            ]),
        };
        self.post(tx, now, Posting::notice(message))
    }
}
