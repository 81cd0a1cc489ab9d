//! Reads a database file that another process may be using, to copy it while it is in use.

use std::path::Path;

use async_trait::async_trait;
use domain::Error;
use domain::port::Store;
use domain::port::store::{Job, Kind, Row, RowId};

use super::readers::Readers;
use super::{file, rows, schema};
use crate::failure::{self, Failure};
use crate::schema::SchemaError;

/// Reads a database file, also while another process writes it. Every read sees one committed state.
pub struct SqliteView {
    readers: Readers,
    kinds: Vec<(String, u64)>,
}

impl SqliteView {
    /// Opens the file at `path`, which must exist and have the schema of this release.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if !path.is_file() {
            let what = format!("there is no database {}", path.display());
            return Err(Failure::new(what).unavailable());
        }
        let connection = file::reader(path)?;
        let plan = schema::plan(&connection)?;
        if !plan.is_current() {
            return Err(Error::unavailable(SchemaError::Pending { plan }));
        }
        Ok(Self {
            kinds: rows::count_kinds(&connection)?,
            readers: Readers::new(path.to_owned(), 2),
        })
    }

    /// The number of rows of each kind at the moment when it was opened.
    pub fn kinds(&self) -> &[(String, u64)] {
        &self.kinds
    }
}

#[async_trait]
impl Store for SqliteView {
    async fn write(&self, _job: Job) -> Result<(), Error> {
        Err(failure::wrote_in_read())
    }

    async fn read(&self, job: Job) -> Result<(), Error> {
        self.readers.read(job).await
    }

    async fn row(&self, kind: Kind, id: RowId) -> Result<Option<Row>, Error> {
        self.readers.row(kind, id).await
    }

    async fn ready(&self) -> Result<(), Error> {
        Err(failure::wrote_in_read())
    }
}
