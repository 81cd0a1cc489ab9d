//! What older root keys sealed is sealed anew, once a root has a newer version.
//!
//! 1. A row for each root says which version everything is being sealed with, and how far the walk is.
//! 2. A step seals a page of rows and moves that row, in one transaction: any number of nodes walk as one,
//!    and a killed node leaves nothing half done.
//! 3. A node that runs with the key file of before may still seal with the older version. So the first walk,
//!    and each that found something, is followed by another, and so is the start of a node.
//!
//! Only what the roots seal themselves is touched: data keys and recovery envelopes. Rows stay sealed with
//! their data keys. PINs, passwords and codes cannot be peppered anew without their owners: those that are
//! proved are (`guarded_key::pin`, `proof::password`).

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::roots::Root;
use crate::core::port::store::{AnyRow, Kind, Row, RowId, Stop, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{DATA_KEY, Place, Rows, Stored};
use crate::core::time::{Timestamp, days};
use crate::trail::audit::Event;
use crate::trail::jobs::Upkeep;

/// The roots that seal, and the rows where what they sealed lies.
const WALKS: [(Root, Kind); 2] = [(Root::Data, DATA_KEY), (Root::Recovery, "guarded_key")];
/// Rows in one transaction.
const PAGE: usize = 100;
/// Between a walk and the next: nodes are started with the new key file meanwhile.
const AGAIN: Duration = Duration::from_secs(3600);
/// For so long a node that is started has everything looked through once more: it may be the last of a
/// rotation that took its time.
const LATE: Duration = days(30);

/// How far the rows of one root are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Resealing {
    version: u32,
    walk: ResealingWalk,
    /// Rows sealed anew, in all walks.
    sealed: u64,
    /// Rows that the last walk could not open.
    unreadable: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum ResealingWalk {
    At {
        after: [u8; 16],
        sealed: u64,
        first: bool,
    },
    Again {
        at: Timestamp,
    },
    Done {
        at: Timestamp,
    },
}

impl Record for Resealing {
    const KIND: Kind = "resealing";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

impl Resealing {
    fn first(version: u32) -> Self {
        Self {
            version,
            walk: ResealingWalk::At {
                after: [0; 16],
                sealed: 0,
                first: true,
            },
            sealed: 0,
            unreadable: 0,
        }
    }

    fn again(&mut self) {
        self.walk = ResealingWalk::At {
            after: [0; 16],
            sealed: 0,
            first: false,
        };
        self.unreadable = 0;
    }

    /// Begins the walk that is due, unless it is under way. Returns the row after which it goes on.
    fn go_on(&mut self, current: u32) -> RowId {
        if self.version < current {
            *self = Self::first(current);
        }
        if let ResealingWalk::At { after, .. } = self.walk {
            return RowId(after);
        }
        self.again();
        RowId([0; 16])
    }

    /// Adds a page to the walk. After the last page, returns how many rows the walk has sealed anew.
    fn add(&mut self, page: &ResealedPage, now: Timestamp) -> Option<u64> {
        let ResealingWalk::At {
            after,
            sealed,
            first,
        } = &mut self.walk
        else {
            return None;
        };
        *sealed += page.sealed;
        self.unreadable += page.unreadable;
        if let Some(next) = page.next {
            *after = next.0;
            return None;
        }
        let (sealed, first) = (*sealed, *first);
        self.sealed += sealed;
        self.walk = if first || sealed > 0 {
            ResealingWalk::Again {
                at: now.plus(AGAIN),
            }
        } else {
            ResealingWalk::Done { at: now }
        };
        Some(sealed)
    }

    /// Whether a node that seals with `current`, and began at `started`, has something to do.
    fn is_due(&self, current: u32, now: Timestamp, started: Timestamp) -> bool {
        match (self.version.cmp(&current), &self.walk) {
            // Another key file is newer than this node's.
            (Ordering::Greater, _) => false,
            (Ordering::Less, _) | (_, ResealingWalk::At { .. }) => true,
            (_, ResealingWalk::Again { at }) => *at <= now,
            (_, ResealingWalk::Done { at }) => *at < started && started < at.plus(LATE),
        }
    }
}

/// What one page of a walk came to.
#[derive(Debug, Default)]
struct ResealedPage {
    /// Rows sealed anew.
    sealed: u64,
    /// Rows that could not be opened.
    unreadable: u64,
    /// The row after which the next page begins; `None`: this was the last.
    next: Option<RowId>,
}

/// How one root stands, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootState {
    pub root: Root,
    /// The version that this server seals with.
    pub version: u32,
    pub progress: Progress,
}

/// Whether what lies in the database is sealed with the newest version of a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It never had another version.
    First,
    /// Rows are being sealed anew: so many so far.
    Walking { sealed: u64 },
    /// All were; the database is looked through once more then.
    Again { at: Timestamp, sealed: u64 },
    /// Nothing sealed with an older version is left, but for rows that cannot be opened at all.
    Done { sealed: u64, unreadable: u64 },
}

impl Progress {
    /// How far the rows of a root are whose newest version is `version`.
    fn of(kept: Option<&Resealing>, version: u32) -> Self {
        let Some(kept) = kept.filter(|kept| kept.version >= version) else {
            return match version {
                1 => Self::First,
                _ => Self::Walking { sealed: 0 },
            };
        };
        match kept.walk {
            ResealingWalk::At { sealed, .. } => Self::Walking {
                sealed: kept.sealed + sealed,
            },
            ResealingWalk::Again { at } => Self::Again {
                at,
                sealed: kept.sealed,
            },
            ResealingWalk::Done { .. } => Self::Done {
                sealed: kept.sealed,
                unreadable: kept.unreadable,
            },
        }
    }
}

impl Upkeep {
    /// How the roots stand that seal what lies in the database.
    pub async fn root_states(&self) -> Result<Vec<RootState>, Error> {
        let mut states = Vec::new();
        for (root, _) in WALKS {
            let version = self.roots.current(root);
            let kept = match version {
                1 => None,
                _ => self.resealing(root).await?,
            };
            let kept = kept.map(|kept| kept.value);
            let progress = Progress::of(kept.as_ref(), version);
            states.push(RootState {
                root,
                version,
                progress,
            });
        }
        Ok(states)
    }

    /// Seals a page of rows anew, if any wait for it. Whether there is more to do at once.
    pub async fn reseal(self: &Arc<Self>) -> Result<bool, Error> {
        let (mut more, mut failed) = (false, None);
        for walk in WALKS {
            // What keeps the rows of one root from it does not keep those of the other.
            match self.reseal_some(walk).await {
                Ok(goes_on) => more |= goes_on,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(more), Err)
    }

    async fn reseal_some(self: &Arc<Self>, (root, kind): (Root, Kind)) -> Result<bool, Error> {
        let current = self.roots.current(root);
        // Nothing is older than the first version.
        if current == 1 {
            return Ok(false);
        }
        let (now, kept) = (self.now(), self.resealing(root).await?);
        if kept.is_some_and(|kept| !kept.is_due(current, now, self.started)) {
            return Ok(false);
        }
        self.write(move |hub, tx| hub.reseal_page(tx, now, (root, kind)))
            .await
    }

    async fn resealing(&self, root: Root) -> Result<Option<Stored<Resealing>>, Error> {
        let id: Id<Resealing> = self.rows.named(&[root.name().as_bytes()]);
        match self.rows.read(self.store.as_ref(), id).await {
            // Then everything is looked through anew.
            Err(Error::Bug(error)) => {
                unreadable(Resealing::KIND, error.as_ref());
                Ok(None)
            }
            found => found,
        }
    }

    /// Step 2. Whether the walk goes on.
    fn reseal_page(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        (root, kind): (Root, Kind),
    ) -> TxResult<bool> {
        let current = self.roots.current(root);
        let mut state = self.held_resealing(tx, root, current)?;
        if !state.is_due(current, now, self.started) {
            return Ok(false);
        }
        let after = state.go_on(current);
        let found = tx.scan(Some((kind, after)), PAGE)?;
        let page = self.reseal_rows(tx, kind, &found)?;
        if let Some(rows) = state.add(&page, now) {
            let event = Event::new("server", now, "root.reseal", root.name().to_owned())
                .fact("version", current.to_string())
                .fact("rows", rows.to_string());
            self.record(tx, event)?;
        }
        self.rows.put(tx, &mut state)?;
        Ok(page.next.is_some())
    }

    /// The state of a root, held. A row that cannot be opened is removed, and everything is looked through anew.
    fn held_resealing(
        &self,
        tx: &mut dyn Tx,
        root: Root,
        current: u32,
    ) -> TxResult<Stored<Resealing>> {
        let id: Id<Resealing> = self.rows.named(&[root.name().as_bytes()]);
        let kept = match self.rows.get(tx, id) {
            Err(Stop::Failed(Error::Bug(_))) => {
                tx.remove(Resealing::KIND, &id.row())?;
                None
            }
            found => found?,
        };
        Ok(kept.unwrap_or_else(|| {
            Rows::blank(self.tenant(), Place::at(id), Resealing::first(current))
        }))
    }

    /// Seals the rows of `kind` anew with which `found` begins.
    fn reseal_rows(&self, tx: &mut dyn Tx, kind: Kind, found: &[AnyRow]) -> TxResult<ResealedPage> {
        let (mut page, mut end) = (ResealedPage::default(), None);
        for AnyRow { row, .. } in found.iter().take_while(|any| any.kind == kind) {
            end = Some(row.id);
            match self.reseal_row(tx, kind, row) {
                Ok(anew) => page.sealed += u64::from(anew),
                // A row that was changed outside the server must not stop the walk.
                Err(Stop::Failed(Error::Bug(error))) => {
                    page.unreadable += 1;
                    unreadable(kind, error.as_ref());
                }
                Err(stop) => return Err(stop),
            }
        }
        let goes_on = found.len() == PAGE && found.last().map(|any| any.row.id) == end;
        page.next = end.filter(|_| goes_on);
        Ok(page)
    }

    fn reseal_row(&self, tx: &mut dyn Tx, kind: Kind, row: &Row) -> TxResult<bool> {
        if kind == DATA_KEY {
            return self.rows.rewrap(tx, row);
        }
        for room in &self.rooms {
            if let Some(anew) = room.reseal(tx, kind, row)? {
                return Ok(anew);
            }
        }
        Err(Error::bug(format!("no room seals rows of kind {kind} anew")).into())
    }
}

fn unreadable(kind: Kind, error: &(dyn std::error::Error + 'static)) {
    tracing::error!(
        code = "row_unreadable",
        kind,
        error = crate::core::error::chain(error),
        "a row cannot be sealed anew"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + hours * 3_600_000)
    }

    fn state(version: u32, walk: ResealingWalk) -> Resealing {
        Resealing {
            version,
            walk,
            sealed: 7,
            unreadable: 2,
        }
    }

    fn walking(sealed: u64) -> ResealingWalk {
        ResealingWalk::At {
            after: [0; 16],
            sealed,
            first: false,
        }
    }

    #[test]
    fn a_walk_of_an_older_version_or_one_under_way_is_due() {
        for walk in [walking(0), ResealingWalk::Done { at: at(0) }] {
            assert!(state(1, walk).is_due(2, at(1), at(0)));
        }
        assert!(state(2, walking(5)).is_due(2, at(1), at(0)));
    }

    #[test]
    fn a_node_with_an_older_key_file_leaves_the_walk_alone() {
        for walk in [walking(0), ResealingWalk::Again { at: at(0) }] {
            assert!(!state(3, walk).is_due(2, at(9), at(0)));
        }
    }

    #[test]
    fn the_next_walk_begins_at_its_moment() {
        let state = state(2, ResealingWalk::Again { at: at(5) });
        assert!(!state.is_due(2, at(4), at(0)));
        assert!(state.is_due(2, at(5), at(0)));
    }

    #[test]
    fn a_node_that_starts_within_thirty_days_after_the_walk_looks_once_more() {
        let state = state(2, ResealingWalk::Done { at: at(0) });
        assert!(
            !state.is_due(2, at(2), at(-1)),
            "it ran before the walk ended"
        );
        assert!(!state.is_due(2, at(2), at(0)));
        assert!(state.is_due(2, at(2), at(1)));
        assert!(state.is_due(2, at(2), at(24 * 30 - 1)));
        assert!(
            !state.is_due(2, at(2), at(24 * 30)),
            "a rotation is over by then"
        );
    }

    #[test]
    fn progress_says_what_was_sealed_and_what_could_not_be_opened() {
        for (kept, version, expected) in [
            (None, 1, Progress::First),
            (None, 2, Progress::Walking { sealed: 0 }),
            (
                Some(state(1, walking(3))),
                2,
                Progress::Walking { sealed: 0 },
            ),
            (
                Some(state(2, walking(3))),
                2,
                Progress::Walking { sealed: 10 },
            ),
            (
                Some(state(2, ResealingWalk::Again { at: at(1) })),
                2,
                Progress::Again {
                    at: at(1),
                    sealed: 7,
                },
            ),
            (
                Some(state(2, ResealingWalk::Done { at: at(1) })),
                2,
                Progress::Done {
                    sealed: 7,
                    unreadable: 2,
                },
            ),
        ] {
            assert_eq!(Progress::of(kept.as_ref(), version), expected);
        }
    }

    fn page(sealed: u64, next: Option<RowId>) -> ResealedPage {
        ResealedPage {
            sealed,
            unreadable: 1,
            next,
        }
    }

    #[test]
    fn a_newer_version_begins_from_the_start_and_a_walk_under_way_goes_on_where_it_was() {
        let mut older = state(1, ResealingWalk::Done { at: at(0) });
        assert_eq!(older.go_on(2), RowId([0; 16]));
        assert_eq!(older, Resealing::first(2));
        let under_way = ResealingWalk::At {
            after: [9; 16],
            sealed: 3,
            first: true,
        };
        let mut under_way = state(2, under_way);
        let before = under_way.clone();
        assert_eq!(under_way.go_on(2), RowId([9; 16]));
        assert_eq!(under_way, before);
        let mut again = state(2, ResealingWalk::Again { at: at(1) });
        assert_eq!(again.go_on(2), RowId([0; 16]));
        assert_eq!(again.walk, walking(0));
    }

    #[test]
    fn a_page_in_the_middle_moves_the_walk_and_counts_what_it_met() {
        let mut state = state(2, walking(5));
        assert_eq!(state.add(&page(3, Some(RowId([4; 16]))), at(1)), None);
        let expected = ResealingWalk::At {
            after: [4; 16],
            sealed: 8,
            first: false,
        };
        assert_eq!(state.walk, expected);
        assert_eq!((state.sealed, state.unreadable), (7, 3));
    }

    #[test]
    fn the_last_page_ends_the_walk_and_only_one_that_sealed_nothing_is_the_last_walk() {
        let soon = ResealingWalk::Again {
            at: at(1).plus(AGAIN),
        };
        for (before, page_sealed, expected) in [
            (0, 0, ResealingWalk::Done { at: at(1) }),
            (0, 2, soon.clone()),
            (5, 0, soon.clone()),
        ] {
            let mut state = state(2, walking(before));
            let rows = before + page_sealed;
            assert_eq!(state.add(&page(page_sealed, None), at(1)), Some(rows));
            assert_eq!((state.walk, state.sealed), (expected, 7 + rows));
        }
        let mut first = Resealing::first(2);
        assert_eq!(first.add(&page(0, None), at(1)), Some(0));
        assert_eq!(first.walk, soon, "an older node may still have sealed rows");
    }

    #[test]
    fn a_page_after_the_end_changes_nothing() {
        let mut done = state(2, ResealingWalk::Done { at: at(0) });
        let before = done.clone();
        assert_eq!(done.add(&page(3, None), at(1)), None);
        assert_eq!(done, before);
    }

    #[test]
    fn a_walk_that_begins_again_keeps_what_was_sealed_and_forgets_what_was_unreadable() {
        let mut state = state(2, ResealingWalk::Done { at: at(0) });
        state.again();
        assert_eq!((state.sealed, state.unreadable), (7, 0));
        assert_eq!(state.walk, walking(0));
    }
}
