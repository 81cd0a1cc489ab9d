//! Handles a panic in a handler, which is a bug of the server.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;

use super::{RequestId, UNMATCHED};

/// Answers with `on_panic` when a handler panics, and says in the log which request it was.
///
/// The message of the panic goes only to the process's panic hook, because it may quote what the client sent. The
/// answer should be the API's internal error.
pub fn catch_panic(router: Router, on_panic: fn() -> Response) -> Router {
    router.layer(from_fn(move |request: Request, next: Next| {
        guarded(on_panic, request, next)
    }))
}

async fn guarded(on_panic: fn() -> Response, request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut answering = pin!(next.run(request));
    // A handler that panicked is dropped and never polled again, so what it left half done is not seen by anyone; what
    // it shares with others must hold after a panic anyway, as after any cancelled request.
    let answered =
        poll_fn(
            |cx| match catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(cx))) {
                Ok(polled) => polled.map(Some),
                Err(_) => Poll::Ready(None),
            },
        );
    let Some(response) = answered.await else {
        tracing::error!(
            code = "web.panic",
            route = route.as_ref().map_or(UNMATCHED, MatchedPath::as_str),
            request_id = id.as_ref().map_or("", RequestId::as_str),
            "A handler panicked."
        );
        return on_panic();
    };
    response
}
