//! Turns: tries at one subject wait in line, a bounded line, instead of racing.
//!
//! This is politeness within one process. What is exact, the guess budget, is in the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::core::error::Error;
use crate::core::port::store::RowId;

/// The lines of all subjects.
pub struct Turns {
    lines: Arc<Mutex<HashMap<RowId, Line>>>,
    abreast: usize,
    longest: usize,
}

struct Line {
    abreast: Arc<Semaphore>,
    callers: usize,
}

impl Turns {
    /// `abreast` callers of one subject go at once, `longest` more may wait.
    pub fn new(abreast: usize, longest: usize) -> Self {
        Self {
            lines: Arc::default(),
            abreast: abreast.max(1),
            longest,
        }
    }

    /// Waits for a turn at `subject`; `Error::Busy` when the line is full.
    pub async fn join(&self, subject: RowId) -> Result<Turn, Error> {
        let (place, abreast) = self.enter(subject)?;
        let permit = abreast.acquire_owned().await.map_err(Error::bug)?;
        Ok(Turn {
            _permit: permit,
            _place: place,
        })
    }

    fn enter(&self, subject: RowId) -> Result<(LinePlace, Arc<Semaphore>), Error> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry(subject).or_insert_with(|| Line {
            abreast: Arc::new(Semaphore::new(self.abreast)),
            callers: 0,
        });
        if line.callers >= self.abreast + self.longest {
            return Err(Error::Busy { seconds: 1 });
        }
        line.callers += 1;
        let abreast = Arc::clone(&line.abreast);
        Ok((
            LinePlace {
                subject,
                lines: Arc::clone(&self.lines),
            },
            abreast,
        ))
    }
}

/// A turn that is being taken; ends when dropped.
pub struct Turn {
    _permit: OwnedSemaphorePermit,
    _place: LinePlace,
}

struct LinePlace {
    subject: RowId,
    lines: Arc<Mutex<HashMap<RowId, Line>>>,
}

impl Drop for LinePlace {
    fn drop(&mut self) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get_mut(&self.subject) {
            line.callers -= 1;
            if line.callers == 0 {
                lines.remove(&self.subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_line_turns_away_and_leaves_no_trace_when_empty() {
        let turns = Turns::new(1, 1);
        let subject = RowId([1; 16]);
        let first = turns.join(subject).await.unwrap();
        let second = turns.enter(subject).unwrap();
        assert!(matches!(turns.join(subject).await, Err(Error::Busy { .. })));
        assert!(turns.join(RowId([2; 16])).await.is_ok());
        drop(second);
        drop(first);
        assert!(turns.lines.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn as_many_as_may_go_at_once_do_and_the_next_waits_for_the_first_to_end() {
        let turns = Arc::new(Turns::new(2, 1));
        let subject = RowId([1; 16]);
        let first = turns.join(subject).await.unwrap();
        let second = turns.join(subject).await.unwrap();
        let line = Arc::clone(&turns);
        let waiting = tokio::spawn(async move { line.join(subject).await.map(drop) });
        while turns.lines.lock().unwrap()[&subject].callers < 3 {
            tokio::task::yield_now().await;
        }
        assert!(!waiting.is_finished());
        drop(first);
        waiting.await.unwrap().unwrap();
        drop(second);
        assert!(turns.lines.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_caller_that_hangs_up_leaves_its_place() {
        let turns = Arc::new(Turns::new(1, 1));
        let subject = RowId([1; 16]);
        let first = turns.join(subject).await.unwrap();
        let line = Arc::clone(&turns);
        let waiting = tokio::spawn(async move { line.join(subject).await.map(drop) });
        while turns.lines.lock().unwrap()[&subject].callers < 2 {
            tokio::task::yield_now().await;
        }
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert_eq!(turns.lines.lock().unwrap()[&subject].callers, 1);
        drop(first);
    }

    #[tokio::test]
    async fn one_may_always_go() {
        let turns = Turns::new(0, 0);
        let subject = RowId([1; 16]);
        let turn = turns.join(subject).await.unwrap();
        assert!(matches!(turns.join(subject).await, Err(Error::Busy { .. })));
        drop(turn);
        assert!(turns.join(subject).await.is_ok());
    }
}
