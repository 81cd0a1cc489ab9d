//! Joining: an account begins with a confirmed address.
//!
//! 1. [`Vaults::register`] keeps an application and sends a link; a taken name hears that somebody tried.
//!    The answer is the same for every address.
//! 2. The page behind the link shows when and from where was applied. Showing it changes nothing.
//! 3. [`Vaults::confirm_application`] makes the account.
//!
//! Anybody may apply with somebody else's address and his own password, and the owner could press the
//! wrong button. So when applications with different credentials meet, all of them are dropped.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::{Credential, Profile, VaultAccount, VaultLogin, shown};
use super::document::Document;
use super::{LoginName, MessageTemplate};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::message::{Channel, Message, MessageKind};
use crate::core::port::store::Kind;
use crate::core::port::store::{Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::letter::outbox::Posting;
use crate::limit::rate::Rate;
use crate::proof::bearer::has_form;
use crate::trail::audit::Event;
use crate::vault::Vaults;

const TOKEN_DIGITS: usize = 64;

/// The record of an application, found by the keyed hash of its token; its owner is the name's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VaultApplication {
    pub(super) name: String,
    pub(super) document: Document,
    pub(super) credential: Credential,
    pub(super) language: String,
    pub(super) network: String,
    pub(super) created: Timestamp,
    pub(super) expires: Timestamp,
}

impl Record for VaultApplication {
    const KIND: Kind = "vault_application";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub name: String,
    pub language: String,
    pub network: String,
    pub at: Timestamp,
}

/// What became of a confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmed {
    Joined(Applied),
    /// Several people applied for the address: nobody gets it this time.
    Contested(Applied),
}

/// The letters of joining.
#[derive(Debug, Clone, Copy)]
pub struct RegistrationMessages {
    pub confirm: MessageTemplate,
    pub taken: MessageTemplate,
}

impl Vaults {
    /// Step 1. Without confirmation the account exists at once, and a taken name is refused.
    pub async fn register(
        self: &Arc<Self>,
        caller: Caller,
        name: LoginName,
        profile: Profile,
        letters: &'static RegistrationMessages,
    ) -> Result<(), Error> {
        let now = self.now();
        if !self.policy.confirm_addresses {
            return self.join_at_once(caller, now, name, profile).await;
        }
        self.write(move |hub, tx| {
            let row = hub.login_row(&name);
            let action = match hub.find_account(tx, &name)? {
                Some(id) => hub.warn_owner(tx, now, &caller, id, letters)?,
                None => hub.apply(tx, now, &caller, (&name, row), profile.clone(), letters)?,
            };
            hub.record(
                tx,
                Event::new(caller.surface, now, action, row.alias()).by(&caller),
            )
        })
        .await?;
        self.posted(now).await;
        Ok(())
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
            Ok(joined.map(|_| ()))
        });
        joined.await?.map_err(Error::Refused)
    }

    /// Keeps the application and posts its link, unless the address had enough letters today.
    fn apply(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        (name, row): (&LoginName, RowId),
        profile: Profile,
        letters: &RegistrationMessages,
    ) -> TxResult<&'static str> {
        if !self.spend_letters(
            tx,
            now,
            caller,
            "confirmations",
            row,
            self.policy.confirmations_per_address,
        )? {
            return Ok("account.apply_limited");
        }
        let token = self.fresh_bearer::<32>();
        let expires = now.plus(self.policy.confirm_life);
        let place = Place::at(self.bearer_row(VaultApplication::KIND, &token)).of(row);
        let place = place.ranked(now.millis()).due(expires);
        let application = VaultApplication {
            name: name.as_str().to_owned(),
            document: profile.document,
            credential: profile.credential,
            language: caller.language.clone(),
            network: shown(&caller.network),
            created: now,
            expires,
        };
        self.rows.create(tx, self.tenant(), place, application)?;
        let message = Message {
            surface: caller.surface.to_owned(),
            channel: Channel::Email,
            to: name.as_str().to_owned(),
            kind: MessageKind::Notice,
            operation: letters.confirm.operation.to_owned(),
            language: caller.language.clone(),
            code: None,
            link: Some(self.page_link(&letters.confirm, &token)),
            anti_phishing_code: None,
            facts: [
                ("at", now.rfc3339()),
                ("network", shown(&caller.network)),
                ("until", expires.rfc3339()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        };
        self.post(
            tx,
            now,
            Posting {
                life: Some(self.policy.confirm_life),
                ..Posting::notice(message)
            },
        )?;
        Ok("account.apply")
    }

    /// Tells the owner of a taken name that somebody tried to register it.
    fn warn_owner(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        id: RowId,
        letters: &RegistrationMessages,
    ) -> TxResult<&'static str> {
        let warnings = self.policy.warnings_per_address;
        if let Some(account) = self.rows.peek::<VaultAccount>(tx, &id)?
            && self.spend_letters(tx, now, caller, "warnings", id, warnings)?
        {
            let facts = vec![("at", now.rfc3339()), ("network", shown(&caller.network))];
            self.post_to_owner(
                tx,
                now,
                caller.surface,
                &account,
                (&letters.taken, None),
                facts,
            )?;
        }
        Ok("account.apply_taken")
    }

    /// Takes one letter of every budget; whether all had one.
    fn spend_letters(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        what: &str,
        subject: RowId,
        rate: Rate,
    ) -> TxResult<bool> {
        let own = [rate];
        let limits = &self.shared;
        let (network, day) = ([limits.network_messages], [limits.day_messages]);
        let wanted: [(RowId, &[Rate]); 3] = [
            (self.rate_row(what, &hex::encode(subject.0)), &own),
            (
                self.rate_row("messages for network", &caller.network),
                &network,
            ),
            (self.rate_row("messages", ""), &day),
        ];
        Ok(self.spend_rates(tx, now, &wanted)?.is_ok())
    }

    /// Step 2.
    pub async fn pending_application(self: &Arc<Self>, token: String) -> Result<Applied, Error> {
        let unknown = || Error::Refused(Refusal::UnknownSubject);
        if !has_form(&token, TOKEN_DIGITS) {
            return Err(unknown());
        }
        let now = self.now();
        let row = self.bearer_row(VaultApplication::KIND, &token);
        self.read(move |hub, tx| {
            let application = hub.rows.peek::<VaultApplication>(tx, &row)?;
            let Some(application) = application.filter(|application| now < application.expires)
            else {
                return Err(Refusal::UnknownSubject.into());
            };
            let joined = hub
                .rows
                .peek::<VaultLogin>(tx, &hub.applied_row(&application)?)?
                .is_some();
            if joined {
                Err(Refusal::UnknownSubject.into())
            } else {
                Ok(Applied::of(&application))
            }
        })
        .await
    }

    /// Step 3.
    pub async fn confirm_application(
        self: &Arc<Self>,
        caller: Caller,
        token: String,
    ) -> Result<Confirmed, Error> {
        if !has_form(&token, TOKEN_DIGITS) {
            return Err(Refusal::UnknownSubject.into());
        }
        let now = self.now();
        let row = self.bearer_row(VaultApplication::KIND, &token);
        let confirmed = self.write(move |hub, tx| hub.confirm_in(tx, now, &caller, row));
        confirmed.await?.map_err(Error::Refused)
    }

    fn confirm_in(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        row: RowId,
    ) -> TxResult<Result<Confirmed, Refusal>> {
        let Some(application) = self.rows.take::<VaultApplication>(tx, &row)? else {
            return Ok(Err(Refusal::UnknownSubject));
        };
        if application.expires <= now {
            return Ok(Err(Refusal::UnknownSubject));
        }
        let applied = Applied::of(&application);
        let name_row = self.applied_row(&application)?;
        let others = self
            .rows
            .children::<VaultApplication>(tx, &name_row, Page::ALL)?;
        let rival = others
            .iter()
            .any(|other| now < other.expires && other.credential != application.credential);
        tx.remove_children(VaultApplication::KIND, &name_row)?;
        if rival {
            let event =
                Event::new(caller.surface, now, "account.create", name_row.alias()).by(caller);
            self.record(tx, event.outcome("contested"))?;
            return Ok(Ok(Confirmed::Contested(applied)));
        }
        let name = LoginName::parse(&application.name)
            .ok_or_else(|| Error::bug("an application has no login name"))?;
        let VaultApplication {
            document,
            credential,
            language,
            ..
        } = application.value;
        let profile = Profile {
            document,
            credential,
        };
        let joined = self.create_account(tx, now, &language, &name, profile)?;
        let Ok(id) = joined else {
            return Ok(Err(Refusal::UnknownSubject));
        };
        self.record(
            tx,
            Event::new(caller.surface, now, "account.create", id.alias()).by(caller),
        )?;
        Ok(Ok(Confirmed::Joined(applied)))
    }

    fn applied_row(&self, application: &VaultApplication) -> Result<RowId, Error> {
        let name = LoginName::parse(&application.name);
        Ok(self.login_row(&name.ok_or_else(|| Error::bug("an application has no login name"))?))
    }
}

impl Applied {
    fn of(application: &VaultApplication) -> Self {
        Self {
            name: application.name.clone(),
            language: application.language.clone(),
            network: application.network.clone(),
            at: application.created,
        }
    }
}
