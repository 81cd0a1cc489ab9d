//! What the programs need from a database in addition to the port: its schema, and row counts.

use async_trait::async_trait;
use domain::port::Store;
use domain::{Error, Timestamp};

use crate::schema::{Extent, Plan};

/// A database as an operator sees it. `Arc<dyn Backend>` coerces to `Arc<dyn Store>`.
#[async_trait]
pub trait Backend: Store {
    /// The engine's name, for logs: `sqlite` or `postgres`.
    fn engine(&self) -> &'static str;

    /// Makes sure, as far as its `Migrations` setting allows, that the schema is the one that this release needs.
    /// Called at start; fails as [`Backend::plan`] does.
    async fn ensure_schema(&self) -> Result<(), Error>;

    /// The plan of a full [`Backend::migrate`]. Fails with a `SchemaError` inside if a newer release or an edited
    /// migration was applied to the database.
    async fn plan(&self) -> Result<Plan, Error>;

    /// Migrates the schema as far as `extent` allows, in one transaction. Returns what was done.
    async fn migrate(&self, extent: Extent) -> Result<Plan, Error>;

    /// The time of the database's own clock; `None` if it uses this machine's clock.
    async fn clock(&self) -> Result<Option<Timestamp>, Error>;

    /// The number of rows of each kind, sorted by kind.
    async fn count_kinds(&self) -> Result<Vec<(String, u64)>, Error>;
}
