//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::header::{CONNECTION, RETRY_AFTER};
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Limits;
use super::pace::{Pace, Paced};
use crate::{ClientAddr, TrustedProxies};

/// What all connections of a listener share.
pub(super) struct Host {
    router: Router,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    proxies: TrustedProxies,
    shutdown: CancellationToken,
    cut_off: CancellationToken,
}

impl Host {
    pub(super) fn new(
        router: Router,
        tls: Option<Arc<rustls::ServerConfig>>,
        limits: Limits,
        proxies: TrustedProxies,
        shutdown: CancellationToken,
        cut_off: CancellationToken,
    ) -> Self {
        Self {
            router,
            tls: tls.map(TlsAcceptor::from),
            limits,
            proxies,
            shutdown,
            cut_off,
        }
    }

    /// Serves one connection to its end. What goes wrong on it is the client's affair and only told to those who debug.
    pub(super) async fn connection(&self, stream: TcpStream, peer: SocketAddr) {
        // Answers are small and written whole; waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return self.requests(stream, peer.ip()).await;
        };
        let handshake = timeout(
            Duration::from_secs(self.limits.header_seconds),
            tls.accept(stream),
        );
        match super::until(&self.shutdown, handshake).await {
            Some(Ok(Ok(stream))) => self.requests(stream, peer.ip()).await,
            Some(Ok(Err(error))) => tracing::debug!(%error, "A TLS handshake failed."),
            Some(Err(_)) => tracing::debug!("A TLS handshake took too long."),
            None => {}
        }
    }

    async fn requests<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S, peer: IpAddr) {
        let pace = Arc::new(Pace::new(&self.limits));
        let io = TokioIo::new(Paced::new(stream, Arc::clone(&pace)));
        let service = service_fn(|request| self.answer(request, peer, &pace));
        let mut connection = pin!(self.settings().serve_connection(io, service));
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    served = connection => served,
                    () = self.cut_off.cancelled() => return,
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

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        pace: &Pace,
    ) -> Result<Response, Infallible> {
        pace.begin();
        let mut request = request.map(Body::new);
        let client = ClientAddr(self.proxies.client(peer, request.headers()));
        request.extensions_mut().insert(client);
        let answer = timeout(
            Duration::from_secs(self.limits.request_seconds),
            self.router.clone().oneshot(request),
        );
        let response = answer
            .await
            .map_or_else(|_| too_long(), |Ok(response)| response);
        pace.end();
        Ok(response)
    }
}

/// The answer of last resort, in no wire's shape: the fronts' own time limits are shorter.
fn too_long() -> Response {
    tracing::error!(
        code = "web.too_long",
        "A request ran into the server's last time limit."
    );
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
