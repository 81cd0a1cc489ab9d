//! Checks whether the server behind a connection still is the primary.
//!
//! A primary that was replaced without noticing (its supervisor hangs, or it was cut off) continues to accept
//! connections, and answers reads with old data. But it cannot get a commit confirmed by the synchronous standby,
//! because that now follows another server. So
//!
//! - a new connection is used only after it has committed a write; otherwise the next host is tried;
//! - the first connection to a new server ends all connections to the previous one;
//! - a read is allowed only if the last commit began at most [`PROOF_FOR`] ago.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::stopwatch::Stopwatch;

/// For how long a commit proves that reads are current. No read is older than this.
const PROOF_FOR: Duration = Duration::from_secs(1);

/// Waits for the synchronous standby as every commit does, and identifies one run of a server.
pub(super) const PROOF: &str = "UPDATE meta SET value = value + 1 WHERE name = 'ready'
     RETURNING pg_postmaster_start_time()::text || ' ' || coalesce(inet_server_port(), 0)::text";

#[derive(Debug, Default)]
pub(super) struct Primacy(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    server: Option<String>,
    /// Connections from before this moment are not used any more.
    since: Option<Stopwatch>,
    proved: Option<Stopwatch>,
}

impl Primacy {
    /// Makes a new connection prove itself. Before the schema exists there is nothing to decide, and no table for
    /// the proof.
    pub(super) async fn admit(&self, client: &Client) -> Result<(), tokio_postgres::Error> {
        let began = Stopwatch::start();
        let rows = match client.query_typed(PROOF, &[]).await {
            Ok(rows) => rows,
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(()),
            Err(error) => return Err(error),
        };
        let server = rows.first().map(|row| row.try_get(0)).transpose()?;
        self.met(server, began);
        Ok(())
    }

    fn met(&self, server: Option<String>, began: Stopwatch) {
        let mut known = self.lock();
        if known.server != server {
            known.server = server;
            known.since = Some(began);
        }
        known.proved = Some(began);
    }

    /// Whether a connection of this age leads to the server that is known to be the primary.
    pub(super) fn admits(&self, age: Duration) -> bool {
        self.lock().since.is_none_or(|since| age <= since.elapsed())
    }

    /// Records that a write which began at this moment was committed.
    pub(super) fn proved(&self, began: Stopwatch) {
        self.lock().proved = Some(began);
    }

    /// Records that a connection was lost: its server must prove itself again.
    pub(super) fn doubt(&self) {
        self.lock().proved = None;
    }

    pub(super) fn is_fresh(&self) -> bool {
        let proved = self.lock().proved;
        proved.is_some_and(|began| began.elapsed() < PROOF_FOR)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(primacy: &Primacy, server: &str) {
        primacy.met(Some(server.to_owned()), Stopwatch::start());
    }

    #[test]
    fn another_server_ends_the_connections_of_the_one_before() {
        let primacy = Primacy::default();
        assert!(primacy.admits(Duration::ZERO) && primacy.admits(Duration::MAX));
        met(&primacy, "one");
        assert!(primacy.is_fresh());
        assert!(
            !primacy.admits(Duration::from_secs(60)),
            "of before anybody was known"
        );
        let between = Stopwatch::start();
        met(&primacy, "one");
        assert!(primacy.admits(between.elapsed()), "the same server");
        met(&primacy, "two");
        assert!(!primacy.admits(between.elapsed()), "another");
        assert!(primacy.admits(Duration::ZERO));
    }

    #[test]
    fn a_lost_connection_ends_the_trust() {
        let primacy = Primacy::default();
        assert!(!primacy.is_fresh());
        primacy.proved(Stopwatch::start());
        assert!(primacy.is_fresh());
        primacy.doubt();
        assert!(!primacy.is_fresh());
    }
}
