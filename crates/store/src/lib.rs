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

pub use backend::Backend;
pub use postgres::{PostgresOptions, PostgresStore, Statements};
pub use schema::{Migrations, Plan, SchemaError};
pub use sqlite::{SqliteOptions, SqliteStore};
