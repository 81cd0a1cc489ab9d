//! An older database that was put back: noticed, refused, and, once an operator accepts it, limited to one try.
//!
//! 1. The newest signed [`Checkpoint`] of the audit chain is kept outside the database: the anchor.
//! 2. [`Trail::freshness`] compares a database with it. An older one, or one of another history, has
//!    forgotten guesses that were judged and codes that were used; nobody may work with it.
//! 3. [`Trail::begin_era`] records that an operator accepts that. From then on the database is of a new
//!    *era*, so that the anchors of all nodes are older than it, and so that a second restore is noticed too.
//! 4. [`Upkeep::limit_after_rollback`] walks over all rows that bound an attacker, a page in each transaction, until
//!    the walk is done. Any node may go on with a walk that another began.
//!
//! What becomes of a row, its record says ([`OnRollback`]): every budget keeps at most one try, and every
//! subject gets a budget, also one whose budget was not begun yet; what works once or for a while is ended
//! (codes, challenges, tokens, sessions, locks, waiting messages with codes). All else stays as the older
//! database has it, changes that it has forgotten included: a removed address, a blocked key and a changed
//! PIN are back. The operators' page says so.
//!
//! The anchor is written after the commit that it tells of, at most a second later: so it may lag, never lead,
//! and a crash between the two is no alarm.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::Store;
use crate::core::port::random::bytes;
use crate::core::port::store::{Kind, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::trail::Trail;
use crate::trail::audit::{Checkpoint, Event};
use crate::trail::jobs::Upkeep;

/// What lies between one accepted rollback and the next. A database that never had one has the era 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Era {
    pub(crate) number: u64,
    /// Random: two eras of one number, of two histories, are not the same.
    pub(crate) mark: String,
    pub(crate) since: Timestamp,
    /// Seconds of which the database may have forgotten everything; `None`: nobody can tell.
    forgotten: Option<u64>,
    walk: RollbackWalk,
}

/// How far limiting everything to one try is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
enum RollbackWalk {
    At {
        /// The place in the order of the walk.
        kind: usize,
        after: [u8; 16],
        /// Rows limited or ended so far.
        #[serde(rename = "burned")]
        rows: u64,
    },
    #[default]
    Done,
}

impl Record for Era {
    const KIND: Kind = "era";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// What a database shows of the checkpoint that is kept outside it.
struct SeenCheckpoint {
    /// Whether the checkpoint was signed with these keys.
    genuine: bool,
    /// The number of the last link; 0 when there is none.
    end: u64,
    /// The tag of the link of the checkpoint's number.
    tag: Option<String>,
}

impl Era {
    /// How fresh a database is when no checkpoint is kept outside it: nothing can be compared, so it is accepted.
    fn freshness(&self) -> Freshness {
        match self.walk {
            RollbackWalk::Done => Freshness::Current,
            RollbackWalk::At { .. } => Freshness::Limiting,
        }
    }

    /// Compares a database of this era with the checkpoint that is kept outside it.
    fn freshness_against(&self, anchor: &Checkpoint, seen: &SeenCheckpoint) -> Freshness {
        if self.walk != RollbackWalk::Done {
            return Freshness::Limiting;
        }
        if !seen.genuine {
            return Freshness::older(
                "the anchor is not signed with these keys: it was changed, or belongs to another database; put its own \
                 copy back first",
            );
        }
        if self.number > anchor.era {
            return Freshness::Current;
        }
        if self.number < anchor.era || self.mark != anchor.era_mark {
            return Freshness::older(format!(
                "a rollback was accepted at the beginning of era {}, and this database does not know of it",
                anchor.era
            ));
        }
        if seen.end < anchor.number {
            return Freshness::older(format!(
                "its audit chain ends at link {}, and link {} was seen at {}",
                seen.end,
                anchor.number,
                anchor.at.rfc3339()
            ));
        }
        if seen.tag.as_ref() == Some(&anchor.tag) {
            return Freshness::Current;
        }
        Freshness::older(format!(
            "link {} of its audit chain is not the one that was seen at {}",
            anchor.number,
            anchor.at.rfc3339()
        ))
    }
}

/// What a database that was put back may have forgotten about each budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost {
    /// The era that begins with this loss.
    pub(crate) era: u64,
    /// How long ago the database was the newest one, at most; `None`: nobody can tell.
    pub(crate) span: Option<Duration>,
}

/// Rows in one transaction of the walk.
const PAGE: usize = 200;

/// What one page of the walk came to.
struct WalkedPage {
    rows: u64,
    /// Where the next begins; `None`: that was the last.
    next: Option<(usize, RowId)>,
}

/// Whether a database is the newest one, compared with the checkpoint that is kept outside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freshness {
    /// It is at least as new.
    Current,
    /// A rollback was accepted, and limiting everything to one try is not complete.
    Limiting,
    /// It is an older one, or belongs to another history.
    Older { why: String },
}

impl Freshness {
    fn older(why: impl Into<String>) -> Self {
        Self::Older { why: why.into() }
    }
}

/// How far the walk over an accepted older database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollbackProgress {
    /// Rows changed or ended so far.
    pub rows: u64,
    pub done: bool,
}

impl Trail {
    pub(crate) async fn era(&self, store: &dyn Store) -> Result<Era, Error> {
        let id: Id<Era> = self.rows.named(&[]);
        let era = self.rows.read(store, id).await?;
        Ok(era.map(|era| era.value).unwrap_or_default())
    }

    /// Step 2. `store`: the hub's own, without what stands before it while it is refused.
    /// Fails as the store does; without an anchor nothing can be told, and the database is taken as it is.
    pub(crate) async fn freshness(
        &self,
        store: &dyn Store,
        anchor: Option<&Checkpoint>,
    ) -> Result<Freshness, Error> {
        let era = self.era(store).await?;
        let Some(anchor) = anchor else {
            return Ok(era.freshness());
        };
        let end = self.audit_head(store).await?;
        let end = end.map_or(0, |end| end.number);
        // Only of the same era: in any other, the link decides nothing, and may be unreadable.
        let tag = if era.number == anchor.era && end >= anchor.number {
            let link = self.audit_link(store, anchor.number).await?;
            link.map(|link| link.tag)
        } else {
            None
        };
        let genuine = self.is_genuine(anchor)?;
        Ok(era.freshness_against(anchor, &SeenCheckpoint { genuine, end, tag }))
    }

    /// Step 3. Begins a new era, newer than that of `anchor`, or joins the one whose walk is not at its end.
    pub(crate) async fn begin_era(
        self: &Arc<Self>,
        anchor: Option<&Checkpoint>,
    ) -> Result<(), Error> {
        let now = self.now();
        let forgotten = self.forgotten(now).await?;
        let least = anchor.map_or(0, |anchor| anchor.era);
        self.write(move |hub, tx| {
            let id: Id<Era> = hub.rows.named(&[]);
            let known = hub.rows.get(tx, id)?;
            if known
                .as_ref()
                .is_some_and(|era| era.walk != RollbackWalk::Done)
            {
                return Ok(());
            }
            let number = known.as_ref().map_or(0, |era| era.number).max(least) + 1;
            let era = Era {
                number,
                mark: hex::encode(bytes::<16>(hub.random.as_ref())),
                since: now,
                forgotten,
                walk: RollbackWalk::At {
                    kind: 0,
                    after: [0; 16],
                    rows: 0,
                },
            };
            if let Some(mut known) = known {
                known.value = era;
                hub.rows.put(tx, &mut known)?;
            } else {
                hub.rows.create(tx, hub.tenant(), Place::at(id), era)?;
            }
            let event = Event::new("server", now, "rollback.accept", format!("era {number}"));
            let seconds = forgotten.map_or_else(|| "unknown".to_owned(), |span| span.to_string());
            hub.record(tx, event.fact("seconds_forgotten", seconds))
        })
        .await
    }

    /// Whether something that was made at `made` may be older than the running era, and so have been used
    /// in a history that is forgotten. `span`: how far the clock of its maker may be ahead.
    pub(crate) fn is_of_forgotten_time(
        &self,
        tx: &mut dyn crate::core::port::store::Tx,
        made: Timestamp,
        span: Duration,
    ) -> TxResult<bool> {
        let id: Id<Era> = self.rows.named(&[]);
        let era = self.rows.peek(tx, id)?;
        Ok(era.is_some_and(|era| made <= era.since.plus(span)))
    }

    /// Seconds since the newest moment that the database knows.
    async fn forgotten(&self, now: Timestamp) -> Result<Option<u64>, Error> {
        let store = self.store.as_ref();
        let Some(end) = self.audit_head(store).await? else {
            return Ok(None);
        };
        let link = self.audit_link(store, end.number).await?;
        let newest = link.and_then(|link| link.events.iter().map(|event| event.at).max());
        Ok(newest.map(|newest| now.since(newest).as_secs()))
    }
}

impl Upkeep {
    /// Step 4, one page of it.
    pub async fn limit_after_rollback(self: &Arc<Self>) -> Result<RollbackProgress, Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let id: Id<Era> = hub.rows.named(&[]);
            let Some(mut era) = hub.rows.get(tx, id)? else {
                return Err(Error::bug("no rollback was accepted").into());
            };
            let RollbackWalk::At { kind, after, rows } = era.walk else {
                return Ok(RollbackProgress {
                    rows: 0,
                    done: true,
                });
            };
            let lost = Lost {
                era: era.number,
                span: era.forgotten.map(Duration::from_secs),
            };
            let page = hub.limit_page(tx, now, lost, (kind, RowId(after)))?;
            let rows = rows + page.rows;
            let done = page.next.is_none();
            era.walk = match page.next {
                Some((kind, after)) => RollbackWalk::At {
                    kind,
                    after: after.0,
                    rows,
                },
                None => RollbackWalk::Done,
            };
            let number = era.number;
            hub.rows.put(tx, &mut era)?;
            if done {
                let event = Event::new("server", now, "rollback.burn", format!("era {number}"));
                hub.record(tx, event.fact("rows", rows.to_string()))?;
            }
            Ok(RollbackProgress { rows, done })
        })
        .await
    }

    fn limit_page(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        lost: Lost,
        (at, after): (usize, RowId),
    ) -> TxResult<WalkedPage> {
        let Some(kind) = self.walk.get(at).copied() else {
            return Ok(WalkedPage {
                rows: 0,
                next: None,
            });
        };
        let found = tx.scan(Some((kind, after)), PAGE)?;
        let rows: Vec<RowId> = found
            .iter()
            .take_while(|row| row.kind == kind)
            .map(|row| row.row.id)
            .collect();
        for id in &rows {
            self.limit_row(tx, now, lost, (kind, *id))?;
        }
        let next = after_page(at, found.len(), &rows);
        Ok(WalkedPage {
            rows: rows.len() as u64,
            next: (next.0 < self.walk.len()).then_some(next),
        })
    }

    fn limit_row(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        lost: Lost,
        (kind, id): (Kind, RowId),
    ) -> TxResult<()> {
        if self.on_rollback(kind) == OnRollback::Ended {
            return tx.remove(kind, &id).map(|_| ());
        }
        for room in &self.rooms {
            if room.after_rollback(tx, now, lost, (kind, id))? {
                return Ok(());
            }
        }
        Err(Error::bug(format!("no room limits rows of kind {kind}")).into())
    }
}

/// Where the walk goes on after a page: behind its last row if more rows of the kind may follow, else at the next kind.
/// `found`: rows in the page, of which `rows` are of the kind at `at`.
fn after_page(at: usize, found: usize, rows: &[RowId]) -> (usize, RowId) {
    match rows.last() {
        Some(end) if found == PAGE && rows.len() == found => (at, *end),
        _ => (at + 1, RowId([0; 16])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn era(number: u64, mark: &str, walk: RollbackWalk) -> Era {
        Era {
            number,
            mark: mark.to_owned(),
            walk,
            ..Era::default()
        }
    }

    fn anchor(number: u64, era: u64, era_mark: &str) -> Checkpoint {
        Checkpoint {
            number,
            tag: "tag".to_owned(),
            at: Timestamp::from_millis(0),
            era,
            era_mark: era_mark.to_owned(),
            signature: String::new(),
        }
    }

    fn seen(end: u64, tag: Option<&str>) -> SeenCheckpoint {
        SeenCheckpoint {
            genuine: true,
            end,
            tag: tag.map(str::to_owned),
        }
    }

    const WALKING: RollbackWalk = RollbackWalk::At {
        kind: 0,
        after: [0; 16],
        rows: 0,
    };

    fn why(freshness: Freshness) -> String {
        match freshness {
            Freshness::Older { why } => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_a_checkpoint_a_database_is_taken_as_it_is_unless_its_walk_goes_on() {
        assert_eq!(Era::default().freshness(), Freshness::Current);
        assert_eq!(era(1, "m", WALKING).freshness(), Freshness::Limiting);
    }

    #[test]
    fn a_walk_that_goes_on_comes_before_every_comparison() {
        let wrong = SeenCheckpoint {
            genuine: false,
            ..seen(0, None)
        };
        let freshness = era(1, "m", WALKING).freshness_against(&anchor(9, 0, ""), &wrong);
        assert_eq!(freshness, Freshness::Limiting);
    }

    #[test]
    fn a_checkpoint_of_other_keys_refuses_the_database() {
        let wrong = SeenCheckpoint {
            genuine: false,
            ..seen(5, Some("tag"))
        };
        let freshness = Era::default().freshness_against(&anchor(5, 0, ""), &wrong);
        assert!(why(freshness).contains("not signed with these keys"));
    }

    #[test]
    fn the_same_link_or_a_longer_chain_is_current() {
        for end in [5, 6] {
            let freshness =
                Era::default().freshness_against(&anchor(5, 0, ""), &seen(end, Some("tag")));
            assert_eq!(freshness, Freshness::Current);
        }
    }

    #[test]
    fn a_shorter_chain_or_another_link_is_an_older_database() {
        let shorter = Era::default().freshness_against(&anchor(5, 0, ""), &seen(4, None));
        assert!(why(shorter).contains("ends at link 4, and link 5 was seen"));
        for tag in [None, Some("another")] {
            let other = Era::default().freshness_against(&anchor(5, 0, ""), &seen(5, tag));
            assert!(why(other).contains("link 5 of its audit chain is not the one"));
        }
    }

    #[test]
    fn a_newer_era_is_current_whatever_the_chain_says() {
        let freshness =
            era(2, "m", RollbackWalk::Done).freshness_against(&anchor(9, 1, "x"), &seen(1, None));
        assert_eq!(freshness, Freshness::Current);
    }

    #[test]
    fn an_older_era_or_one_of_another_history_is_refused() {
        for era in [
            era(0, "", RollbackWalk::Done),
            era(1, "other", RollbackWalk::Done),
        ] {
            let freshness = era.freshness_against(&anchor(1, 1, "mark"), &seen(9, Some("tag")));
            assert!(why(freshness).contains("accepted at the beginning of era 1"));
        }
    }

    #[test]
    fn a_full_page_of_one_kind_goes_on_behind_its_last_row() {
        let mut rows = vec![RowId([1; 16]); PAGE];
        rows[PAGE - 1] = RowId([7; 16]);
        assert_eq!(after_page(3, PAGE, &rows), (3, RowId([7; 16])));
    }

    #[test]
    fn a_page_that_ends_with_other_kinds_or_early_goes_on_at_the_next_kind() {
        let next = (4, RowId([0; 16]));
        let rows = vec![RowId([1; 16]); PAGE - 1];
        assert_eq!(
            after_page(3, PAGE, &rows),
            next,
            "the last row is another kind's"
        );
        assert_eq!(after_page(3, PAGE - 1, &rows), next, "no row follows");
        assert_eq!(after_page(3, PAGE, &[]), next, "all rows are other kinds'");
        assert_eq!(after_page(3, 0, &[]), next);
    }

    #[test]
    fn a_walk_is_stored_under_the_names_that_older_releases_know() {
        let stored = serde_json::to_value(WALKING).unwrap();
        let at = serde_json::json!({"At": {"kind": 0, "after": vec![0; 16], "burned": 0}});
        assert_eq!(stored, at);
        let done = serde_json::to_value(RollbackWalk::Done).unwrap();
        assert_eq!(done, serde_json::json!("Done"));
    }
}
