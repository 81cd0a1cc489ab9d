//! What older root keys sealed is sealed anew, once a root has a newer version.
//!
//! 1. A row for each root says which version everything is being sealed with, and how far the walk is.
//! 2. A step seals a page of rows and moves that row, in one transaction: any number of nodes walk as one,
//!    and a killed node leaves nothing half done.
//! 3. A node that runs with the key file of before may still seal with the older version. So a walk that
//!    found something is followed by another; the one that finds nothing is the last.
//!
//! Only what the roots seal themselves is touched: data keys and recovery envelopes. Rows stay sealed with
//! their data keys. PINs, passwords and codes cannot be peppered anew without their owners: those that are
//! proved are (`custody::pin`, `password`).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::audit::Event;
use crate::custody::GuardedKey;
use crate::error::Error;
use crate::keeper::Keeper;
use crate::port::roots::Root;
use crate::port::store::{Kind, RowId, Stop, Tx, TxResult};
use crate::rows::{DATA_KEY, Place, Record, Stored};
use crate::time::Timestamp;

/// The roots that seal, and the rows where what they sealed lies.
const WALKS: [(Root, Kind); 2] = [(Root::Data, DATA_KEY), (Root::Recovery, GuardedKey::KIND)];
/// Rows in one transaction.
const PAGE: usize = 100;
/// Pages after which other jobs have their turn.
const TURN: usize = 20;
/// Between a walk that found something and the next: nodes are started with the new key file meanwhile.
const AGAIN: Duration = Duration::from_secs(3600);

/// How far the rows of one root are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Resealing {
    version: u32,
    walk: Walk,
    /// Rows sealed anew, in all walks.
    sealed: u64,
    /// Rows that the last walk could not open.
    unreadable: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Walk {
    At { after: [u8; 16], sealed: u64 },
    Again { at: Timestamp },
    Done,
}

impl Record for Resealing {
    const KIND: &'static str = "resealing";
}

impl Resealing {
    fn begin(version: u32, sealed: u64) -> Self {
        Self {
            version,
            walk: Walk::At {
                after: [0; 16],
                sealed: 0,
            },
            sealed,
            unreadable: 0,
        }
    }

    /// Whether a node that seals with `current` has something to do.
    fn is_due(&self, current: u32, now: Timestamp) -> bool {
        match (self.version.cmp(&current), &self.walk) {
            // Another key file is newer than this node's.
            (std::cmp::Ordering::Greater, _) => false,
            (std::cmp::Ordering::Less, _) | (_, Walk::At { .. }) => true,
            (_, Walk::Again { at }) => *at <= now,
            (_, Walk::Done) => false,
        }
    }
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

impl Keeper {
    /// How the roots stand that seal what lies in the database.
    pub async fn root_states(&self) -> Result<Vec<RootState>, Error> {
        let mut states = Vec::new();
        for (root, _) in WALKS {
            let version = self.roots.current(root);
            let kept = match version {
                1 => None,
                _ => self.resealing(root).await?,
            };
            let progress = match kept.map(|kept| kept.value) {
                None if version == 1 => Progress::First,
                None => Progress::Walking { sealed: 0 },
                Some(kept) if kept.version < version => Progress::Walking { sealed: 0 },
                Some(kept) => match kept.walk {
                    Walk::At { sealed, .. } => Progress::Walking {
                        sealed: kept.sealed + sealed,
                    },
                    Walk::Again { at } => Progress::Again {
                        at,
                        sealed: kept.sealed,
                    },
                    Walk::Done => Progress::Done {
                        sealed: kept.sealed,
                        unreadable: kept.unreadable,
                    },
                },
            };
            states.push(RootState {
                root,
                version,
                progress,
            });
        }
        Ok(states)
    }

    /// Seals some rows anew, if any wait for it.
    pub(crate) async fn reseal(self: &Arc<Self>) -> Result<(), Error> {
        for (root, kind) in WALKS {
            let current = self.roots.current(root);
            // Nothing is older than the first version.
            if current == 1 {
                continue;
            }
            for _ in 0..TURN {
                let (now, kept) = (self.now(), self.resealing(root).await?);
                if kept.is_some_and(|kept| !kept.is_due(current, now)) {
                    break;
                }
                self.write(move |keeper, tx| keeper.reseal_page(tx, now, (root, kind)))
                    .await?;
            }
        }
        Ok(())
    }

    async fn resealing(&self, root: Root) -> Result<Option<Stored<Resealing>>, Error> {
        let id = self.rows.id(Resealing::KIND, &[root.name().as_bytes()]);
        self.rows.read(self.store.as_ref(), id).await
    }

    /// Step 2.
    fn reseal_page(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        (root, kind): (Root, Kind),
    ) -> TxResult<()> {
        let current = self.roots.current(root);
        let id = self.rows.id(Resealing::KIND, &[root.name().as_bytes()]);
        let kept = self.rows.get::<Resealing>(tx, &id)?;
        let mut state = kept.unwrap_or_else(|| {
            crate::rows::Rows::blank(self.tenant(), Place::at(id), Resealing::begin(current, 0))
        });
        if !state.is_due(current, now) {
            return Ok(());
        }
        if state.version < current {
            state.value = Resealing::begin(current, 0);
        }
        let (after, before) = match state.walk {
            Walk::At { after, sealed } => (RowId(after), sealed),
            Walk::Again { .. } | Walk::Done => {
                state.value = Resealing::begin(current, state.sealed);
                (RowId([0; 16]), 0)
            }
        };
        let found = tx.scan(Some((kind, after)), PAGE)?;
        let full = found.len() == PAGE;
        let page: Vec<RowId> = found
            .iter()
            .take_while(|row| row.kind == kind)
            .map(|row| row.row.id)
            .collect();
        let mut sealed = before;
        for id in &page {
            match self.reseal_row(tx, root, id) {
                Ok(anew) => sealed += u64::from(anew),
                // One that was changed outside the server must not keep the others from being sealed.
                Err(Stop::Failed(Error::Bug(error))) => {
                    state.unreadable += 1;
                    tracing::error!(
                        code = "row_unreadable",
                        kind,
                        error = crate::error::chain(error.as_ref()),
                        "a row cannot be sealed anew"
                    );
                }
                Err(stop) => return Err(stop),
            }
        }
        state.walk = match page.last() {
            Some(end) if full && page.len() == found.len() => Walk::At {
                after: end.0,
                sealed,
            },
            _ => {
                state.sealed += sealed;
                let event = Event::new("server", now, "root.reseal", root.name().to_owned())
                    .fact("version", current.to_string())
                    .fact("rows", sealed.to_string());
                self.record(tx, event)?;
                match sealed {
                    0 => Walk::Done,
                    _ => Walk::Again {
                        at: now.plus(AGAIN),
                    },
                }
            }
        };
        self.rows.put(tx, &mut state)
    }

    fn reseal_row(&self, tx: &mut dyn Tx, root: Root, id: &RowId) -> TxResult<bool> {
        match root {
            Root::Recovery => self.rewrap_envelope(tx, id),
            _ => self.rows.rewrap(tx, id),
        }
    }
}
