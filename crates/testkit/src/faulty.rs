//! A database that can be taken away at a chosen moment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use domain::Error;
use domain::port::Store;
use domain::port::store::{Job, Kind, Row, RowId};

/// A real store behind a switch: what passes is done by that store, what does not is refused before it.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    writes: Writes,
    reads_refused: bool,
    /// Writes that were committed.
    committed: usize,
}

#[derive(Default, Clone, Copy)]
enum Writes {
    #[default]
    Pass,
    /// So many pass, then none.
    Left(usize),
}

impl FaultyStore {
    pub fn over(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            state: Mutex::default(),
        })
    }

    /// Lets `count` more writes pass and refuses all after them: the process died there, or the disk is full.
    pub fn refuse_writes_after(&self, count: usize) {
        self.state().writes = Writes::Left(count);
    }

    /// The database is away altogether.
    pub fn take_away(&self) {
        let mut state = self.state();
        state.writes = Writes::Left(0);
        state.reads_refused = true;
    }

    /// Everything passes again.
    pub fn give_back(&self) {
        let mut state = self.state();
        state.writes = Writes::Pass;
        state.reads_refused = false;
    }

    /// How many writes were committed so far.
    pub fn committed(&self) -> usize {
        self.state().committed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass_write(&self) -> Result<(), Error> {
        let mut state = self.state();
        match &mut state.writes {
            Writes::Pass => Ok(()),
            Writes::Left(0) => Err(away()),
            Writes::Left(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn pass_read(&self) -> Result<(), Error> {
        if self.state().reads_refused {
            Err(away())
        } else {
            Ok(())
        }
    }
}

fn away() -> Error {
    Error::unavailable("the database was taken away")
}

#[async_trait]
impl Store for FaultyStore {
    async fn write(&self, job: Job) -> Result<(), Error> {
        self.pass_write()?;
        self.inner.write(job).await?;
        self.state().committed += 1;
        Ok(())
    }

    async fn read(&self, job: Job) -> Result<(), Error> {
        self.pass_read()?;
        self.inner.read(job).await
    }

    async fn row(&self, kind: Kind, id: RowId) -> Result<Option<Row>, Error> {
        self.pass_read()?;
        self.inner.row(kind, id).await
    }

    async fn ready(&self) -> Result<(), Error> {
        self.pass_write()?;
        self.inner.ready().await
    }
}
