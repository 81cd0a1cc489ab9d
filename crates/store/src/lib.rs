//! The domain's `Store` port on SQLite (a file, or in memory) and on PostgreSQL.
//!
//! Both know one table of sealed rows and no concept, and both pass one suite
//! (`tests/conformance`). What each promises is in `README.md`.

mod backend;
mod failure;
pub mod postgres;
pub mod schema;
pub mod sqlite;
mod stopwatch;
pub mod transfer;

pub use backend::Backend;
pub use postgres::{PostgresOptions, PostgresStore, Statements};
pub use schema::{Extent, Migrations, Phase, Plan, SchemaError, Step};
pub use sqlite::{SqliteOptions, SqliteStore, SqliteView};
