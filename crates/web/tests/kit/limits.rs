//! What one connection may ask of the server.

use axum::Router;
use axum::routing::get;
use tokio::sync::mpsc;
use web::Limits;

use crate::server::Server;

fn hello() -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route("/next", get(async || "next"))
}

const HELLO: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const NEXT: &str = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let server = Server::start(hello()).await;
    let mut client = server.client().await;
    for _ in 0..3 {
        client.send(HELLO).await;
        assert_eq!(client.answer().await.body, "hello");
    }
    client.send(format!("{HELLO}{NEXT}{HELLO}")).await;
    for body in ["hello", "next", "hello"] {
        assert_eq!(client.answer().await.body, body);
    }
    client
        .send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.body, "hello");
    client.closed().await;
    server.stop().await;
}

#[tokio::test]
async fn an_old_client_gets_its_answer_and_the_end() {
    let server = Server::start(hello()).await;
    let mut client = server.client().await;
    client.send("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(client.answer().await.body, "hello");
    client.closed().await;
    server.stop().await;
}

#[tokio::test]
async fn a_head_has_a_size() {
    let limits = Limits {
        header_bytes: 1024,
        headers: 8,
        ..Limits::default()
    };
    let server = Server::limited(hello(), limits).await;
    let with = |headers: &str| format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
    assert_eq!(
        server
            .ask(&with(&format!("A: {}\r\n", "x".repeat(900))))
            .await
            .status,
        200
    );
    assert_eq!(
        server
            .ask(&with(&format!("A: {}\r\n", "x".repeat(1100))))
            .await
            .status,
        431
    );
    assert_eq!(server.ask(&with(&"A: x\r\n".repeat(7))).await.status, 200);
    assert_eq!(server.ask(&with(&"A: x\r\n".repeat(8))).await.status, 431);
    assert_eq!(
        server
            .ask(&format!("GET /{} HTTP/1.1\r\n", "x".repeat(1100)))
            .await
            .status,
        431
    );
    server.stop().await;
}

#[tokio::test]
async fn an_endless_head_is_not_kept_reading() {
    let server = Server::start(hello()).await;
    let mut client = server.client().await;
    client
        .try_send(format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(32 * 1024)))
        .await;
    assert_eq!(client.answer().await.status, 431);
    client.closed().await;
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_http_is_told_so() {
    let server = Server::start(hello()).await;
    for nonsense in [
        "hello\r\n\r\n",
        "GET / HTTP/3.7\r\n\r\n",
        "GET / HTTP/1.1\r\nA b: c\r\n\r\n",
        "\0\r\n\r\n",
    ] {
        assert_eq!(server.ask(nonsense).await.status, 400, "{nonsense:?}");
    }
    let twice = "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(server.ask(twice).await.status, 400);
    server.stop().await;
}

#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let limits = Limits {
        header_seconds: 1,
        ..Limits::default()
    };
    let server = Server::limited(hello(), limits).await;
    let mut silent = server.client().await;
    let mut slow = server.client().await;
    slow.send("GET / HTTP/1.1\r\nHost:").await;
    let mut second = server.client().await;
    second.send(format!("{HELLO}GET / HT")).await;
    assert_eq!(second.answer().await.body, "hello");
    second.send("TP/1.1\r\n").await;
    silent.closed().await;
    slow.closed().await;
    second.closed().await;
    server.stop().await;
}

#[tokio::test]
async fn one_network_cannot_hold_all_places() {
    let server = Server::limited(
        Router::new().route("/", get(async || {})),
        Limits {
            max_connections: 4,
            max_connections_per_network: 2,
            ..Limits::default()
        },
    )
    .await;
    // They are accepted in this order; an answer tells that they were.
    let mut held = [server.client().await, server.client().await];
    for client in &mut held {
        client.send(HELLO).await;
        assert_eq!(client.answer().await.status, 200);
    }
    for _ in 0..5 {
        server.client().await.closed().await;
    }
    let mut other = server.client_from("127.0.0.2").await;
    other.send(HELLO).await;
    assert_eq!(other.answer().await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn places_are_counted() {
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let router = Router::new().route(
        "/",
        get(async move || {
            arrived.send(()).unwrap();
        }),
    );
    let server = Server::limited(
        router,
        Limits {
            max_connections: 2,
            ..Limits::default()
        },
    )
    .await;
    let mut first = server.client().await;
    let mut second = server.client().await;
    let mut third = server.client().await;
    for client in [&mut first, &mut second] {
        client.send(HELLO).await;
        assert_eq!(client.answer().await.status, 200);
        arrivals.recv().await.unwrap();
    }
    third.send(HELLO).await;
    // The first two are served again and again; the third is not even accepted.
    for _ in 0..20 {
        second.send(HELLO).await;
        assert_eq!(second.answer().await.status, 200);
        arrivals.recv().await.unwrap();
    }
    assert!(arrivals.try_recv().is_err());
    drop(first);
    assert_eq!(third.answer().await.status, 200);
    server.stop().await;
}
