//! Recovery contacts: addresses that their owner proved, through which a key can be recovered.
//!
//! A contact is found only by who names its address: its row id is a keyed hash of key and address. The
//! address itself is kept, sealed, because notices need it; an operator may switch that off.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::message::{Channel, Message, MessageKind};
use crate::core::port::store::Kind;
use crate::core::port::store::{Page, RowId, Tx, TxResult, refusal_is_a_value};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::core::verdict::undo;
use crate::guarded_key::GuardedKeys;
use crate::guarded_key::lock::RecoveryLock;
use crate::guarded_key::{GuardedKey, GuardedKeyId, Pin, Proven};
use crate::letter::alert::Alert;
use crate::letter::outbox::Posting;
use crate::limit::budget::GuessBudget;
use crate::limit::counted::{AtOnce, Finding};
use crate::limit::rate::Rate;
use crate::proof::challenge::{Code, CodeMatch};
use crate::proof::way::masked;
use crate::trail::audit::Event;

/// An address as its owner wrote it, compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactAddress {
    pub channel: Channel,
    pub text: String,
}

/// What a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodePurpose {
    Verify,
    Recover,
}

impl CodePurpose {
    fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify_contact",
            Self::Recover => "reset_pin",
        }
    }
}

/// The record of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) channel: Option<Channel>,
    /// `None`: the operator stores no addresses, or the contact was taken over as a hash.
    pub(crate) address: Option<String>,
    pub(crate) language: String,
    pub(crate) added: Timestamp,
    pub(crate) verified: Option<Timestamp>,
    pub(crate) waiting: Option<ContactCode>,
    pub(crate) lock: Option<RecoveryLock>,
}

/// An outstanding code and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ContactCode {
    pub(crate) purpose: CodePurpose,
    pub(crate) code: Code,
    /// With [`CodePurpose::Verify`]: the key's content, to be opened with the code and no earlier.
    pub(crate) pending: Option<(u32, Vec<u8>)>,
}

impl Record for Contact {
    const KIND: Kind = "contact";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Limited;
}

/// A key, and its contact that waits for a code.
pub(crate) type Awaiting = (Stored<GuardedKey>, Stored<Contact>);

/// ContactNotice for all contacts of a key.
pub(crate) struct ContactNotice {
    pub(crate) operation: &'static str,
    pub(crate) facts: BTreeMap<String, String>,
    /// Not to this one.
    pub(crate) except: Option<RowId>,
    /// About this running lock of this contact: letters carry a link that stops it.
    pub(crate) lock: Option<(RowId, RecoveryLock)>,
}

impl ContactNotice {
    pub(crate) fn of(operation: &'static str) -> Self {
        Self {
            operation,
            facts: BTreeMap::new(),
            except: None,
            lock: None,
        }
    }
}

impl GuardedKeys {
    pub(crate) fn contact_row(&self, key: RowId, address: &ContactAddress) -> RowId {
        self.rows
            .id(Contact::KIND, &[&key.0, address.text.as_bytes()])
    }

    /// Finds the row of a contact, also of one that was taken over as a hash under the key's old salt.
    pub(crate) async fn locate_contact(
        self: &Arc<Self>,
        key: RowId,
        address: &ContactAddress,
    ) -> Result<RowId, Error> {
        let row = self.contact_row(key, address);
        let store = self.store.as_ref();
        if self.rows.read::<Contact>(store, row).await?.is_some() {
            return Ok(row);
        }
        let salt = self
            .rows
            .read::<GuardedKey>(store, key)
            .await?
            .and_then(|key| key.value.contact_salt);
        let Some(salt) = salt else { return Ok(row) };
        let foreign = self.foreign_contact_row(address, salt).await?;
        if self.rows.read::<Contact>(store, foreign).await?.is_none() {
            return Ok(row);
        }
        self.rewrite_contact(key, foreign, row, address.clone())
            .await?;
        Ok(row)
    }

    /// Adds `address` as a contact and sends it a code, for who knows the PIN.
    pub async fn add_contact(
        self: &Arc<Self>,
        caller: Caller,
        key: GuardedKeyId,
        pin: Pin,
        address: ContactAddress,
    ) -> Result<(), Error> {
        let row = self.key_row(key);
        let contact = if self
            .rows
            .read::<GuardedKey>(self.store.as_ref(), row)
            .await?
            .is_some()
        {
            self.locate_contact(row, &address).await?
        } else {
            return Err(Refusal::UnknownSubject.into());
        };
        let now = self.now();
        let who = caller.clone();
        self.with_pin(
            caller,
            key,
            pin,
            "contact.add",
            move |hub, tx, _, proven| {
                refusal_is_a_value(hub.add_contact_in(
                    tx,
                    now,
                    &who,
                    (row, contact),
                    &address,
                    proven,
                ))
            },
        )
        .await
    }

    fn add_contact_in(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        (key, row): (RowId, RowId),
        address: &ContactAddress,
        proven: &Proven,
    ) -> TxResult<()> {
        let policy = &self.policy;
        let found = self.rows.get::<Contact>(tx, &row)?;
        if found
            .as_ref()
            .is_some_and(|contact| contact.verified.is_some())
        {
            return Err(Refusal::Conflict.into());
        }
        if found.is_none() && tx.count_children(Contact::KIND, &key)? >= policy.contacts_per_key {
            return Err(Refusal::TooLarge {
                limit: usize::try_from(policy.contacts_per_key).unwrap_or(usize::MAX),
            }
            .into());
        }
        self.spend_sends(tx, now, caller, row, address)?
            .map_err(undo)?;
        let (code, text) =
            self.issue_code(now, policy.code_life, &binding(&row, CodePurpose::Verify))?;
        let pending = self.seal_until_proved(row, &text, &proven.content)?;
        let contact = Contact {
            channel: Some(address.channel),
            address: policy.store_addresses.then(|| address.text.clone()),
            language: caller.language.clone(),
            added: now,
            verified: None,
            waiting: Some(ContactCode {
                purpose: CodePurpose::Verify,
                code,
                pending: Some(pending),
            }),
            lock: None,
        };
        if let Some(mut known) = found {
            known.value = contact;
            self.rows.put(tx, &mut known)?;
        } else {
            self.rows.create(
                tx,
                self.tenant(),
                Place::at(row).of(key).ranked(now.millis()),
                contact,
            )?;
        }
        // A new code for an unverified contact starts with a clean count.
        tx.remove(GuessBudget::KIND, &self.budget_row(row))?;
        self.post_code(tx, now, caller, (row, address), CodePurpose::Verify, &text)
    }

    /// Proves a contact with the code that was sent to it.
    pub async fn confirm_contact(
        self: &Arc<Self>,
        caller: Caller,
        key: GuardedKeyId,
        address: ContactAddress,
        text: SecretText,
    ) -> Result<(), Error> {
        let row = self.key_row(key);
        let contact = self.locate_contact(row, &address).await?;
        let now = self.now();
        let verdict = self
            .write(move |hub, tx| {
                let (mut key, mut found) =
                    match hub.awaiting(tx, row, contact, CodePurpose::Verify)? {
                        Ok(found) => found,
                        Err(refusal) => return Ok(Err(refusal)),
                    };
                let event =
                    Event::new(caller.surface, now, "contact.confirm", row.alias()).by(&caller);
                let event = event.fact("contact", contact.alias());
                if let Err(refusal) = hub.judge_code(tx, now, &mut found, &text)? {
                    hub.record(tx, event.outcome("refused"))?;
                    return Ok(Err(refusal));
                }
                let pending = found.waiting.take().and_then(|waiting| waiting.pending);
                found.verified = Some(now);
                if let (Some((version, sealed)), None) = (pending, &key.recovery_envelope) {
                    let content = hub.open_when_proved(contact, &text, (version, &sealed))?;
                    key.recovery_envelope = Some(hub.seal_for_recovery(row, &content)?);
                    hub.rows.put(tx, &mut key)?;
                }
                hub.rows.put(tx, &mut found)?;
                let notice = ContactNotice {
                    except: Some(contact),
                    ..Self::contact_notice("contact_added", &found)
                };
                hub.notify_contacts(tx, now, caller.surface, row, &notice)?;
                hub.record(tx, event)?;
                Ok(Ok(()))
            })
            .await?;
        self.posted(now).await;
        verdict.map_err(Error::Refused)
    }

    /// Removes a contact, for who knows the PIN. Its running recovery ends with it.
    pub async fn remove_contact(
        self: &Arc<Self>,
        caller: Caller,
        key: GuardedKeyId,
        pin: Pin,
        address: ContactAddress,
    ) -> Result<(), Error> {
        let row = self.key_row(key);
        let contact = self.locate_contact(row, &address).await?;
        let now = self.now();
        let surface = caller.surface;
        self.with_pin(
            caller,
            key,
            pin,
            "contact.remove",
            move |hub, tx, key, _| {
                let Some(removed) = hub.rows.take::<Contact>(tx, &contact)? else {
                    return Ok(Err(Refusal::UnknownSubject));
                };
                tx.remove(GuessBudget::KIND, &hub.budget_row(contact))?;
                let left = hub.rows.children::<Contact>(tx, &row, Page::ALL)?;
                // A key that was taken over may have contacts that did not appear yet.
                if key.contact_salt.is_none()
                    && !left.iter().any(|contact| contact.verified.is_some())
                {
                    key.recovery_envelope = None;
                }
                if removed.verified.is_some() {
                    hub.notify_contacts(
                        tx,
                        now,
                        surface,
                        row,
                        &Self::contact_notice("contact_removed", &removed),
                    )?;
                }
                Ok(Ok(()))
            },
        )
        .await
    }

    /// The key and the contact that waits for a code of this purpose; `Err` as a value: nothing is counted.
    pub(crate) fn awaiting(
        &self,
        tx: &mut dyn Tx,
        key: RowId,
        contact: RowId,
        purpose: CodePurpose,
    ) -> TxResult<Result<Awaiting, Refusal>> {
        let Some(key) = self.rows.get::<GuardedKey>(tx, &key)? else {
            return Ok(Err(Refusal::UnknownSubject));
        };
        let Some(contact) = self.rows.get::<Contact>(tx, &contact)? else {
            return Ok(Err(Refusal::UnknownSubject));
        };
        match &contact.waiting {
            Some(waiting) if waiting.purpose == purpose => Ok(Ok((key, contact))),
            _ => Ok(Err(Refusal::WrongState)),
        }
    }

    /// Counts and judges a code in one transaction. The caller takes the code out when it was right.
    pub(crate) fn judge_code(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        contact: &mut Stored<Contact>,
        text: &SecretText,
    ) -> TxResult<Result<(), Refusal>> {
        let limits = self.policy.code_guesses();
        let Some(waiting) = &contact.waiting else {
            return Ok(Err(Refusal::WrongState));
        };
        let budget = self.counted_by_budget(contact.id(), limits);
        let judged = self.judge_at_once(tx, now, &budget, |_| {
            let id = contact.id();
            let bound = binding(&id, waiting.purpose);
            let presented = self.present_code(now, &waiting.code, &bound, text)?;
            Ok(match presented {
                CodeMatch::Right => Finding::Right(()),
                CodeMatch::Late => Finding::Wrong(Refusal::Expired),
                CodeMatch::Wrong => Finding::Wrong(Refusal::BadProof { left: None }),
            })
        })?;
        Ok(match judged {
            AtOnce::Right(()) => Ok(()),
            AtOnce::Wrong { why, .. } | AtOnce::Unjudged(why) => Err(why),
            AtOnce::Exhausted { until } | AtOnce::InFlight { until } => {
                Err(Refusal::Exhausted { until })
            }
        })
    }

    /// Takes one send of every budget that a code to `address` draws on.
    pub(crate) fn spend_sends(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        contact: RowId,
        address: &ContactAddress,
    ) -> TxResult<Result<(), Refusal>> {
        let policy = &self.policy;
        let limits = &self.shared;
        let own = self.rows.id("rate", &[b"sends of contact", &contact.0]);
        let wanted: [(RowId, &[Rate]); 6] = [
            (own, &policy.sends_per_contact),
            (
                self.rate_row("sends to address", &address.text),
                &[policy.sends_per_address],
            ),
            (
                self.rate_row("sends for network", &caller.network),
                &[policy.sends_per_network],
            ),
            (
                self.rate_row("messages for network", &caller.network),
                &[limits.network_messages],
            ),
            (self.rate_row("sends", ""), &[policy.sends_in_all]),
            (self.rate_row("messages", ""), &[limits.day_messages]),
        ];
        self.spend_rates(tx, now, &wanted)
    }

    pub(crate) fn post_code(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        (contact, address): (RowId, &ContactAddress),
        purpose: CodePurpose,
        code: &SecretText,
    ) -> TxResult<()> {
        let message = Message {
            surface: caller.surface.to_owned(),
            channel: address.channel,
            to: address.text.clone(),
            kind: MessageKind::Code,
            operation: purpose.name().to_owned(),
            language: caller.language.clone(),
            code: Some(code.expose().to_owned()),
            link: None,
            anti_phishing_code: None,
            facts: [(
                "valid".to_owned(),
                format!("{}s", self.policy.code_life.as_secs()),
            )]
            .into(),
        };
        self.post(
            tx,
            now,
            Posting::code(message, self.policy.code_life, contact),
        )
    }

    /// Tells every verified contact of a key.
    pub(crate) fn notify_contacts(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        surface: &str,
        key: RowId,
        notice: &ContactNotice,
    ) -> TxResult<()> {
        for contact in self.rows.children::<Contact>(tx, &key, Page::ALL)? {
            let (Some(to), Some(channel), Some(_)) =
                (&contact.address, contact.channel, contact.verified)
            else {
                continue;
            };
            if notice.except == Some(contact.id()) {
                continue;
            }
            let link = match &notice.lock {
                Some((armed_by, lock)) => {
                    Some(self.owner_link(tx, key, *armed_by, lock, &contact.language)?)
                }
                None => None,
            };
            let alert = notice.lock.as_ref().map(|(armed_by, lock)| Alert {
                contact: armed_by.0,
                lock: lock.id,
            });
            let message = Message {
                surface: surface.to_owned(),
                channel,
                to: to.clone(),
                kind: MessageKind::Notice,
                operation: notice.operation.to_owned(),
                language: contact.language.clone(),
                code: None,
                link,
                anti_phishing_code: None,
                facts: notice.facts.clone(),
            };
            self.post(
                tx,
                now,
                Posting {
                    alert,
                    ..Posting::notice(message)
                },
            )?;
        }
        Ok(())
    }

    fn contact_notice(operation: &'static str, contact: &Contact) -> ContactNotice {
        let mut notice = ContactNotice::of(operation);
        if let Some(address) = &contact.address {
            notice.facts.insert("contact".to_owned(), masked(address));
        }
        notice
    }

    pub(crate) fn contact_states(
        &self,
        tx: &mut dyn Tx,
        key: RowId,
        now: Timestamp,
    ) -> TxResult<Vec<crate::guarded_key::ContactState>> {
        let contacts = self.rows.children::<Contact>(tx, &key, Page::ALL)?;
        let alerts = self.alerts();
        Ok(contacts
            .iter()
            .map(|contact| crate::guarded_key::ContactState {
                alias: contact.id().alias(),
                channel: contact.channel,
                verified: contact.verified.is_some(),
                code_outstanding: contact
                    .waiting
                    .as_ref()
                    .is_some_and(|waiting| now < waiting.code.expires),
                locked_until: contact
                    .lock
                    .as_ref()
                    .filter(|lock| lock.is_live(now))
                    .map(|lock| lock.opens_at(now, alerts).rfc3339()),
            })
            .collect())
    }

    /// Removes all contacts of a key with their counters.
    pub(crate) fn remove_contacts(&self, tx: &mut dyn Tx, key: RowId) -> TxResult<()> {
        for contact in tx.children(Contact::KIND, &key, Page::ALL)? {
            tx.remove(GuessBudget::KIND, &self.budget_row(contact.id))?;
        }
        tx.remove_children(Contact::KIND, &key)?;
        Ok(())
    }
}

/// What a contact's code is bound to.
pub(crate) fn binding(contact: &RowId, purpose: CodePurpose) -> [&[u8]; 2] {
    [purpose.name().as_bytes(), &contact.0]
}
