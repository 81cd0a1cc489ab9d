//! Classifies SQLite's errors for the domain.

use domain::Error;
use domain::port::store::Stop;
use rusqlite::ErrorCode;

use crate::failure::Failure;

/// Either the disk or the moment is the cause (try again later), or the database or the code is (a bug).
pub(super) fn error(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::OutOfMemory,
        ) => Failure::because("SQLite cannot process statements now", error).unavailable(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Failure::because("the SQLite file is damaged", error).bug()
        }
        _ => Failure::because("SQLite refused a statement", error).bug(),
    }
}

pub(super) fn stop(cause: rusqlite::Error) -> Stop {
    Stop::Failed(error(cause))
}
