//! Stopping: nothing new is begun, nothing running is lost.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use web::Limits;

use crate::server::{Client, Server};

/// A handler that says when it has begun and ends when it is told to.
#[derive(Clone, Default)]
struct Gate {
    begun: Arc<Notify>,
    end: Arc<Notify>,
}

impl Gate {
    fn router(&self) -> Router {
        let gate = self.clone();
        let wait = async move || {
            gate.begun.notify_one();
            gate.end.notified().await;
            "done"
        };
        Router::new()
            .route("/wait", get(wait))
            .route("/", get(async || "hello"))
    }
}

#[tokio::test]
async fn a_running_request_is_finished() {
    let gate = Gate::default();
    let server = Server::start(gate.router()).await;
    let mut client = server.client().await;
    client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await;
    gate.begun.notified().await;
    server.shutdown.cancel();
    refused(&server).await;
    gate.end.notify_one();
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "done"));
    assert_eq!(answer.header("connection"), Some("close"));
    client.closed().await;
    server.ended().await;
}

/// Waits until nothing is accepted any more: the listener is closed a moment after the order.
async fn refused(server: &Server) {
    while let Ok(stream) = TcpStream::connect(server.address).await {
        Client::over(stream).closed().await;
    }
}

#[tokio::test]
async fn waiting_connections_are_closed() {
    let server = Server::start(Gate::default().router()).await;
    let mut fresh = server.client().await;
    let mut idle = server.client().await;
    idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(idle.answer().await.body, "hello");
    server.stop().await;
    fresh.closed().await;
    idle.closed().await;
}

#[tokio::test]
async fn a_half_sent_head_does_not_hold_up_the_end() {
    let limits = Limits {
        drain_seconds: 1,
        ..Limits::default()
    };
    let server = Server::limited(Gate::default().router(), limits).await;
    let mut idle = server.client().await;
    idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT").await;
    assert_eq!(idle.answer().await.body, "hello");
    server.stop().await;
    idle.closed().await;
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off() {
    let gate = Gate::default();
    let limits = Limits {
        drain_seconds: 0,
        ..Limits::default()
    };
    let server = Server::limited(gate.router(), limits).await;
    let mut client = server.client().await;
    client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await;
    gate.begun.notified().await;
    server.stop().await;
    let answer = client.answer().await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1"))
    );
    client.closed().await;
}

#[tokio::test]
async fn a_body_that_is_still_coming_is_read_to_its_end() {
    let gate = Gate::default();
    let begun = gate.begun.clone();
    let length = async move |request: axum::extract::Request| {
        begun.notify_one();
        let (parts, body) = request.into_parts();
        web::body::read(body, &parts.headers, 100, 10)
            .await
            .unwrap()
            .len()
            .to_string()
    };
    let server = Server::start(Router::new().route("/", post(length))).await;
    let mut client = server.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        .await;
    gate.begun.notified().await;
    server.shutdown.cancel();
    refused(&server).await;
    client.send("def").await;
    assert_eq!(client.answer().await.body, "6");
    server.ended().await;
}

#[tokio::test]
async fn a_server_can_be_stopped_before_it_has_begun() {
    let server = Server::start(Router::new()).await;
    server.stop().await;
}
