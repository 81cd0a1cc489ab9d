//! The commands that work with an installation's root keys and database: doctor, migrate, keys, backup, restore, move.

mod backup;
mod database;
mod doctor;
mod keys;
mod migrate;
mod progress;
mod relocate;
mod report;
mod restore;

pub use backup::{BackupArgs, backup};
pub use doctor::{DoctorArgs, doctor};
pub use keys::{KeysCommand, keys};
pub use migrate::{MigrateArgs, migrate};
pub use relocate::{DbCommand, MoveArgs, ReleaseArgs, db};
pub use restore::{RestoreArgs, restore};
