//! Single rows that several callers want at once, asked for together.
//!
//! Whoever finds fewer than [`LEADERS`] questions on their way leads: it asks for its own row and for those of all who
//! wait, in one statement. Who comes meanwhile waits; when a question is answered, one of them leads the next. So a row
//! costs a round trip when the server is idle, and a fraction of one when it is busy. Each answer is of a moment after
//! its caller asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::Error;
use domain::port::store::{Kind, Row, RowId};
use tokio::sync::oneshot;

use super::fault::{self, Fault};
use super::pipeline::{Reply, Step, Value};
use super::rows::{one, row_of};
use crate::failure::Failure;

/// Questions on their way at once: while the server works at one, the next is collected.
const LEADERS: usize = 2;
/// Rows in one question.
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

/// What one who waits is told.
pub(super) enum Told {
    Answer(Result<Option<Row>, Error>),
    /// Ask for your own row and for those of the others.
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

    /// Makes one who waits the next leader; those who hung up are passed over.
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

/// One of the [`LEADERS`]. It goes on to the next when it is dropped, also by one who hung up before taking it up.
pub(super) struct Leadership(Option<Gather>);

impl Leadership {
    /// A question for this row and for those that are waited for.
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

/// One question. Dropping it, answered or not, lets the next one lead.
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

    /// Tells the others, and gives the row of the leader's own.
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

    /// Which of the wishes a row answers: the names of kinds are the program's own, not the database's.
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
            .ok_or_else(|| Failure::new("PostgreSQL gave a row that nobody asked for").bug())
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        // Who was not answered, because the leader's caller hung up, is first in the line again.
        let unanswered = std::mem::take(&mut self.others);
        if let Some(gather) = &self.leadership.0 {
            let mut state = gather.state();
            for wish in unanswered.into_iter().rev() {
                state.waiting.push_front(wish);
            }
        }
    }
}
