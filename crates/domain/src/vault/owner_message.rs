//! Messages to the owners of accounts, and the budgets that all messages of this room are paid from.

use super::Vaults;
use super::account::VaultAccount;
use super::entry::Entry;
use crate::core::caller::Caller;
use crate::core::id::Id;
use crate::core::message::{Channel, Message, MessageKind};
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::letter::outbox::Posting;
use crate::limit::rate::Rate;

/// What a message is about, as its surface calls it, and the page that its link opens.
#[derive(Debug, Clone, Copy)]
pub struct MessageTemplate {
    pub operation: &'static str,
    /// The path of the page, with a slash at both ends; the token follows. Empty for a message without a link.
    pub page: &'static str,
}

/// Values for the template of a message.
pub(super) type Facts = Vec<(&'static str, String)>;

/// A message to the owner of an account.
pub(super) struct OwnerMessage<'a> {
    pub(super) template: &'a MessageTemplate,
    pub(super) link: Option<String>,
    pub(super) facts: Facts,
}

impl OwnerMessage<'_> {
    /// The message as it waits in the outbox, in the owner's language and with their anti-phishing code.
    fn to(self, account: &VaultAccount, surface: &str) -> Message {
        Message {
            anti_phishing_code: account.anti_phishing_code.clone(),
            ..self.for_address(&account.name, &account.language, surface)
        }
    }

    /// The message to an address that belongs to no account yet.
    pub(super) fn for_address(self, address: &str, language: &str, surface: &str) -> Message {
        let facts = self.facts.into_iter();
        Message {
            surface: surface.to_owned(),
            channel: Channel::Email,
            to: address.to_owned(),
            kind: MessageKind::Notice,
            operation: self.template.operation.to_owned(),
            language: language.to_owned(),
            code: None,
            link: self.link,
            anti_phishing_code: None,
            facts: facts
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }
}

/// How a message shows the network of a caller: an IPv4 address without its mask.
pub(super) fn shown(network: &str) -> String {
    network.trim_end_matches("/32").to_owned()
}

/// A limit that one message takes from, beside those that all messages share.
#[derive(Clone, Copy)]
pub(super) struct OwnLimit {
    pub(super) row: RowId,
    pub(super) rate: Rate,
}

impl Vaults {
    /// Queues a message to the owner of `account`.
    pub(super) fn post_to_owner(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        surface: &str,
        account: &VaultAccount,
        message: OwnerMessage<'_>,
    ) -> TxResult<()> {
        let message = message.to(account, surface);
        self.post(tx, now, Posting::notice(message))
    }

    /// The address of the page that the link in a message opens.
    pub(super) fn page_link(&self, template: &MessageTemplate, token: &str) -> String {
        format!("{}{}{token}", self.policy.base_url, template.page)
    }

    /// Takes one message from its own limit and from those that all surfaces share: of the network, and of the day.
    /// Takes none and returns `false` if one of them has none left.
    pub(super) fn spend_messages(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        own: Option<OwnLimit>,
    ) -> TxResult<bool> {
        let limits = &self.shared;
        let network = self.network_rates("messages for network", caller, limits.network_messages);
        let in_all = (self.rate_row("messages", ""), [limits.day_messages]);
        let own = own.into_iter().map(|own| (own.row, [own.rate]));
        let limits: Vec<(RowId, [Rate; 1])> = own.chain(network).chain([in_all]).collect();
        let wanted: Vec<(RowId, &[Rate])> = limits
            .iter()
            .map(|(row, rates)| (*row, rates.as_slice()))
            .collect();
        Ok(self.spend_rates(tx, now, &wanted)?.is_ok())
    }

    /// The account that owns `entry`. Holds nothing.
    pub(super) fn owner_of(
        &self,
        tx: &mut dyn Tx,
        entry: &Stored<Entry>,
    ) -> TxResult<Option<Stored<VaultAccount>>> {
        match entry.place.owner {
            Some(owner) => self.rows.peek(tx, Id::new(owner)),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::{NOW, account};
    use super::*;

    const TEMPLATE: MessageTemplate = MessageTemplate {
        operation: "USED",
        page: "/page/",
    };

    fn message(link: Option<&str>) -> OwnerMessage<'static> {
        OwnerMessage {
            template: &TEMPLATE,
            link: link.map(str::to_owned),
            facts: vec![("at", NOW.rfc3339()), ("slot", "7".to_owned())],
        }
    }

    #[test]
    fn an_owner_gets_a_notice_in_their_own_language_with_their_code() {
        let mut account = account("Ann@example.org");
        account.language = "de".to_owned();
        account.anti_phishing_code = Some("blue whale".to_owned());
        let message = message(Some("https://here/page/1")).to(&account, "test");
        assert_eq!(
            (message.channel, message.kind),
            (Channel::Email, MessageKind::Notice)
        );
        assert_eq!(
            (message.to.as_str(), message.language.as_str()),
            ("Ann@example.org", "de")
        );
        assert_eq!(
            (message.surface.as_str(), message.operation.as_str()),
            ("test", "USED")
        );
        assert_eq!(message.link.as_deref(), Some("https://here/page/1"));
        assert_eq!(message.anti_phishing_code.as_deref(), Some("blue whale"));
        assert_eq!(message.code, None);
        assert_eq!(message.facts["slot"], "7");
        assert_eq!(message.facts.len(), 2);
    }

    #[test]
    fn an_address_without_an_account_gets_no_anti_phishing_code() {
        let message = message(None).for_address("new@example.org", "en", "test");
        assert_eq!((message.anti_phishing_code, message.link), (None, None));
        assert_eq!(
            (message.to.as_str(), message.language.as_str()),
            ("new@example.org", "en")
        );
    }

    #[test]
    fn only_the_mask_of_a_single_address_is_hidden() {
        assert_eq!(shown("192.0.2.1/32"), "192.0.2.1");
        assert_eq!(shown("2001:db8::/64"), "2001:db8::/64");
        assert_eq!(shown("192.0.2.0/24"), "192.0.2.0/24");
        assert_eq!(shown(""), "");
    }
}
