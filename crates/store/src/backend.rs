//! What the executable asks of a database beyond the port: its schema, and what is in it.

use async_trait::async_trait;
use domain::port::Store;
use domain::{Error, Timestamp};

use crate::schema::{Extent, Plan};

/// A database as its operator sees it. `Arc<dyn Backend>` coerces to `Arc<dyn Store>`.
#[async_trait]
pub trait Backend: Store {
    /// The engine's name, for logs: `sqlite` or `postgres`.
    fn engine(&self) -> &'static str;

    /// Makes sure, as far as its `Migrations` setting allows, that the schema is what this release
    /// needs. For start-up; fails as [`Backend::plan`] does.
    async fn ensure_schema(&self) -> Result<(), Error>;

    /// What [`Backend::migrate`] would do, all of it. Fails with a `SchemaError` inside if a newer release, or
    /// an edited migration, has been here.
    async fn plan(&self) -> Result<Plan, Error>;

    /// Brings the schema up to date, as far as `extent` goes, in one transaction; what was done.
    async fn migrate(&self, extent: Extent) -> Result<Plan, Error>;

    /// What the database's own clock tells; `None` when it has none but this machine's.
    async fn clock(&self) -> Result<Option<Timestamp>, Error>;

    /// How many rows there are of each kind, in the order of the kinds.
    async fn count_kinds(&self) -> Result<Vec<(String, u64)>, Error>;
}
