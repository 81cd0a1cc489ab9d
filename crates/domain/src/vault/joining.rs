//! Joining: an account begins with a confirmed address.
//!
//! 1. [`Vaults::register`] stores an [application](super::application) and sends a link. If the name is taken, its
//!    owner is told that somebody tried. The answer is the same for every address.
//! 2. [`Vaults::pending_application`]: the page behind the link shows who applied, when and from where. Opening it
//!    changes nothing.
//! 3. [`Vaults::confirm_application`] creates the account.
//!
//! Anybody may apply with the address of somebody else and a password of their own, and the owner of the address could
//! confirm the wrong application. So when applications with different credentials meet, all of them are removed.

use std::sync::Arc;

use super::account::{VaultAccount, VaultLogin};
use super::application::VaultApplication;
use super::owner_message::{MessageTemplate, OwnLimit, OwnerMessage, shown};
use super::profile::Profile;
use super::{LoginName, Vaults};
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::letter::Decides as _;
use crate::letter::outbox::Posting;
use crate::limit::rate::Rate;
use crate::trail::audit::Event;

/// The messages of a registration.
#[derive(Debug, Clone, Copy)]
pub struct RegistrationMessages {
    /// With the link that confirms the address.
    pub confirm: MessageTemplate,
    /// To the owner of a name that somebody tried to register.
    pub taken: MessageTemplate,
}

/// What a registration leads to. Callers see no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Applied,
    /// The address had its messages for today.
    Limited,
    /// The name has an account already.
    Taken,
}

impl Outcome {
    const fn action(self) -> &'static str {
        match self {
            Self::Applied => "account.apply",
            Self::Limited => "account.apply_limited",
            Self::Taken => "account.apply_taken",
        }
    }
}

/// What a message tells about the call that caused it, for which there may be a link until `expires`.
fn facts(
    now: Timestamp,
    caller: &Caller,
    expires: Option<Timestamp>,
) -> super::owner_message::Facts {
    let mut facts = vec![("at", now.rfc3339()), ("network", shown(&caller.network))];
    facts.extend(expires.map(|expires| ("until", expires.rfc3339())));
    facts
}

/// One registration while it is handled.
struct VaultRegistration<'a> {
    now: Timestamp,
    caller: &'a Caller,
    name: &'a LoginName,
    login: Id<VaultLogin>,
    messages: &'a RegistrationMessages,
}

impl Vaults {
    /// Step 1. Without confirmation of addresses the account exists at once.
    ///
    /// # Errors
    /// `Conflict` if the name is taken, without confirmation only.
    pub async fn register(
        self: &Arc<Self>,
        caller: Caller,
        name: LoginName,
        profile: Profile,
        messages: &'static RegistrationMessages,
    ) -> Result<(), Error> {
        let now = self.now();
        if !self.policy.confirm_addresses {
            return self.join_at_once(caller, now, name, profile).await;
        }
        self.decide(now, move |hub, tx| {
            let registration = VaultRegistration {
                now,
                caller: &caller,
                name: &name,
                login: hub.login_of(&name),
                messages,
            };
            let outcome = match hub.find_account(tx, &name)? {
                Some(id) => hub.warn_owner(tx, &registration, id)?,
                None => hub.apply(tx, &registration, profile.clone())?,
            };
            let subject = registration.login.alias();
            let event = Event::new(caller.surface, now, outcome.action(), subject);
            hub.record(tx, event.by(&caller))?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    async fn join_at_once(
        self: &Arc<Self>,
        caller: Caller,
        now: Timestamp,
        name: LoginName,
        profile: Profile,
    ) -> Result<(), Error> {
        let joined = self.write(move |hub, tx| {
            let joined = hub.create_account(tx, now, &caller.language, &name, profile.clone())?;
            if let Ok(id) = &joined {
                let event = Event::new(caller.surface, now, "account.create", id.alias());
                hub.record(tx, event.by(&caller))?;
            }
            Ok(Verdict::from(joined.map(|_| ())))
        });
        joined.await?.answer()
    }

    /// Stores the application and sends its link, unless the address had its messages for today.
    fn apply(
        &self,
        tx: &mut dyn Tx,
        registration: &VaultRegistration<'_>,
        profile: Profile,
    ) -> TxResult<Outcome> {
        let VaultRegistration { now, caller, .. } = *registration;
        let rate = self.policy.confirmations_per_address;
        let own = self.own_limit("confirmations", registration.login, rate);
        if !self.spend_messages(tx, now, caller, Some(own))? {
            return Ok(Outcome::Limited);
        }
        let token = self.fresh_bearer::<32>();
        let expires = now.plus(self.policy.confirm_life);
        let place = Place::at(self.bearer::<VaultApplication>(&token)).of(registration.login);
        let place = place.ranked(now.millis()).due(expires);
        let application = VaultApplication::new(registration.name, profile, caller, (now, expires));
        self.rows.create(tx, self.tenant(), place, application)?;
        let template = &registration.messages.confirm;
        let message = OwnerMessage {
            template,
            link: Some(self.page_link(template, &token)),
            facts: facts(now, caller, Some(expires)),
        };
        let address = registration.name.as_str();
        let message = message.for_address(address, &caller.language, caller.surface);
        let posting = Posting {
            life: Some(self.policy.confirm_life),
            ..Posting::notice(message)
        };
        self.post(tx, now, posting)?;
        Ok(Outcome::Applied)
    }

    /// Tells the owner of a taken name that somebody tried to register it.
    fn warn_owner(
        &self,
        tx: &mut dyn Tx,
        registration: &VaultRegistration<'_>,
        id: Id<VaultAccount>,
    ) -> TxResult<Outcome> {
        let VaultRegistration { now, caller, .. } = *registration;
        let own = self.own_limit("warnings", id, self.policy.warnings_per_address);
        if let Some(account) = self.rows.peek(tx, id)?
            && self.spend_messages(tx, now, caller, Some(own))?
        {
            let message = OwnerMessage {
                template: &registration.messages.taken,
                link: None,
                facts: facts(now, caller, None),
            };
            self.post_to_owner(tx, now, caller.surface, &account, message)?;
        }
        Ok(Outcome::Taken)
    }

    /// The limit of `what` for one address or account.
    fn own_limit(&self, what: &str, subject: impl Into<RowId>, rate: Rate) -> OwnLimit {
        let subject = hex::encode(subject.into().0);
        OwnLimit {
            row: self.rate_row(what, &subject),
            rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::NOW;
    use super::*;
    use crate::core::time::hours;

    fn caller() -> Caller {
        Caller {
            surface: "test",
            network: "192.0.2.1/32".to_owned(),
            language: "en".to_owned(),
        }
    }

    #[test]
    fn the_audit_trail_tells_the_outcomes_apart_that_callers_cannot() {
        assert_eq!(Outcome::Applied.action(), "account.apply");
        assert_eq!(Outcome::Limited.action(), "account.apply_limited");
        assert_eq!(Outcome::Taken.action(), "account.apply_taken");
    }

    #[test]
    fn a_message_with_a_link_tells_how_long_it_works() {
        let expires = NOW.plus(hours(1));
        let told = facts(NOW, &caller(), Some(expires));
        assert_eq!(
            told,
            [
                ("at", NOW.rfc3339()),
                ("network", "192.0.2.1".to_owned()),
                ("until", expires.rfc3339())
            ]
        );
    }

    #[test]
    fn a_message_without_a_link_tells_only_when_and_from_where() {
        let told = facts(NOW, &caller(), None);
        let names: Vec<&str> = told.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["at", "network"]);
    }
}
