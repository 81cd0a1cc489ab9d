//! A time limit whose answer has the format of the API.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tokio::time::timeout;

/// Answers with `on_late` if a handler has not answered within `seconds`, and drops the handler.
///
/// It should be shorter than [`crate::Limits::request_seconds`], whose answer has no API's format, and longer than
/// everything that a handler waits for. A handler that is dropped here may leave its work unfinished.
pub fn within(router: Router, seconds: u64, on_late: fn() -> Response) -> Router {
    let limit = Duration::from_secs(seconds);
    router.layer(from_fn(move |request: Request, next: Next| {
        limited(limit, on_late, request, next)
    }))
}

async fn limited(
    limit: Duration,
    on_late: fn() -> Response,
    request: Request,
    next: Next,
) -> Response {
    timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        tracing::error!(code = "web.late", "A handler did not answer in time.");
        on_late()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::response::IntoResponse;
    use axum::routing::get;
    use http::StatusCode;
    use tower::ServiceExt;

    fn late() -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, "late").into_response()
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_late_are_cut_off() {
        let slow = Router::new()
            .route("/never", get(std::future::pending::<()>))
            .route("/now", get(async || "now"));
        let router = within(slow, 30, late);
        for (path, status) in [("/never", 503), ("/now", 200), ("/elsewhere", 404)] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            assert_eq!(
                router.clone().oneshot(request).await.unwrap().status(),
                status,
                "{path}"
            );
        }
    }
}
