//! Gives every request one name, one log line and one count, and hides panics from clients.
//!
//! The order matters: [`layer`] must be outside of [`catch_panic`], so that a panic is also named and counted.
//!
//! Nothing here reads a path, a query, a header's value, a body or an address, because all of them can contain
//! what must not be in a log. The log contains the pattern of the request's route.

mod panic;
mod request_id;

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::Method;
use tokio::time::Instant;
use tracing::Instrument;

pub use panic::catch_panic;
pub use request_id::RequestId;

/// Gets a report of each request when its answer is ready. The server counts requests with it.
pub trait Observer: Send + Sync {
    /// One request has been answered.
    fn request(&self, report: &Report<'_>);

    /// The name of the listener in the log.
    fn listener(&self) -> &'static str {
        "main"
    }
}

/// What is known about a request outside its handler. Every field has few values, so that they can be labels of a
/// metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report<'a> {
    /// The method; one that HTTP does not define is `OTHER`, since clients may invent any.
    pub method: &'static str,
    /// The route's pattern, such as `/thing/{id}`, or `unmatched`.
    pub route: &'a str,
    /// The status of the answer; [`CUT_OFF`] if the handler never answered.
    pub status: u16,
    /// How long the answer took to begin.
    pub seconds: f64,
}

/// The status in a report if the handler was stopped before its answer, by the last time limit or by the end of
/// the server. No client ever sees it.
pub const CUT_OFF: u16 = 499;

/// The pattern in a report when no route matched.
pub const UNMATCHED: &str = "unmatched";

/// Names each request (see [`RequestId`]), and logs and reports it once.
///
/// A span adds the request's id to everything that the handler logs.
pub fn layer(router: Router, observer: Arc<dyn Observer>) -> Router {
    router.layer(from_fn(move |request: Request, next: Next| {
        observed(Arc::clone(&observer), request, next)
    }))
}

async fn observed(observer: Arc<dyn Observer>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let span = tracing::info_span!("request", request_id = id.as_str());
    let mut exchange = Exchange::begin(observer, &request, id.clone());
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).instrument(span).await;
    exchange.status = response.status().as_u16();
    response
        .headers_mut()
        .insert(request_id::HEADER, id.header_value());
    response
}

/// A request that is being answered. It is reported when it is dropped, so also if the handler never finishes.
struct Exchange {
    observer: Arc<dyn Observer>,
    id: RequestId,
    method: &'static str,
    route: Option<MatchedPath>,
    status: u16,
    begun: Instant,
}

impl Exchange {
    #[expect(
        clippy::disallowed_methods,
        reason = "a duration for the operator, on which nothing depends"
    )]
    fn begin(observer: Arc<dyn Observer>, request: &Request, id: RequestId) -> Self {
        Self {
            observer,
            id,
            method: known(request.method()),
            route: request.extensions().get::<MatchedPath>().cloned(),
            status: CUT_OFF,
            begun: Instant::now(),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let taken = self.begun.elapsed();
        let report = Report {
            method: self.method,
            route: self.route.as_ref().map_or(UNMATCHED, MatchedPath::as_str),
            status: self.status,
            seconds: taken.as_secs_f64(),
        };
        tracing::info!(
            listener = self.observer.listener(),
            method = report.method,
            route = report.route,
            status = report.status,
            duration_ms = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX),
            request_id = self.id.as_str(),
            "A request was answered."
        );
        self.observer.request(&report);
    }
}

fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("OTHER")
}
