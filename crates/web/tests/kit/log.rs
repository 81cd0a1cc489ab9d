//! What the log says of a request, and what it must not.

use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;
use web::observe::{Observer, Report, catch_panic, layer};

/// Keeps every line that is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

struct Named;

impl Observer for Named {
    fn request(&self, _: &Report<'_>) {}

    fn listener(&self) -> &'static str {
        "public"
    }
}

fn on_panic() -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// Sends a request that has a secret in every part, and returns what was logged.
async fn logged(path: &str) -> (StatusCode, String) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let things = Router::new()
        .route("/things/{id}", post(async || tracing::warn!("inside")))
        .route("/broken/{id}", post(async || -> () { panic!("secret") }));
    let request = Request::post(format!("{path}/secret?secret=secret"))
        .header("authorization", "Bearer secret")
        .header("x-forwarded-for", "203.0.113.77")
        .header("x-request-id", "my-id")
        .body(Body::from("secret"))
        .unwrap();
    let router = layer(catch_panic(things, on_panic), Arc::new(Named));
    let status = router.oneshot(request).await.unwrap().status();
    (status, lines.text())
}

fn parsed(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn a_request_is_one_line_without_anything_of_the_clients() {
    let (status, log) = logged("/things").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        !log.contains("secret") && !log.contains("203.0.113.77"),
        "{log}"
    );
    let lines = parsed(&log);
    assert_eq!(lines.len(), 2, "{log}");
    assert_eq!(lines[0]["fields"]["message"], "inside");
    assert_eq!(lines[0]["span"]["request_id"], "my-id");
    assert_eq!(lines[1]["level"], "INFO");
    let fields = &lines[1]["fields"];
    for (name, value) in [
        ("method", "POST"),
        ("route", "/things/{id}"),
        ("request_id", "my-id"),
        ("listener", "public"),
    ] {
        assert_eq!(fields[name], value);
    }
    assert_eq!(fields["status"], 200);
    assert!(fields["duration_ms"].is_u64());
}

#[tokio::test]
async fn a_panic_is_an_error_line_without_its_message() {
    let (status, log) = logged("/broken").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!log.contains("secret"), "{log}");
    let lines = parsed(&log);
    assert_eq!(lines.len(), 2, "{log}");
    assert_eq!(lines[0]["level"], "ERROR");
    assert_eq!(lines[0]["fields"]["code"], "web.panic");
    assert_eq!(lines[0]["fields"]["route"], "/broken/{id}");
    assert_eq!(lines[0]["fields"]["request_id"], "my-id");
    assert_eq!(lines[1]["fields"]["status"], 500);
}
