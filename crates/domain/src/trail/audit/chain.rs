//! The chain of links, and the job that adds to it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::roots::Root;
use crate::core::port::store::{Kind, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::trail::Trail;

use super::Event;

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

impl Link {
    /// The next link of a chain that ends with `previous`: events in the order of their time, and no tag yet.
    fn after(previous: Head, mut events: Vec<Event>) -> Self {
        events.sort_by_key(|event| event.at);
        Self {
            number: previous.number + 1,
            previous: previous.tag,
            events,
            tag: String::new(),
        }
    }

    /// The end of the chain once this link is its last.
    fn head(&self) -> Head {
        Head {
            number: self.number,
            tag: self.tag.clone(),
        }
    }

    /// The link's events of one subject or of all, newest first.
    fn newest_first(self, subject: Option<&str>) -> impl Iterator<Item = Event> {
        let events = self.events.into_iter().rev();
        events.filter(move |event| subject.is_none_or(|subject| subject == event.subject))
    }
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

/// Most events of each sort in one link.
pub(crate) const BATCH: usize = 500;

impl Trail {
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
        let head_id = self.rows.named::<Head>(&[]);
        let head = self.rows.get(tx, head_id)?;
        let previous = head.as_ref().map(|head| head.value.clone());
        let mut events = recent.to_vec();
        for event in waiting {
            self.rows.remove(tx, event.key())?;
            events.push(event.value);
        }
        let mut link = Link::after(previous.unwrap_or_default(), events);
        link.tag = self.link_tag(link.number, &link.previous, &link.events)?;
        let (linked, next) = (link.events.len(), link.head());
        let place = Place::at(self.link_id(link.number));
        self.rows.create(tx, self.tenant(), place, link)?;
        if let Some(mut head) = head {
            head.value = next;
            self.rows.put(tx, &mut head)?;
        } else {
            self.rows
                .create(tx, self.tenant(), Place::at(head_id), next)?;
        }
        Ok(linked)
    }

    /// The newest `limit` linked events, newest first, of one subject or of all.
    pub(crate) async fn audit_events(
        self: &Arc<Self>,
        subject: Option<String>,
        limit: usize,
    ) -> Result<Vec<Event>, Error> {
        self.link_audit().await?;
        let store = self.store.as_ref();
        let head = self.audit_head(store).await?;
        let mut found = Vec::new();
        for number in (1..=head.map_or(0, |head| head.number)).rev() {
            let Some(link) = self.audit_link(store, number).await? else {
                continue;
            };
            found.extend(link.newest_first(subject.as_deref()));
            if found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    pub(super) fn link_id(&self, number: u64) -> Id<Link> {
        self.rows.named(&[&number.to_be_bytes()])
    }

    pub(super) fn link_tag(
        &self,
        number: u64,
        previous: &str,
        events: &[Event],
    ) -> Result<String, Error> {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: i64, subject: &str) -> Event {
        Event::new(
            "test",
            Timestamp::from_millis(at),
            "a.b",
            subject.to_owned(),
        )
    }

    fn times(events: impl IntoIterator<Item = Event>) -> Vec<i64> {
        events.into_iter().map(|event| event.at.millis()).collect()
    }

    #[test]
    fn the_first_link_has_number_one_and_no_tag_before_it() {
        let link = Link::after(Head::default(), vec![event(1, "x")]);
        assert_eq!((link.number, link.previous.as_str()), (1, ""));
    }

    #[test]
    fn a_link_continues_the_end_with_its_events_in_the_order_of_time() {
        let end = Head {
            number: 6,
            tag: "six".to_owned(),
        };
        let link = Link::after(end, vec![event(3, "x"), event(1, "x"), event(2, "x")]);
        assert_eq!((link.number, link.previous.as_str()), (7, "six"));
        assert_eq!(times(link.events.clone()), [1, 2, 3]);
        let next = Link::after(
            Link {
                tag: "seven".to_owned(),
                ..link
            }
            .head(),
            Vec::new(),
        );
        assert_eq!((next.number, next.previous.as_str()), (8, "seven"));
    }

    #[test]
    fn events_are_listed_newest_first_and_of_one_subject_if_asked() {
        let events = vec![event(1, "x"), event(2, "y"), event(3, "x")];
        let link = || Link::after(Head::default(), events.clone());
        assert_eq!(times(link().newest_first(None)), [3, 2, 1]);
        assert_eq!(times(link().newest_first(Some("x"))), [3, 1]);
        assert!(times(link().newest_first(Some("z"))).is_empty());
    }

    #[test]
    fn events_of_one_moment_stay_in_the_order_in_which_they_came() {
        let events = ["x", "y", "z"].map(|subject| event(1, subject)).to_vec();
        let link = Link::after(Head::default(), events);
        let subjects: Vec<&str> = link
            .events
            .iter()
            .map(|event| event.subject.as_str())
            .collect();
        assert_eq!(subjects, ["x", "y", "z"]);
    }

    #[test]
    fn the_end_after_a_link_is_its_number_and_tag() {
        let mut link = Link::after(Head::default(), vec![event(1, "x")]);
        link.tag = "one".to_owned();
        let end = Head {
            number: 1,
            tag: "one".to_owned(),
        };
        assert_eq!(link.head(), end);
    }
}
