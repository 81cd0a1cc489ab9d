//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::header::{CONNECTION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::Limits;
use super::pace::{Pace, Paced};
use super::seats::Seat;
use crate::{ClientAddr, TrustedProxies};

/// What all connections of a listener share.
pub(super) struct Host {
    pub(super) router: Router,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) limits: Limits,
    pub(super) proxies: TrustedProxies,
    /// Cancelled when nothing new is to be begun.
    pub(super) shutdown: CancellationToken,
    /// Cancelled when what still runs is to be dropped.
    pub(super) cut_off: CancellationToken,
    /// Set when a forwarding header of a peer that is no trusted proxy was seen, and logged.
    pub(super) ignored_header: AtomicBool,
    /// Counts connections and requests, so that the end of all can be awaited.
    pub(super) tasks: TaskTracker,
}

/// How long a connection has for its last answer after the cut.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

impl Host {
    /// Serves one connection to its end. Its errors are logged at debug level only, because clients cause them.
    pub(super) async fn connection(&self, stream: TcpStream, peer: SocketAddr, seat: Arc<Seat>) {
        // Answers are small and written whole; waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return self.requests(stream, peer.ip(), seat).await;
        };
        let handshake = timeout(
            Duration::from_secs(self.limits.header_seconds),
            tls.accept(stream),
        );
        match super::until(&self.shutdown, handshake).await {
            Some(Ok(Ok(stream))) => self.requests(stream, peer.ip(), seat).await,
            Some(Ok(Err(error))) => tracing::debug!(%error, "A TLS handshake failed."),
            Some(Err(_)) => tracing::debug!("A TLS handshake took too long."),
            None => {}
        }
    }

    async fn requests<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        peer: IpAddr,
        seat: Arc<Seat>,
    ) {
        let pace = Arc::new(Pace::new(&self.limits));
        let io = TokioIo::new(Paced::new(stream, Arc::clone(&pace)));
        let service = service_fn(|request| {
            // Here and not in the future, which hyper polls only after it has asked the stream for more.
            pace.begin();
            let answer = self.begin(request, peer, Arc::clone(&seat));
            let pace = &pace;
            async move {
                let response = answer.await.unwrap_or_else(|_| fault());
                pace.end();
                Ok::<_, Infallible>(response)
            }
        });
        let mut connection = pin!(self.settings().serve_connection(io, service));
        let served = tokio::select! {
            biased;
            served = connection.as_mut() => served,
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    served = connection.as_mut() => served,
                    // The client of a request that is stopped gets an answer, if it still reads.
                    () = self.cut_off.cancelled() => timeout(LAST_WORDS, connection).await.unwrap_or(Ok(())),
                }
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "A connection ended early.");
        }
    }

    fn settings(&self) -> http1::Builder {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .max_headers(self.limits.headers)
            .max_header_size(self.limits.header_bytes)
            // The bounds on a head's time are those of `Pace`, which tells a slow head from an idle connection.
            .header_read_timeout(None);
        http
    }

    /// Runs a request in a separate task, so that it finishes even if its client disconnects. What a request has
    /// begun, such as a guess that was reserved before the check, must be settled. A broken connection must not
    /// count as a wrong guess.
    fn begin(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        seat: Arc<Seat>,
    ) -> JoinHandle<Response> {
        let mut request = request.map(Body::new);
        self.note_ignored_header(peer, request.headers());
        let client = ClientAddr(self.proxies.client(peer, request.headers()));
        request.extensions_mut().insert(client);
        let limit = Duration::from_secs(self.limits.request_seconds);
        let answer = timeout(limit, self.router.clone().oneshot(request));
        let cut_off = self.cut_off.clone();
        self.tasks.spawn(async move {
            let answer = cut_off.run_until_cancelled(answer).await;
            drop(seat);
            match answer {
                Some(Ok(Ok(response))) => response,
                Some(Err(_)) => {
                    tracing::error!(
                        code = "web.too_long",
                        "A request ran into the server's last time limit."
                    );
                    unavailable()
                }
                None => unavailable(),
            }
        })
    }
}

impl Host {
    /// Logs once that a forwarding header was ignored. Behind a proxy that is not trusted all callers are one network,
    /// and share its limits; nothing else would tell the operator.
    fn note_ignored_header(&self, peer: IpAddr, headers: &HeaderMap) {
        let ignored = self.proxies.ignores(peer, headers);
        if ignored && !self.ignored_header.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                code = "web.header_ignored",
                %peer,
                "A forwarding header was ignored, because its sender is not in [server] trusted_proxies: the sender \
                 counts as the caller. If it is your proxy, name it there. This is said once."
            );
        }
    }
}

/// The answer after the last time limit. It has no API's format, because the fronts' own limits are shorter.
fn unavailable() -> Response {
    let mut response = closing(StatusCode::SERVICE_UNAVAILABLE);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// The answer when a handler panicked and the router does not catch that itself.
fn fault() -> Response {
    tracing::error!(
        code = "web.panic",
        "A handler panicked outside of `catch_panic`."
    );
    closing(StatusCode::INTERNAL_SERVER_ERROR)
}

fn closing(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests;
