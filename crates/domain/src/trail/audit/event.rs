//! Events, and how they are recorded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::port::store::{Kind, Tx, TxResult};
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

/// Events that describe no change of state, waiting for the next link.
///
/// A row for each would cost more than the check it tells of. What waits here is lost with the process:
/// at most a second of it, and never the trace of a change.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Vec<Event>>);

impl Recent {
    /// Adds an event; how many wait now.
    pub(super) fn push(&self, event: Event) -> usize {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(event);
        waiting.len()
    }

    pub(super) fn take(&self, limit: usize) -> Vec<Event> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(limit);
        waiting.drain(..count).collect()
    }

    /// Puts back what could not be written, before what came since.
    pub(super) fn put_back(&self, mut events: Vec<Event>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.append(&mut waiting);
        *waiting = events;
    }
}

/// Recent events at which whoever adds one waits for some to be written.
const FULL: usize = 20_000;

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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: &str) -> Event {
        Event::new(
            "test",
            Timestamp::from_millis(7),
            action,
            "subject".to_owned(),
        )
    }

    fn actions(events: &[Event]) -> Vec<&str> {
        events.iter().map(|event| event.action.as_str()).collect()
    }

    #[test]
    fn an_event_is_done_unless_it_says_otherwise() {
        assert_eq!(event("key.open").outcome, "done");
        assert_eq!(event("key.open").outcome("wrong").outcome, "wrong");
    }

    #[test]
    fn a_later_fact_of_the_same_name_replaces_the_earlier() {
        let event = event("key.open").fact("failed", "1").fact("failed", "2");
        assert_eq!(event.facts["failed"], "2");
    }

    #[test]
    fn a_caller_is_named_by_its_network() {
        let caller = Caller {
            surface: "test",
            network: "192.0.2.7/32".to_owned(),
            language: "en".to_owned(),
        };
        assert_eq!(
            event("key.open").by(&caller).facts["network"],
            "192.0.2.7/32"
        );
    }

    #[test]
    fn an_event_without_facts_is_kept_without_the_member() {
        let text = serde_json::to_string(&event("key.open")).unwrap();
        assert!(!text.contains("facts"));
        let read: Event = serde_json::from_str(&text).unwrap();
        assert_eq!(read, event("key.open"));
    }

    #[test]
    fn waiting_events_are_taken_in_order_and_up_to_the_limit() {
        let recent = Recent::default();
        assert_eq!(recent.push(event("a.a")), 1);
        assert_eq!(recent.push(event("b.b")), 2);
        recent.push(event("c.c"));
        assert_eq!(actions(&recent.take(2)), ["a.a", "b.b"]);
        assert_eq!(actions(&recent.take(2)), ["c.c"]);
        assert!(recent.take(2).is_empty());
    }

    #[test]
    fn events_that_could_not_be_written_come_before_newer_ones() {
        let recent = Recent::default();
        recent.push(event("a.a"));
        let taken = recent.take(10);
        recent.push(event("b.b"));
        recent.put_back(taken);
        assert_eq!(actions(&recent.take(10)), ["a.a", "b.b"]);
    }
}
