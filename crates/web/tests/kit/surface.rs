//! A surface serves the methods that its handlers name, and describes exactly its routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;
use utoipa::openapi::OpenApi;
use web::surface::{Surface, routes};

use crate::server::Server;

type Calls = Arc<AtomicUsize>;

fn not_allowed(allow: &'static str) -> Response {
    let body = json!({ "message": "no", "allow": allow });
    web::json::reply(StatusCode::METHOD_NOT_ALLOWED, &body)
}

fn page_not_allowed(_: &'static str) -> Response {
    web::page::html(StatusCode::METHOD_NOT_ALLOWED, "no".to_owned())
}

#[utoipa::path(get, path = "/read", responses((status = 200)))]
async fn read(State(calls): State<Calls>) -> String {
    count(&calls)
}

#[utoipa::path(put, path = "/both", responses((status = 200)))]
async fn put_both(State(calls): State<Calls>) -> String {
    count(&calls)
}

#[utoipa::path(get, path = "/both", responses((status = 200)))]
async fn get_both(State(calls): State<Calls>) -> String {
    count(&calls)
}

#[utoipa::path(method(get, head), path = "/head", responses((status = 200)))]
async fn get_and_head(State(calls): State<Calls>) -> String {
    count(&calls)
}

#[utoipa::path(method(patch, post, options), path = "/write", responses((status = 200)))]
async fn write(State(calls): State<Calls>) -> String {
    count(&calls)
}

#[utoipa::path(get, path = "/page/{id}", responses((status = 200), (status = 404)))]
async fn page(State(calls): State<Calls>) -> String {
    count(&calls)
}

fn count(calls: &Calls) -> String {
    (calls.fetch_add(1, Ordering::SeqCst) + 1).to_string()
}

fn surface() -> Surface<Calls> {
    let pages = Surface::new(OpenApi::default(), page_not_allowed).route(routes!(page));
    Surface::new(OpenApi::default(), not_allowed)
        .route(routes!(read))
        .route(routes!(put_both))
        .route(routes!(get_both))
        .route(routes!(get_and_head))
        .route(routes!(write))
        .beside(pages)
}

fn router(calls: &Calls) -> Router {
    surface().into_parts().0.with_state(Arc::clone(calls))
}

fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

#[tokio::test]
async fn a_named_method_is_served() {
    let calls = Calls::default();
    let server = Server::start(router(&calls)).await;
    let named = [
        "GET /read",
        "GET /both",
        "PUT /both",
        "GET /head",
        "POST /write",
        "PATCH /write",
        "OPTIONS /write",
        "GET /page/7",
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
    let calls = Calls::default();
    let server = Server::start(router(&calls)).await;
    for (path, allow, others) in [
        ("/read", "GET", ["POST", "OPTIONS", "TRACE", "BREW"]),
        ("/both", "PUT, GET", ["POST", "PATCH", "DELETE", "PROPFIND"]),
        ("/head", "GET, HEAD", ["POST", "DELETE", "OPTIONS", "get"]),
        (
            "/write",
            "POST, OPTIONS, PATCH",
            ["GET", "PUT", "DELETE", "TRACE"],
        ),
    ] {
        for method in others {
            let answer = server.ask(&request(method, path)).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
            assert_eq!(
                answer.body,
                json!({ "message": "no", "allow": allow }).to_string()
            );
        }
    }
    let answer = server.ask(&request("POST", "/page/7")).await;
    assert_eq!((answer.status, answer.body.as_str()), (405, "no"));
    assert_eq!(answer.header("allow"), Some("GET"));
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    server.stop().await;
}

#[tokio::test]
async fn head_runs_nothing_unless_it_is_named() {
    let calls = Calls::default();
    let server = Server::start(router(&calls)).await;
    for (path, allow) in [
        ("/read", "GET"),
        ("/both", "PUT, GET"),
        ("/page/7", "GET"),
        ("/write", "POST, OPTIONS, PATCH"),
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

#[test]
fn the_description_has_the_operations_and_lists_the_other_routes() {
    let (_, description) = surface().into_parts();
    let described = serde_json::to_value(description).unwrap();
    let paths: Vec<&String> = described["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/both", "/head", "/read", "/write"]);
    assert!(described["paths"]["/both"]["put"].is_object());
    assert_eq!(
        described["x-other-routes"],
        json!({ "/page/{id}": { "GET": ["200", "404"] } })
    );
}

#[tokio::test]
async fn a_layer_goes_around_the_answers_to_other_methods_too() {
    let layered = surface().layer(axum::middleware::map_response(
        async |mut response: Response| {
            response
                .headers_mut()
                .insert("x-layer", http::HeaderValue::from_static("yes"));
            response
        },
    ));
    let router = layered.into_parts().0.with_state(Calls::default());
    let server = Server::start(router).await;
    for (method, status) in [("GET", 200), ("POST", 405)] {
        let answer = server.ask(&request(method, "/read")).await;
        assert_eq!(
            (answer.status, answer.header("x-layer")),
            (status, Some("yes"))
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_moved_surface_serves_and_describes_its_patterns_at_the_new_place() {
    let moved = Surface::new(OpenApi::default(), not_allowed)
        .moved("/page", "/other/page")
        .route(routes!(page))
        .route(routes!(read));
    let (router, description) = moved.into_parts();
    let described: Vec<&String> = description.paths.paths.keys().collect();
    assert_eq!(described, ["/other/page/{id}", "/read"]);
    let server = Server::start(router.with_state(Calls::default())).await;
    for (line, status) in [
        ("GET /other/page/7", 200),
        ("GET /page/7", 404),
        ("GET /read", 200),
        ("POST /other/page/7", 405),
    ] {
        let (method, path) = line.split_once(' ').unwrap();
        let answer = server.ask(&request(method, path)).await;
        assert_eq!(answer.status, status, "{line}");
    }
    server.stop().await;
}
