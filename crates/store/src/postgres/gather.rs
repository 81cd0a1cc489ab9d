//! Combines look-ups of single rows by several callers into one statement.
//!
//! A caller that finds fewer than [`LEADERS`] queries in progress becomes a leader: it queries its own row and the
//! rows of all waiting callers in one statement. Callers that come meanwhile wait; when a query is answered, one
//! of them leads the next. So a row costs one round trip when the server is idle, and a fraction of one when it is
//! busy. Each answer shows a moment after its caller asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::Error;
use domain::port::store::{Kind, Row, RowId};
use tokio::sync::oneshot;

use super::fault::{self, Fault};
use super::pipeline::{Reply, Step, Value};
use super::rows::{one, row_of};
use crate::failure::Failure;

/// Queries in progress at the same time: while the server works on one, the next is collected.
const LEADERS: usize = 2;
/// Maximum number of rows in one query.
const MOST: usize = 128;

const SOME: &str = "SELECT id, owner, rank, due, version, body, kind FROM sealed_row
     WHERE (kind, id) IN (SELECT * FROM unnest($1::text[], $2::bytea[]))";

#[derive(Clone, Default)]
pub(super) struct Gather(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    waiting: VecDeque<Wish>,
    leaders: usize,
}

struct Wish {
    kind: Kind,
    id: RowId,
    told: oneshot::Sender<Told>,
}

/// The message to a waiting caller.
pub(super) enum Told {
    Answer(Result<Option<Row>, Error>),
    /// Become the leader: query your own row and those of the others.
    Lead(Leadership),
}

pub(super) enum Turn {
    Lead(Lead),
    Wait(oneshot::Receiver<Told>),
}

impl Gather {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn join(&self, kind: Kind, id: RowId) -> Turn {
        let mut state = self.state();
        if state.leaders < LEADERS {
            state.leaders += 1;
            drop(state);
            return Turn::Lead(Leadership(Some(self.clone())).of(kind, id));
        }
        let (told, answer) = oneshot::channel();
        state.waiting.push_back(Wish { kind, id, told });
        Turn::Wait(answer)
    }

    /// Makes a waiting caller the next leader. Callers that have given up are skipped.
    fn hand_over(&self) {
        loop {
            let mut state = self.state();
            let Some(next) = state.waiting.pop_front() else {
                state.leaders -= 1;
                return;
            };
            drop(state);
            match next.told.send(Told::Lead(Leadership(Some(self.clone())))) {
                Err(Told::Lead(mut refused)) => refused.0 = None,
                _ => return,
            }
        }
    }
}

/// The right to be one of the [`LEADERS`]. When it is dropped, also by a caller that gave up before using it, the
/// next caller gets it.
pub(super) struct Leadership(Option<Gather>);

impl Leadership {
    /// Creates a query for this row and for those of the waiting callers.
    pub(super) fn of(self, kind: Kind, id: RowId) -> Lead {
        let mut others = Vec::new();
        if let Some(gather) = &self.0 {
            let mut state = gather.state();
            let count = state.waiting.len().min(MOST - 1);
            others.extend(state.waiting.drain(..count));
        }
        Lead {
            leadership: self,
            own: (kind, id),
            others,
        }
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        if let Some(gather) = self.0.take() {
            gather.hand_over();
        }
    }
}

/// One query. When it is dropped, answered or not, the next caller leads.
pub(super) struct Lead {
    leadership: Leadership,
    own: (Kind, RowId),
    others: Vec<Wish>,
}

impl Lead {
    pub(super) fn step(&self) -> Step {
        let (kind, id) = &self.own;
        if self.others.is_empty() {
            return one(kind, id);
        }
        let wishes = || self.others.iter().map(|wish| (&wish.kind, &wish.id));
        let kinds = wishes().map(|(kind, _)| (*kind).to_owned());
        let ids = wishes().map(|(_, id)| id.0.to_vec());
        Step::Read(
            SOME,
            vec![
                Value::Texts(kinds.chain([(*kind).to_owned()]).collect()),
                Value::ManyBytes(ids.chain([id.0.to_vec()]).collect()),
            ],
        )
    }

    /// Sends the others their rows, and returns the leader's own row.
    pub(super) fn share(mut self, outcome: Result<Reply, Error>) -> Result<Option<Row>, Error> {
        let others = std::mem::take(&mut self.others);
        let rows = outcome.and_then(|reply| {
            let rows = reply.rows();
            if others.is_empty() {
                let row = rows.first().map(row_of).transpose();
                let own = row.map_err(Fault::into_error)?.map(|row| (self.own, row));
                return Ok(own.into_iter().collect());
            }
            rows.iter()
                .map(|columns| self.named(&others, columns))
                .collect()
        });
        let rows: HashMap<(Kind, RowId), Row> = match rows {
            Ok(rows) => rows,
            Err(error) => {
                for wish in others {
                    let same = Failure::new(domain::error::chain(&error));
                    let same = match &error {
                        Error::Bug(_) => same.bug(),
                        _ => same.unavailable(),
                    };
                    let _gone = wish.told.send(Told::Answer(Err(same)));
                }
                return Err(error);
            }
        };
        for wish in others {
            let row = rows.get(&(wish.kind, wish.id)).cloned();
            let _gone = wish.told.send(Told::Answer(Ok(row)));
        }
        Ok(rows.get(&self.own).cloned())
    }

    /// Finds the request that a row answers. Kinds are compared with those of the program, not taken from the
    /// database.
    fn named(
        &self,
        others: &[Wish],
        columns: &tokio_postgres::Row,
    ) -> Result<((Kind, RowId), Row), Error> {
        let row = row_of(columns).map_err(Fault::into_error)?;
        let kind: &str = columns
            .try_get(6)
            .map_err(|error| fault::of_error(error).into_error())?;
        others
            .iter()
            .map(|wish| (wish.kind, wish.id))
            .chain([self.own])
            .find(|(wished, id)| *wished == kind && *id == row.id)
            .map(|name| (name, row))
            .ok_or_else(|| Failure::new("PostgreSQL returned a row that was not requested").bug())
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        // Callers that got no answer, because the leader gave up, are first in the queue again.
        let unanswered = std::mem::take(&mut self.others);
        if let Some(gather) = &self.leadership.0 {
            let mut state = gather.state();
            for wish in unanswered.into_iter().rev() {
                state.waiting.push_front(wish);
            }
        }
    }
}
