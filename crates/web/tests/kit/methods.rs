//! Only the methods that are named.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;
use web::methods::only;

use crate::server::Server;

fn not_allowed(allow: &'static str) -> Response {
    web::json::reply(
        StatusCode::METHOD_NOT_ALLOWED,
        &json!({ "message": "no", "allow": allow }),
    )
}

async fn count(State(calls): State<Arc<AtomicUsize>>) -> String {
    (calls.fetch_add(1, Ordering::SeqCst) + 1).to_string()
}

fn router(calls: &Arc<AtomicUsize>) -> Router {
    Router::new()
        .route("/read", only(not_allowed).get(count).build())
        .route(
            "/both",
            only(not_allowed)
                .put(count)
                .get(count)
                .delete(count)
                .build(),
        )
        .route("/head", only(not_allowed).get(count).head(count).build())
        .route(
            "/write",
            only(not_allowed)
                .post(count)
                .patch(count)
                .options(count)
                .build(),
        )
        .with_state(Arc::clone(calls))
}

fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

#[tokio::test]
async fn a_named_method_is_served() {
    let calls = Arc::default();
    let server = Server::start(router(&calls)).await;
    let named = [
        "GET /read",
        "GET /both",
        "PUT /both",
        "DELETE /both",
        "POST /write",
        "PATCH /write",
        "OPTIONS /write",
    ];
    for (index, line) in named.into_iter().enumerate() {
        let (method, path) = line.split_once(' ').unwrap();
        let answer = server.ask(&request(method, path)).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, (index + 1).to_string().as_str()),
            "{line}"
        );
        assert_eq!(answer.header("allow"), None);
    }
    server.stop().await;
}

#[tokio::test]
async fn every_other_method_is_refused_in_the_fronts_words() {
    let calls = Arc::default();
    let server = Server::start(router(&calls)).await;
    for (path, allow, others) in [
        ("/read", "GET", ["POST", "OPTIONS", "TRACE", "BREW"]),
        (
            "/both",
            "PUT, GET, DELETE",
            ["POST", "PATCH", "OPTIONS", "PROPFIND"],
        ),
        ("/head", "GET, HEAD", ["POST", "DELETE", "OPTIONS", "get"]),
        (
            "/write",
            "POST, PATCH, OPTIONS",
            ["GET", "PUT", "DELETE", "TRACE"],
        ),
    ] {
        for method in others {
            let answer = server.ask(&request(method, path)).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(
                answer.body,
                json!({ "message": "no", "allow": allow }).to_string()
            );
        }
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    server.stop().await;
}

#[tokio::test]
async fn head_runs_nothing_unless_it_is_named() {
    let calls = Arc::default();
    let server = Server::start(router(&calls)).await;
    for (path, allow) in [
        ("/read", "GET"),
        ("/both", "PUT, GET, DELETE"),
        ("/write", "POST, PATCH, OPTIONS"),
    ] {
        let mut client = server.client().await;
        client
            .send(format!(
                "HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            ))
            .await;
        let answer = client.head().await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some(allow)),
            "{path}"
        );
        client.closed().await;
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    let mut client = server.client().await;
    client
        .send("HEAD /head HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!(client.head().await.status, 200);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    server.stop().await;
}
