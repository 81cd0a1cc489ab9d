//! The audit trail: written in the transaction of what it describes, then linked into a keyed chain.
//!
//! 1. A use case records an [`Event`]: one sealed row, in its own transaction.
//! 2. Within a second a job moves what was committed into the next [`Link`]: a batch of events with the
//!    tag of the link before. A chain head in every writer's transaction would be one hot row of the
//!    whole database; so it is touched once a batch, by one job at a time.
//! 3. The newest tag is kept outside the database as a signed [`Checkpoint`], so that cutting the end
//!    off, or putting an old database back, is seen too.
//!
//! Events name ids and keyed hashes, never PINs, codes, addresses or key material.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::layer::Layer as _;
use crate::core::port::Store;
use crate::core::port::roots::Root;
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Stop, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::trail::Trail;

/// One thing that happened, or was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub at: Timestamp,
    pub surface: String,
    /// What, as `noun.verb`.
    pub action: String,
    /// To what: an id or a keyed hash.
    pub subject: String,
    pub outcome: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

impl Record for Event {
    const KIND: Kind = "audit";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

impl Event {
    pub fn new(surface: &str, now: Timestamp, action: &str, subject: String) -> Self {
        Self {
            at: now,
            surface: surface.to_owned(),
            action: action.to_owned(),
            subject,
            outcome: "done".to_owned(),
            facts: BTreeMap::new(),
        }
    }

    #[must_use]
    pub fn outcome(mut self, outcome: &str) -> Self {
        outcome.clone_into(&mut self.outcome);
        self
    }

    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<String>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn by(self, caller: &Caller) -> Self {
        let network = caller.network.clone();
        self.fact("network", network)
    }
}

/// A batch of events, tied to the batch before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Link {
    pub number: u64,
    /// Hex tag of the link before; empty for the first.
    pub previous: String,
    pub events: Vec<Event>,
    /// Hex tag over number, previous tag and events.
    pub tag: String,
}

impl Record for Link {
    const KIND: Kind = "audit_link";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// The end of the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) number: u64,
    pub(crate) tag: String,
}

impl Record for Head {
    const KIND: Kind = "audit_head";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// The end of the chain at some moment, signed, for keeping outside the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub number: u64,
    pub tag: String,
    pub at: Timestamp,
    /// The era of the database, and its mark: see [`crate::trail::rollback`].
    #[serde(default)]
    pub era: u64,
    #[serde(default)]
    pub era_mark: String,
    pub signature: String,
}

/// What a walk over the whole chain found.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    pub links: u64,
    pub events: u64,
    /// Events committed but not linked yet.
    pub waiting: u64,
    /// Empty when everything holds; otherwise what is wrong, first finding first.
    pub findings: Vec<String>,
}

/// Events that describe no change of state, waiting for the next link.
///
/// A row for each would cost more than the check it tells of. What waits here is lost with the process:
/// at most a second of it, and never the trace of a change.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Vec<Event>>);

impl Recent {
    /// Adds an event; how many wait now.
    fn push(&self, event: Event) -> usize {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(event);
        waiting.len()
    }

    fn take(&self, limit: usize) -> Vec<Event> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(limit);
        waiting.drain(..count).collect()
    }

    /// Puts back what could not be written, before what came since.
    fn put_back(&self, mut events: Vec<Event>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.append(&mut waiting);
        *waiting = events;
    }
}

/// Recent events at which whoever adds one waits for some to be written.
const FULL: usize = 20_000;

/// Most events of each sort in one link.
pub(crate) const BATCH: usize = 500;

/// Most events that are not linked yet and that a walk opens; there are more only while no job runs.
const LOOKED_AT: usize = 100_000;

impl Trail {
    /// Step 1: records `event` in the running transaction.
    pub(crate) fn record(&self, tx: &mut dyn Tx, event: Event) -> TxResult<()> {
        let place = Place::at(self.rows.random_id()).due(event.at);
        self.rows.create(tx, self.tenant(), place, event)?;
        Ok(())
    }

    /// Step 1 for what changed nothing: the event is written with the next link, within a second.
    pub(crate) async fn record_soon(self: &Arc<Self>, event: Event) -> Result<(), Error> {
        let waiting = self.recent.push(event);
        if waiting >= FULL {
            self.link_audit().await?;
        }
        Ok(())
    }

    /// Step 2: links what was committed or waits. Returns how many events were linked.
    pub(crate) async fn link_audit(self: &Arc<Self>) -> Result<usize, Error> {
        let recent = Arc::new(self.recent.take(BATCH));
        if recent.is_empty() && !self.any_due(Event::KIND, Timestamp::NEVER).await? {
            return Ok(0);
        }
        let batch = Arc::clone(&recent);
        let linked = self.write(move |hub, tx| hub.link(tx, &batch)).await;
        if linked.is_err() {
            self.recent.put_back(recent.to_vec());
        }
        linked
    }

    fn link(&self, tx: &mut dyn Tx, recent: &[Event]) -> TxResult<usize> {
        let waiting = self.rows.due::<Event>(tx, Timestamp::NEVER, BATCH)?;
        if waiting.is_empty() && recent.is_empty() {
            return Ok(0);
        }
        let head_id = self.rows.id(Head::KIND, &[]);
        let head = self.rows.get::<Head>(tx, &head_id)?;
        let previous = head
            .as_ref()
            .map(|head| head.value.clone())
            .unwrap_or_default();
        let number = previous.number + 1;
        let mut events = recent.to_vec();
        for event in waiting {
            self.rows.remove::<Event>(tx, &event.id())?;
            events.push(event.value);
        }
        events.sort_by_key(|event| event.at);
        let linked = events.len();
        let tag = self.link_tag(number, &previous.tag, &events)?;
        let link = Link {
            number,
            previous: previous.tag,
            events,
            tag: tag.clone(),
        };
        self.rows
            .create(tx, self.tenant(), Place::at(self.link_id(number)), link)?;
        let next = Head { number, tag };
        if let Some(mut head) = head {
            head.value = next;
            self.rows.put(tx, &mut head)?;
        } else {
            self.rows
                .create(tx, self.tenant(), Place::at(head_id), next)?;
        }
        Ok(linked)
    }

    /// Step 3: the signed end of the chain, `None` while there is none.
    pub(crate) async fn audit_checkpoint(self: &Arc<Self>) -> Result<Option<Checkpoint>, Error> {
        self.checkpoint_of(self.store.as_ref()).await
    }

    /// The same of `store`, which may be the hub's without what stands before it.
    pub(crate) async fn checkpoint_of(
        &self,
        store: &dyn Store,
    ) -> Result<Option<Checkpoint>, Error> {
        let Some(head) = self.audit_head(store).await? else {
            return Ok(None);
        };
        let era = self.era(store).await?;
        let mut checkpoint = Checkpoint {
            number: head.number,
            tag: head.tag,
            at: self.now(),
            era: era.number,
            era_mark: era.mark,
            signature: String::new(),
        };
        checkpoint.signature = self.checkpoint_signature(&checkpoint)?;
        Ok(Some(checkpoint))
    }

    pub(crate) async fn audit_head(&self, store: &dyn Store) -> Result<Option<Head>, Error> {
        let id = self.rows.id(Head::KIND, &[]);
        let head = self.rows.read::<Head>(store, id).await?;
        Ok(head.map(|head| head.value))
    }

    pub(crate) async fn audit_link(
        &self,
        store: &dyn Store,
        number: u64,
    ) -> Result<Option<Link>, Error> {
        let link = self.rows.read::<Link>(store, self.link_id(number)).await?;
        Ok(link.map(|link| link.value))
    }

    /// Walks the whole chain: finds a changed, moved, removed or cut-off row. `anchor`: the newest
    /// checkpoint that was kept outside. A database that is away is no finding.
    pub(crate) async fn verify_audit(
        self: &Arc<Self>,
        anchor: Option<Checkpoint>,
    ) -> Result<Verdict, Error> {
        let mut verdict = Verdict {
            links: 0,
            events: 0,
            waiting: 0,
            findings: Vec::new(),
        };
        // Before the end is read: the chain grows meanwhile, and a link that is new must not look like one
        // that was hidden behind an end that was set back.
        let stored = self.read(|_, tx| tx.count(Link::KIND)).await?;
        let id = self.rows.id(Head::KIND, &[]);
        let head = match self.rows.read::<Head>(self.store.as_ref(), id).await {
            Ok(head) => head.map(|head| head.value),
            Err(Error::Bug(_)) => {
                let text = "the end of the chain was changed";
                verdict.findings.push(text.to_owned());
                None
            }
            Err(error) => return Err(error),
        };
        let (waiting, broken) = self.read(|hub, tx| hub.waiting_events(tx)).await?;
        verdict.waiting = waiting;
        let text = "an event that is not linked yet was changed";
        verdict
            .findings
            .extend(std::iter::repeat_n(text.to_owned(), broken));
        let end = head.clone().unwrap_or_default();
        let mut previous = String::new();
        let mut anchored = None;
        for number in 1..=end.number {
            match self
                .rows
                .read::<Link>(self.store.as_ref(), self.link_id(number))
                .await
            {
                Ok(Some(link)) => {
                    let tag = self.link_tag(number, &previous, &link.events)?;
                    if link.number != number || link.previous != previous || link.tag != tag {
                        verdict.findings.push(format!(
                            "link {number} does not continue link {}",
                            number - 1
                        ));
                    }
                    verdict.links += 1;
                    verdict.events += link.events.len() as u64;
                    previous.clone_from(&link.tag);
                }
                Ok(None) => verdict.findings.push(format!("link {number} was removed")),
                Err(Error::Bug(_)) => {
                    verdict.findings.push(format!("link {number} was changed"));
                }
                Err(error) => return Err(error),
            }
            if anchor
                .as_ref()
                .is_some_and(|anchor| anchor.number == number)
            {
                anchored = Some(previous.clone());
            }
        }
        if previous != end.tag {
            verdict
                .findings
                .push("the end of the chain does not fit its last link".to_owned());
        }
        if stored > end.number {
            verdict.findings.push(format!(
                "{} links lie behind the end of the chain",
                stored - end.number
            ));
        }
        if let Some(anchor) = anchor {
            self.check_anchor(&anchor, &end, anchored.as_ref(), &mut verdict)?;
        }
        Ok(verdict)
    }

    /// The newest `limit` linked events, newest first, of one subject or of all.
    pub(crate) async fn audit_events(
        self: &Arc<Self>,
        subject: Option<String>,
        limit: usize,
    ) -> Result<Vec<Event>, Error> {
        self.link_audit().await?;
        let id = self.rows.id(Head::KIND, &[]);
        let head = self.rows.read::<Head>(self.store.as_ref(), id).await?;
        let mut found = Vec::new();
        for number in (1..=head.map_or(0, |head| head.number)).rev() {
            let Some(link) = self
                .rows
                .read::<Link>(self.store.as_ref(), self.link_id(number))
                .await?
            else {
                continue;
            };
            let wanted = link.value.events.into_iter().rev();
            found.extend(wanted.filter(|event| {
                subject
                    .as_ref()
                    .is_none_or(|subject| *subject == event.subject)
            }));
            if found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// How many events are not linked yet, and how many of them do not open.
    fn waiting_events(&self, tx: &mut dyn Tx) -> TxResult<(u64, usize)> {
        let mut broken = 0;
        for row in tx.due(Event::KIND, Timestamp::NEVER, LOOKED_AT)? {
            match self.rows.peek::<Event>(tx, &row.id) {
                Ok(_) => {}
                Err(Stop::Failed(Error::Bug(_))) => broken += 1,
                Err(stop) => return Err(stop),
            }
        }
        Ok((tx.count(Event::KIND)?, broken))
    }

    fn check_anchor(
        &self,
        anchor: &Checkpoint,
        end: &Head,
        tag: Option<&String>,
        verdict: &mut Verdict,
    ) -> Result<(), Error> {
        if !self.is_genuine(anchor)? {
            verdict
                .findings
                .push("the checkpoint's signature is wrong".to_owned());
        } else if anchor.number > end.number {
            let text = format!(
                "the chain was cut off: link {} was signed, the last is {}",
                anchor.number, end.number
            );
            verdict.findings.push(text);
        } else if tag != Some(&anchor.tag) {
            verdict.findings.push(format!(
                "link {} is not the one that was signed",
                anchor.number
            ));
        }
        Ok(())
    }

    fn link_id(&self, number: u64) -> RowId {
        self.rows.id(Link::KIND, &[&number.to_be_bytes()])
    }

    fn link_tag(&self, number: u64, previous: &str, events: &[Event]) -> Result<String, Error> {
        let text = serde_json::to_vec(events).map_err(Error::bug)?;
        let parts: [&[u8]; 4] = [
            b"link",
            &number.to_be_bytes(),
            previous.as_bytes(),
            &crypto::mac::sha256(&text),
        ];
        Ok(hex::encode(
            self.roots.prf(Root::Audit, 1, &parts)?.expose(),
        ))
    }

    /// Whether `checkpoint` was signed with these keys.
    pub(crate) fn is_genuine(&self, checkpoint: &Checkpoint) -> Result<bool, Error> {
        let right = self.checkpoint_signature(checkpoint)?;
        Ok(right
            .as_bytes()
            .ct_eq(checkpoint.signature.as_bytes())
            .into())
    }

    /// Over the first four parts only while no rollback was ever accepted: so the releases before eras sign, too, and
    /// an anchor of theirs is one of ours.
    fn checkpoint_signature(&self, checkpoint: &Checkpoint) -> Result<String, Error> {
        let (number, at) = (checkpoint.number.to_be_bytes(), checkpoint.at.millis());
        let (at, era) = (at.to_be_bytes(), checkpoint.era.to_be_bytes());
        let mut parts: Vec<&[u8]> = vec![b"checkpoint", &number, checkpoint.tag.as_bytes(), &at];
        if checkpoint.era > 0 || !checkpoint.era_mark.is_empty() {
            parts.extend([&era[..], checkpoint.era_mark.as_bytes()]);
        }
        Ok(hex::encode(
            self.roots.prf(Root::Audit, 1, &parts)?.expose(),
        ))
    }
}
