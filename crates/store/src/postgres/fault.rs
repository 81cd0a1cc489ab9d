//! Classifies PostgreSQL's errors: try again, try another server, try later, or a bug.

use domain::Error;
use tokio_postgres::error::SqlState;

use super::pipeline::Broken;
use crate::failure::Failure;

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// A conflict with another transaction. The same connection can be used again.
    Conflict,
    /// The connection is lost, or its server is down or no longer the primary.
    Lost(Error),
    /// Another attempt would not help.
    Final(Error),
}

/// Caused on purpose by [`super::rows`]: a guarded statement changed nothing.
const GUARD: SqlState = SqlState::DIVISION_BY_ZERO;

pub(super) fn of(broken: Broken) -> Fault {
    match broken.error {
        Some(error) => of_error(error),
        None => Fault::Lost(Failure::new("PostgreSQL did not answer in time").unavailable()),
    }
}

pub(super) fn of_error(error: tokio_postgres::Error) -> Fault {
    let Some(code) = error.code().cloned() else {
        return Fault::Lost(
            Failure::because("could not connect to PostgreSQL", error).unavailable(),
        );
    };
    let conflict = [
        GUARD,
        SqlState::UNIQUE_VIOLATION,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
    ];
    if conflict.contains(&code) {
        return Fault::Conflict;
    }
    let lost = [
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN,
        // A prepared statement that the session no longer has, or whose table was migrated.
        SqlState::INVALID_SQL_STATEMENT_NAME,
        SqlState::FEATURE_NOT_SUPPORTED,
    ];
    // 08: connection exceptions.
    if lost.contains(&code) || code.code().starts_with("08") {
        return Fault::Lost(Failure::because("PostgreSQL went away", error).unavailable());
    }
    // 53: out of disk, memory or connections. 57: canceled. 58: input or output error. XX means damage.
    let class = code.code().get(..2).unwrap_or_default();
    if ["53", "57", "58"].contains(&class) {
        return Fault::Final(
            Failure::because("PostgreSQL cannot process statements now", error).unavailable(),
        );
    }
    Fault::Final(Failure::because("PostgreSQL refused a statement", error).bug())
}

impl Fault {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Conflict => crate::failure::contended(),
            Self::Lost(error) | Self::Final(error) => error,
        }
    }
}
