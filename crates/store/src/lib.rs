//! The domain's `Store` port on SQLite (a file, or in memory) and on PostgreSQL.
//!
//! Both have one table of sealed rows, know nothing about its content, and pass the same conformance suite
//! (`tests/conformance`). `README.md` says what they promise.

mod backend;
mod failure;
pub mod postgres;
mod readiness;
pub mod schema;
pub mod sqlite;
mod stopwatch;
pub mod transfer;

pub use backend::Backend;
pub use postgres::{PostgresOptions, PostgresStore, Statements};
pub use schema::{Extent, Migrations, Phase, Plan, SchemaError, Step};
pub use sqlite::{SqliteOptions, SqliteStore, SqliteView};
