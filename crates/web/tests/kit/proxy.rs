//! The client's address, as a handler sees it.

use axum::Router;
use axum::routing::get;
use http::Request;
use tower::ServiceExt;
use web::{ClientAddr, Limits};

use crate::server::Server;

fn router() -> Router {
    Router::new().route("/", get(async |client: ClientAddr| client.network()))
}

const FORWARDED: &str = "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2001:db8:1:2:3::4\r\n\r\n";

#[tokio::test]
async fn the_peer_counts_unless_it_is_trusted() {
    let server = Server::start(router()).await;
    assert_eq!(server.ask(FORWARDED).await.body, "127.0.0.1/32");
    server.stop().await;
    let server = Server::with(router(), Limits::default(), &["127.0.0.0/8"], None).await;
    assert_eq!(server.ask(FORWARDED).await.body, "2001:db8:1:2::/64");
    assert_eq!(
        server.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.body,
        "127.0.0.1/32"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_client_cannot_note_itself() {
    // Extensions are not headers: nothing on the wire reaches them, and without a server the address is local.
    let request = Request::get("/")
        .header("x-forwarded-for", "1.1.1.1")
        .body(axum::body::Body::empty())
        .unwrap();
    let response = router().oneshot(request).await.unwrap();
    let body = web::body::read(response.into_body(), &http::HeaderMap::new(), 100, 1)
        .await
        .unwrap();
    assert_eq!(body, "127.0.0.1/32");
}
