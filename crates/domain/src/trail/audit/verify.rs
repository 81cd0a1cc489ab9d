//! Verifying the whole chain.
//!
//! 1. Links are counted before the end is read: the chain grows meanwhile, and a new link must not look like
//!    one that somebody hid behind an end that was set back.
//! 2. Every link from the first to the end is read, and compared with the one before it.
//! 3. The end, the number of links and the checkpoint from outside are compared with what was read.

use std::sync::Arc;

use serde::Serialize;

use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Stop, Tx, TxResult};
use crate::core::record::Record as _;
use crate::core::time::Timestamp;
use crate::trail::Trail;

use super::{Checkpoint, Event, Head, Link};

/// What the verification of the whole chain found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ChainReport {
    pub links: u64,
    pub events: u64,
    /// Events committed but not linked yet.
    pub waiting: u64,
    /// Empty when everything holds; otherwise what is wrong, first finding first.
    pub findings: Vec<String>,
}

/// Most events that are not linked yet and that a verification opens; there are more only while no job runs.
const LOOKED_AT: usize = 100_000;

/// One link as the walk read it.
enum Read<'a> {
    /// The link, and the tag that it should have.
    Link(&'a Link, &'a str),
    Missing,
    Unreadable,
}

/// A checkpoint from outside, with what the walk found of it.
struct Anchor<'a> {
    checkpoint: &'a Checkpoint,
    genuine: bool,
    /// The tag of the link of the checkpoint's number, if the walk came by it.
    found: Option<&'a str>,
}

impl ChainReport {
    fn finding(&mut self, text: impl Into<String>) {
        self.findings.push(text.into());
    }

    /// Events that wait to be linked: how many there are, and how many of them do not open.
    fn waiting(&mut self, waiting: u64, broken: usize) {
        self.waiting = waiting;
        let text = "an event that is not linked yet was changed".to_owned();
        self.findings.extend(std::iter::repeat_n(text, broken));
    }

    /// The link of that number, behind a link with the tag `previous`. Returns the tag for the next link.
    fn link(&mut self, number: u64, previous: String, read: &Read<'_>) -> String {
        match read {
            Read::Link(link, tag) => {
                if link.number != number || link.previous != previous || link.tag != *tag {
                    let before = number - 1;
                    self.finding(format!("link {number} does not continue link {before}"));
                }
                self.links += 1;
                self.events += link.events.len() as u64;
                link.tag.clone()
            }
            Read::Missing => {
                self.finding(format!("link {number} was removed"));
                previous
            }
            Read::Unreadable => {
                self.finding(format!("link {number} was changed"));
                previous
            }
        }
    }

    /// The end of the chain. `last`: the tag of the last link that was read; `stored`: how many links there are.
    fn end(&mut self, end: &Head, last: &str, stored: u64) {
        if last != end.tag {
            self.finding("the end of the chain does not fit its last link");
        }
        if stored > end.number {
            let behind = stored - end.number;
            self.finding(format!("{behind} links lie behind the end of the chain"));
        }
    }

    /// The checkpoint that was kept outside.
    fn anchor(&mut self, end: &Head, anchor: &Anchor<'_>) {
        let Anchor {
            checkpoint,
            genuine,
            found,
        } = anchor;
        let number = checkpoint.number;
        if !genuine {
            self.finding("the checkpoint's signature is wrong");
        } else if number > end.number {
            let last = end.number;
            self.finding(format!(
                "the chain was cut off: link {number} was signed, the last is {last}"
            ));
        } else if *found != Some(checkpoint.tag.as_str()) {
            self.finding(format!("link {number} is not the one that was signed"));
        }
    }
}

impl Trail {
    /// Verifies the whole chain: finds a changed, moved, removed or cut-off row. `anchor`: the newest
    /// checkpoint that was kept outside. Fails if the database is away; that is no finding.
    pub(crate) async fn verify_audit(
        self: &Arc<Self>,
        anchor: Option<Checkpoint>,
    ) -> Result<ChainReport, Error> {
        let mut report = ChainReport::default();
        let stored = self.read(|_, tx| tx.count(Link::KIND)).await?;
        let head = match self.audit_head(self.store.as_ref()).await {
            Ok(head) => head,
            Err(Error::Bug(_)) => {
                report.finding("the end of the chain was changed");
                None
            }
            Err(error) => return Err(error),
        };
        let (waiting, broken) = self.read(|hub, tx| hub.waiting_events(tx)).await?;
        report.waiting(waiting, broken);
        let end = head.unwrap_or_default();
        let mut previous = String::new();
        let mut found = None;
        for number in 1..=end.number {
            previous = self.verify_link(&mut report, number, previous).await?;
            if anchor.as_ref().is_some_and(|kept| kept.number == number) {
                found = Some(previous.clone());
            }
        }
        report.end(&end, &previous, stored);
        if let Some(checkpoint) = &anchor {
            let anchor = Anchor {
                checkpoint,
                genuine: self.is_genuine(checkpoint)?,
                found: found.as_deref(),
            };
            report.anchor(&end, &anchor);
        }
        Ok(report)
    }

    async fn verify_link(
        &self,
        report: &mut ChainReport,
        number: u64,
        previous: String,
    ) -> Result<String, Error> {
        match self.audit_link(self.store.as_ref(), number).await {
            Ok(Some(link)) => {
                let tag = self.link_tag(number, &previous, &link.events)?;
                Ok(report.link(number, previous, &Read::Link(&link, &tag)))
            }
            Ok(None) => Ok(report.link(number, previous, &Read::Missing)),
            Err(Error::Bug(_)) => Ok(report.link(number, previous, &Read::Unreadable)),
            Err(error) => Err(error),
        }
    }

    /// How many events are not linked yet, and how many of them do not open.
    fn waiting_events(&self, tx: &mut dyn Tx) -> TxResult<(u64, usize)> {
        let mut broken = 0;
        for row in tx.due(Event::KIND, Timestamp::NEVER, LOOKED_AT)? {
            match self.rows.peek::<Event>(tx, Id::new(row.id)) {
                Ok(_) => {}
                Err(Stop::Failed(Error::Bug(_))) => broken += 1,
                Err(stop) => return Err(stop),
            }
        }
        Ok((tx.count(Event::KIND)?, broken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(number: u64, previous: &str, tag: &str) -> Link {
        Link {
            number,
            previous: previous.to_owned(),
            events: vec![Event::new(
                "test",
                Timestamp::from_millis(0),
                "a.b",
                String::new(),
            )],
            tag: tag.to_owned(),
        }
    }

    fn head(number: u64, tag: &str) -> Head {
        Head {
            number,
            tag: tag.to_owned(),
        }
    }

    fn checkpoint(number: u64, tag: &str) -> Checkpoint {
        Checkpoint {
            number,
            tag: tag.to_owned(),
            at: Timestamp::from_millis(0),
            era: 0,
            era_mark: String::new(),
            signature: String::new(),
        }
    }

    /// The findings after reading `read` as link 2 behind a link with the tag "one", and the tag handed on.
    fn second(read: &Read<'_>) -> (Vec<String>, String) {
        let mut report = ChainReport::default();
        let next = report.link(2, "one".to_owned(), read);
        (report.findings, next)
    }

    #[test]
    fn a_link_that_continues_the_one_before_is_counted_with_its_events() {
        let mut report = ChainReport::default();
        let found = link(1, "", "one");
        let next = report.link(1, String::new(), &Read::Link(&found, "one"));
        assert_eq!(next, "one");
        assert_eq!((report.links, report.events), (1, 1));
        assert!(report.findings.is_empty());
    }

    #[test]
    fn another_number_previous_tag_or_content_breaks_the_chain() {
        let broken = vec!["link 2 does not continue link 1".to_owned()];
        for (found, tag) in [
            (link(3, "one", "two"), "two"),
            (link(2, "other", "two"), "two"),
            (link(2, "one", "two"), "tag of other events"),
        ] {
            let (findings, next) = second(&Read::Link(&found, tag));
            assert_eq!(findings, broken);
            // The walk goes on from what lies there, so that one change is one finding.
            assert_eq!(next, "two");
        }
    }

    #[test]
    fn a_missing_and_an_unreadable_link_are_told_apart() {
        let (findings, next) = second(&Read::Missing);
        assert_eq!(
            (findings[0].as_str(), next.as_str()),
            ("link 2 was removed", "one")
        );
        let (findings, next) = second(&Read::Unreadable);
        assert_eq!(
            (findings[0].as_str(), next.as_str()),
            ("link 2 was changed", "one")
        );
    }

    #[test]
    fn the_end_must_be_the_last_link_and_nothing_may_lie_behind_it() {
        let findings = |end: &Head, last: &str, stored: u64| {
            let mut report = ChainReport::default();
            report.end(end, last, stored);
            report.findings
        };
        assert!(findings(&head(0, ""), "", 0).is_empty());
        assert!(findings(&head(2, "two"), "two", 2).is_empty());
        assert_eq!(
            findings(&head(2, "two"), "one", 2),
            ["the end of the chain does not fit its last link"]
        );
        assert_eq!(
            findings(&head(1, "one"), "one", 3),
            ["2 links lie behind the end of the chain"]
        );
    }

    #[test]
    fn a_checkpoint_must_be_signed_reached_and_the_same() {
        let findings = |number: u64, genuine: bool, found: Option<&str>| {
            let mut report = ChainReport::default();
            let checkpoint = checkpoint(number, "tag");
            let anchor = Anchor {
                checkpoint: &checkpoint,
                genuine,
                found,
            };
            report.anchor(&head(5, "five"), &anchor);
            report.findings
        };
        assert!(findings(5, true, Some("tag")).is_empty());
        assert_eq!(
            findings(5, false, Some("tag")),
            ["the checkpoint's signature is wrong"]
        );
        assert_eq!(
            findings(6, true, None),
            ["the chain was cut off: link 6 was signed, the last is 5"]
        );
        for found in [None, Some("another")] {
            assert_eq!(
                findings(4, true, found),
                ["link 4 is not the one that was signed"]
            );
        }
    }

    #[test]
    fn every_waiting_event_that_does_not_open_is_a_finding() {
        let mut report = ChainReport::default();
        report.waiting(3, 2);
        assert_eq!(report.waiting, 3);
        assert_eq!(report.findings.len(), 2);
    }
}
