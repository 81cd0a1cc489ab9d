//! Who is told of what happens to a wallet: its owner at every known address, and a program of the operator of every
//! recovery of keyshares.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::id::{Id, NamesRow};
use crate::core::message::{Channel, Message, MessageKind};
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::letter::outbox::Posting;
use crate::proof::account::Account;
use crate::proof::federated::OWN_ISSUER;
use crate::proof::notice::Change;
use crate::wallet::Wallets;
use crate::wallet::user::WalletUser;

/// The recipient of all notices for the operator. There is one, so they are sent in their order.
const OPERATOR: &str = "operator";

/// A recovery of keyshares, as its audit event and the operator's notice describe it.
#[derive(Debug)]
pub(super) struct ShareRecovery {
    pub(super) caller: Caller,
    pub(super) user: Id<WalletUser>,
    /// How many keys were asked for.
    pub(super) keys: usize,
}

/// The notice to an owner about `operation`, to one address.
fn owner_message(caller: &Caller, now: Timestamp, operation: &str, email: &str) -> Message {
    Message {
        surface: caller.surface.to_owned(),
        channel: Channel::Email,
        to: email.to_owned(),
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
    }
}

impl ShareRecovery {
    /// The notice to the operator's program.
    fn message(&self, now: Timestamp, user: &WalletUser, outcome: &str) -> Message {
        let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Message {
            surface: self.caller.surface.to_owned(),
            channel: Channel::Operator,
            to: OPERATOR.to_owned(),
            kind: MessageKind::Notice,
            operation: "share.recover".to_owned(),
            language: self.caller.language.clone(),
            code: None,
            link: None,
            anti_phishing_code: None,
            facts: BTreeMap::from([
                fact("at", &now.rfc3339()),
                fact("issuer", &user.issuer),
                fact("subject", &user.subject),
                fact("outcome", outcome),
                fact("keys", &self.keys.to_string()),
                fact("network", &self.caller.network),
            ]),
        }
    }
}

impl Wallets {
    /// Tells the owner what happened, at every address that an issuer has verified, or that the owner's account here
    /// has. Without an address there is no notice.
    pub(super) fn tell_holder(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        user: impl NamesRow<WalletUser>,
        operation: &'static str,
    ) -> TxResult<()> {
        let user = self.told_user(tx, user)?;
        if user.issuer == OWN_ISSUER {
            return self.tell_account(tx, now, caller, &user.subject, operation);
        }
        for email in user.fresh_addresses(now, self.policy.address_memory) {
            let message = owner_message(caller, now, operation, email);
            self.post(tx, now, Posting::notice(message))?;
        }
        Ok(())
    }

    /// The record of a user whom this transaction holds.
    fn told_user(
        &self,
        tx: &mut dyn Tx,
        user: impl NamesRow<WalletUser>,
    ) -> TxResult<Stored<WalletUser>> {
        let user = self.hold_user(tx, user)?;
        user.ok_or_else(|| Error::bug("somebody is told who is not held").into())
    }

    /// Tells the owner of an account of this server, at every address of the account.
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
        let account = self.rows.peek::<Account>(tx, self.account_row(person))?;
        match account {
            Some(account) => self.tell(tx, now, caller, &account, &Change::new(operation)),
            None => Ok(()),
        }
    }

    /// Tells the operator's program of a recovery, where the operator wants that.
    pub(super) fn tell_operator(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        recovery: &ShareRecovery,
        outcome: &str,
    ) -> TxResult<()> {
        if !self.policy.tell_operator {
            return Ok(());
        }
        let user = self.told_user(tx, recovery.user)?;
        let message = recovery.message(now, &user, outcome);
        self.post(tx, now, Posting::notice(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::port::store::RowId;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + second * 1000)
    }

    fn caller() -> Caller {
        Caller {
            surface: "test",
            network: "192.0.2.0/24".to_owned(),
            language: "de".to_owned(),
        }
    }

    #[test]
    fn an_owner_is_told_what_happened_when_and_from_which_network() {
        let message = owner_message(&caller(), at(0), "device_added", "a@example.com");
        assert_eq!(message.channel, Channel::Email);
        assert_eq!(message.to, "a@example.com");
        assert_eq!(message.kind, MessageKind::Notice);
        assert_eq!(
            (message.operation.as_str(), message.language.as_str()),
            ("device_added", "de")
        );
        assert_eq!(message.facts["at"], at(0).rfc3339());
        assert_eq!(message.facts["network"], "192.0.2.0/24");
        assert_eq!((message.code, message.link), (None, None));
    }

    #[test]
    fn the_operator_is_told_who_recovered_how_many_keys_and_whether_that_was_allowed() {
        let recovery = ShareRecovery {
            caller: caller(),
            user: Id::new(RowId([1; 16])),
            keys: 2,
        };
        let user = WalletUser {
            issuer: "https://idp.example".to_owned(),
            subject: "anna".to_owned(),
            created: at(0),
            addresses: Vec::new(),
        };
        let message = recovery.message(at(5), &user, "refused");
        assert_eq!(message.channel, Channel::Operator);
        assert_eq!(message.to, OPERATOR);
        let facts: Vec<(&str, &str)> = message
            .facts
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let moment = at(5).rfc3339();
        let expected = [
            ("at", moment.as_str()),
            ("issuer", "https://idp.example"),
            ("keys", "2"),
            ("network", "192.0.2.0/24"),
            ("outcome", "refused"),
            ("subject", "anna"),
        ];
        assert_eq!(facts, expected);
    }
}
