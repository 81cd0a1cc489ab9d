//! One report a request, an id on every answer, and no panic in sight.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use tokio::sync::{Notify, mpsc};
use web::Limits;
use web::observe::{CUT_OFF, Observer, Report, RequestId, catch_panic, layer};

use crate::server::Server;

type Seen = (&'static str, String, u16);

struct Witness(mpsc::UnboundedSender<Seen>);

impl Observer for Witness {
    fn request(&self, report: &Report<'_>) {
        assert!(report.seconds >= 0.0);
        self.0
            .send((report.method, report.route.to_owned(), report.status))
            .unwrap();
    }
}

fn on_panic() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, "internal").into_response()
}

fn watched(router: Router) -> (Router, mpsc::UnboundedReceiver<Seen>) {
    let (sender, seen) = mpsc::unbounded_channel();
    (
        layer(catch_panic(router, on_panic), Arc::new(Witness(sender))),
        seen,
    )
}

#[tokio::test]
async fn a_report_names_the_pattern_and_never_the_path() {
    let inner = Router::new().route("/{id}", get(async || "thing"));
    let (router, mut seen) = watched(Router::new().nest("/things", inner));
    let server = Server::start(router).await;
    for (line, expected) in [
        ("GET /things/secret?token=x", ("GET", "/things/{id}", 200)),
        ("POST /things/secret", ("POST", "/things/{id}", 405)),
        ("GET /elsewhere/secret", ("GET", "unmatched", 404)),
        ("BREW /things/pot", ("OTHER", "/things/{id}", 405)),
    ] {
        server
            .ask(&format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        let (method, route, status) = seen.recv().await.unwrap();
        assert_eq!((method, route.as_str(), status), expected, "{line}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_answer_tells_the_id_that_the_handler_saw() {
    let (router, _seen) =
        watched(Router::new().route("/", get(async |id: RequestId| id.as_str().to_owned())));
    let server = Server::start(router).await;
    let fresh = server.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(fresh.header("x-request-id"), Some(fresh.body.as_str()));
    assert_eq!(fresh.body.len(), 32);
    let named = server
        .ask("GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: my-own_1.0\r\n\r\n")
        .await;
    assert_eq!(
        (named.header("x-request-id"), named.body.as_str()),
        (Some("my-own_1.0"), "my-own_1.0")
    );
    let forged = server
        .ask("GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: a b\r\n\r\n")
        .await;
    assert_eq!(forged.header("x-request-id"), Some(forged.body.as_str()));
    assert_eq!(forged.body.len(), 32);
    server.stop().await;
}

#[tokio::test]
async fn a_panic_is_answered_counted_and_not_told() {
    let panicking = Router::new()
        .route("/now", get(async || -> () { panic!("the secret") }))
        .route(
            "/later",
            get(async || -> () {
                tokio::task::yield_now().await;
                panic!("the secret")
            }),
        )
        .route("/", get(async || "well"));
    let (router, mut seen) = watched(panicking);
    let server = Server::start(router).await;
    let mut client = server.client().await;
    for path in ["/now", "/later"] {
        client
            .send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (500, "internal"));
        assert_eq!(answer.header("x-request-id").map(str::len), Some(32));
        assert_eq!(seen.recv().await.unwrap(), ("GET", path.to_owned(), 500));
    }
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.body, "well");
    server.stop().await;
}

#[tokio::test]
async fn a_request_is_finished_though_its_client_has_left() {
    let (entered, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (enter, go_on) = (Arc::clone(&entered), Arc::clone(&end));
    let wait = async move || {
        enter.notify_one();
        go_on.notified().await;
    };
    let (router, mut seen) = watched(Router::new().route("/wait", get(wait)));
    let server = Server::limited(
        router,
        Limits {
            max_connections: 1,
            ..Limits::default()
        },
    )
    .await;
    let mut client = server.client().await;
    client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await;
    entered.notified().await;
    drop(client);
    // The request keeps its client's place until it has ended.
    let mut next = server.client().await;
    next.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n").await;
    end.notify_one();
    assert_eq!(seen.recv().await.unwrap(), ("GET", "/wait".to_owned(), 200));
    assert_eq!(
        seen.recv().await.unwrap(),
        ("GET", "unmatched".to_owned(), 404)
    );
    assert_eq!(next.answer().await.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn a_request_that_is_cut_off_is_counted_too() {
    let entered = Arc::new(Notify::new());
    let enter = Arc::clone(&entered);
    let wait = async move || {
        enter.notify_one();
        std::future::pending::<()>().await;
    };
    let (router, mut seen) = watched(Router::new().route("/wait", get(wait)));
    let server = Server::limited(
        router,
        Limits {
            drain_seconds: 0,
            ..Limits::default()
        },
    )
    .await;
    let mut client = server.client().await;
    client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await;
    entered.notified().await;
    server.stop().await;
    assert_eq!(
        seen.recv().await.unwrap(),
        ("GET", "/wait".to_owned(), CUT_OFF)
    );
}

#[tokio::test]
async fn a_panic_that_nobody_catches_costs_one_connection() {
    let server =
        Server::start(Router::new().route("/", get(async || -> () { panic!("the secret") }))).await;
    for _ in 0..2 {
        let answer = server.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    }
    server.stop().await;
}
