//! A database that can fail at a chosen moment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use domain::Error;
use domain::port::Store;
use domain::port::store::{Job, Kind, Row, RowId};

/// A real store behind a switch: calls are passed to the store, or refused before they reach it.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    writes: Passing,
    reads: Passing,
    /// Writes that were committed.
    committed: usize,
}

#[derive(Default, Clone, Copy)]
enum Passing {
    #[default]
    All,
    /// Allows this many more calls, then none.
    Left(usize),
}

impl FaultyStore {
    pub fn over(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            state: Mutex::default(),
        })
    }

    /// Allows `count` more writes and refuses all later ones, as after a crash or on a full disk.
    pub fn refuse_writes_after(&self, count: usize) {
        self.state().writes = Passing::Left(count);
    }

    /// The same for reads.
    pub fn refuse_reads_after(&self, count: usize) {
        self.state().reads = Passing::Left(count);
    }

    /// Refuses everything, as if the database could not be reached.
    pub fn take_away(&self) {
        let mut state = self.state();
        state.writes = Passing::Left(0);
        state.reads = Passing::Left(0);
    }

    /// Allows everything again.
    pub fn give_back(&self) {
        let mut state = self.state();
        state.writes = Passing::All;
        state.reads = Passing::All;
    }

    /// The number of writes that were committed so far.
    pub fn committed(&self) -> usize {
        self.state().committed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass_write(&self) -> Result<(), Error> {
        self.state().writes.pass()
    }

    fn pass_read(&self) -> Result<(), Error> {
        self.state().reads.pass()
    }
}

impl Passing {
    fn pass(&mut self) -> Result<(), Error> {
        match self {
            Self::All => Ok(()),
            Self::Left(0) => Err(away()),
            Self::Left(left) => {
                *left -= 1;
                Ok(())
            }
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
