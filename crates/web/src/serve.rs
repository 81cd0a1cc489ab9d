//! The accept loop: from a socket to the router, with a limit for every step.
//!
//! 1. Wait for a free seat, then accept. If `max_connections` are open, nothing is accepted, and the rest waits
//!    in the kernel's queue. A connection of a network that holds `max_connections_per_network` is closed at once.
//! 2. With TLS, complete the handshake within `header_seconds`.
//! 3. Read a head: at most `header_bytes`, `headers` and `header_seconds`.
//! 4. Run the router within `request_seconds`, to its end even if the client disconnects.
//! 5. Wait for the next head for `idle_seconds`, or close if the server is stopping.

mod connection;
mod pace;
mod seats;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::connection::{Host, LAST_WORDS};
use self::seats::Seats;
use crate::TrustedProxies;

/// What one listener serves, and its limits.
#[derive(Debug)]
pub struct ServeOptions {
    /// The bound socket; it is closed as soon as `shutdown` is cancelled.
    pub listener: TcpListener,
    /// Everything that is answered here.
    pub router: Router,
    /// Serve TLS with this; see [`crate::tls::server_config`].
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// The limits of connections and requests.
    pub limits: Limits,
    /// The peers whose forwarding headers are trusted.
    pub proxies: TrustedProxies,
    /// Cancel it to stop: running requests are finished, nothing new is begun.
    pub shutdown: CancellationToken,
}

/// The limits of connections and requests on one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The maximum size of a request line and its headers; more is 431.
    pub header_bytes: usize,
    /// The maximum number of headers; more is 431.
    pub headers: usize,
    /// How long a new connection has to send its first whole head, how long a later head may take from its first byte,
    /// and how long a TLS handshake may take.
    pub header_seconds: u64,
    /// How long a kept-alive connection may wait for its next request. It is longer than the minute for which common
    /// reverse proxies keep theirs, so that the proxy closes first and never sends into a closing connection.
    pub idle_seconds: u64,
    /// How long a request may take until its answer begins (then: 503), and how long a client may read no byte of
    /// the answer. This is the last limit: fronts have shorter ones, and answer in their own format.
    pub request_seconds: u64,
    /// The maximum number of open connections; further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// The maximum number of open connections from one network (an IPv4 address, or a /48 of IPv6) that is no trusted
    /// proxy; further ones are closed at once. 0 is off.
    pub max_connections_per_network: usize,
    /// How long running requests may take to finish once the server is stopping.
    pub drain_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 32 * 1024,
            headers: 64,
            header_seconds: 10,
            idle_seconds: 75,
            request_seconds: 60,
            max_connections: 4096,
            max_connections_per_network: 1024,
            drain_seconds: 20,
        }
    }
}

/// The shortest and the longest pause after a failed accept.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Serves until `shutdown` is cancelled and the running requests are finished, or cut off after `drain_seconds`.
///
/// A client whose request is running during a stop notices only `Connection: close`.
pub async fn serve(options: ServeOptions) -> io::Result<()> {
    let ServeOptions {
        listener,
        router,
        tls,
        limits,
        proxies,
        shutdown,
    } = options;
    let address = listener.local_addr()?;
    let drain = Duration::from_secs(limits.drain_seconds);
    let seats = Seats::new(limits.max_connections, limits.max_connections_per_network);
    let host = Arc::new(Host {
        router,
        tls: tls.map(TlsAcceptor::from),
        limits,
        proxies,
        shutdown,
        cut_off: CancellationToken::new(),
        ignored_header: AtomicBool::new(false),
        tasks: TaskTracker::new(),
    });

    while let Some(Some(free)) = until(&host.shutdown, seats.free()).await {
        // Not through `until`: a future that borrows the socket through it could not be spawned.
        let (stream, peer) = tokio::select! {
            biased;
            () = host.shutdown.cancelled() => break,
            accepted = accept(&listener) => accepted,
        };
        let seat = if host.proxies.trusts(peer.ip().to_canonical()) {
            seats.take_uncounted(free)
        } else {
            match seats.take(free, peer.ip()) {
                Some(seat) => seat,
                None => continue,
            }
        };
        let guest = Arc::clone(&host);
        host.tasks
            .spawn(async move { guest.connection(stream, peer, Arc::new(seat)).await });
    }

    drop(listener);
    let Host { tasks, cut_off, .. } = host.as_ref();
    tasks.close();
    tracing::info!(%address, tasks = tasks.len(), "The listener is closed; finishing running requests.");
    if timeout(drain, tasks.wait()).await.is_err() {
        tracing::warn!(%address, tasks = tasks.len(), "Requests did not finish in time and are cut off.");
        cut_off.cancel();
        let _ = timeout(LAST_WORDS * 2, tasks.wait()).await;
    }
    Ok(())
}

/// The outcome of `work`, or `None` once the server is to stop.
async fn until<T>(shutdown: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => None,
        outcome = work => Some(outcome),
    }
}

/// Accepts the next connection, however often accepting fails.
#[expect(
    clippy::disallowed_methods,
    reason = "no event tells that a descriptor is free again"
)]
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut pause = Duration::ZERO;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                pause = pause_after(&error, pause);
                if !pause.is_zero() {
                    tracing::warn!(code = "web.accept", %error, pause_ms = pause.as_millis(), "Accepting failed.");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

/// How long to wait after `error`, having waited `last` before. A connection that went away between the kernel and us
/// says nothing about the next one. Any other failure, such as being out of file descriptors, will last; retried at
/// once it would spin on a full core, so the pauses double.
fn pause_after(error: &io::Error, last: Duration) -> Duration {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    match error.kind() {
        ConnectionAborted | ConnectionRefused | ConnectionReset => Duration::ZERO,
        _ => (last * 2).clamp(BACK_OFF.0, BACK_OFF.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_failure_is_met_with_longer_and_longer_pauses() {
        let out_of_descriptors = io::Error::from_raw_os_error(24);
        let mut pause = Duration::ZERO;
        for milliseconds in [50, 100, 200, 400, 800, 1600, 2000, 2000] {
            pause = pause_after(&out_of_descriptors, pause);
            assert_eq!(pause.as_millis(), milliseconds);
        }
    }

    #[test]
    fn a_client_that_gave_up_holds_up_nobody() {
        for kind in [
            io::ErrorKind::ConnectionAborted,
            io::ErrorKind::ConnectionReset,
        ] {
            assert_eq!(
                pause_after(&kind.into(), Duration::from_secs(1)),
                Duration::ZERO
            );
        }
    }
}
