//! Bodies on the wire: too large, too slow, cut short, and clients that look late.

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::StatusCode;
use tokio::sync::mpsc;
use web::body::BodyError;

use crate::server::Server;

async fn length(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match web::body::read(body, &parts.headers, 1000, 1).await {
        Ok(bytes) => bytes.len().to_string().into_response(),
        Err(BodyError::TooLarge) => (StatusCode::PAYLOAD_TOO_LARGE, "large").into_response(),
        Err(BodyError::TooSlow) => (StatusCode::REQUEST_TIMEOUT, "slow").into_response(),
        Err(BodyError::Broken) => (StatusCode::BAD_REQUEST, "broken").into_response(),
    }
}

async fn start() -> Server {
    Server::start(Router::new().route("/", any(length))).await
}

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

fn post(length: usize) -> String {
    format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
}

#[tokio::test]
async fn bodies_up_to_the_limit_arrive_however_they_are_sent() {
    let server = start().await;
    let mut client = server.client().await;
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.body, "0");
    client.send(post(1000) + &"x".repeat(1000)).await;
    assert_eq!(client.answer().await.body, "1000");
    let half = format!("1f4;ext=1\r\n{}\r\n", "x".repeat(500));
    client
        .send(format!("{CHUNKED}{half}{half}0\r\nTrailer: x\r\n\r\n"))
        .await;
    assert_eq!(client.answer().await.body, "1000");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_sends_everything_first_still_sees_the_answer() {
    let server = start().await;
    let mut client = server.client().await;
    client.send(post(900_000) + &"x".repeat(900_000)).await;
    assert_eq!(client.answer().await.status, 413);
    // All of it was read, so that the connection is as good as new.
    client.send(CHUNKED).await;
    for _ in 0..90 {
        client
            .send(format!("2710\r\n{}\r\n", "x".repeat(10_000)))
            .await;
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 413);
    client.send(post(3) + "abc").await;
    assert_eq!(client.answer().await.body, "3");
    server.stop().await;
}

#[tokio::test]
async fn an_endless_body_is_answered_and_closed() {
    let server = start().await;
    let mut client = server.client().await;
    client.send(CHUNKED).await;
    let chunk = format!("2710\r\n{}\r\n", "x".repeat(10_000));
    client.try_send(chunk.repeat(110)).await;
    assert_eq!(client.answer().await.status, 413);
    client.closed().await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_at_once() {
    let server = start().await;
    let mut client = server.client().await;
    let asking = |length| post(length).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    client.send(asking(3)).await;
    assert_eq!(client.answer().await.status, 100);
    client.send("abc").await;
    assert_eq!(client.answer().await.body, "3");
    client.send(asking(5000)).await;
    assert_eq!(client.answer().await.status, 413);
    client.closed().await;
    server.stop().await;
}

#[tokio::test]
async fn slow_and_malformed_bodies_are_told_apart() {
    let server = start().await;
    assert_eq!(server.ask(&(post(10) + "abc")).await.body, "slow");
    assert_eq!(server.ask(&format!("{CHUNKED}zz\r\n")).await.body, "broken");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_breaks_off_is_noticed() {
    let (sender, mut seen) = mpsc::unbounded_channel();
    let note = async move |request: Request| {
        let (parts, body) = request.into_parts();
        sender
            .send(web::body::read(body, &parts.headers, 1000, 60).await)
            .unwrap();
    };
    let server = Server::start(Router::new().route("/", any(note))).await;
    let mut client = server.client().await;
    client.send(post(10) + "abc").await;
    drop(client);
    assert_eq!(seen.recv().await.unwrap(), Err(BodyError::Broken));
    server.stop().await;
}
