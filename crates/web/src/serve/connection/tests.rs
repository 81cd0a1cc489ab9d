//! Time limits, on a clock that jumps to the next timer whenever nothing else is left to do.

#![expect(
    clippy::disallowed_methods,
    reason = "the clock under test is tokio's own, and it is stopped"
)]

use std::net::Ipv4Addr;

use axum::routing::{any, get};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep};

use super::super::seats::Seats;
use super::*;

const LIMITS: Limits = Limits {
    header_bytes: 4096,
    headers: 8,
    header_seconds: 10,
    idle_seconds: 75,
    request_seconds: 60,
    max_connections: 1,
    max_connections_per_network: 0,
    drain_seconds: 20,
};

const HELLO: &[u8] = b"GET /hello HTTP/1.1\r\n\r\n";

/// One connection over a pipe that holds `buffer` bytes in each direction.
struct Scene {
    client: DuplexStream,
    serving: JoinHandle<()>,
    begun: Instant,
}

impl Scene {
    fn new(buffer: usize) -> Self {
        let router = Router::new()
            .route("/hello", get(async || "hello"))
            .route("/never", get(std::future::pending::<()>))
            .route("/large", get(async || "x".repeat(100_000)))
            .route("/echo", any(async |body: bytes::Bytes| body));
        let host = Host {
            router,
            tls: None,
            limits: LIMITS,
            proxies: TrustedProxies::default(),
            shutdown: CancellationToken::new(),
            cut_off: CancellationToken::new(),
            ignored_header: AtomicBool::new(false),
            tasks: TaskTracker::new(),
        };
        let seats = Seats::new(1, 0);
        let (client, server) = duplex(buffer);
        let serving = tokio::spawn(async move {
            let seat = seats.take_uncounted(seats.free().await.unwrap());
            host.requests(server, Ipv4Addr::LOCALHOST.into(), Arc::new(seat))
                .await;
        });
        Self {
            client,
            serving,
            begun: Instant::now(),
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.client.write_all(bytes).await.unwrap();
    }

    /// What arrives until `end` does.
    async fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            read.push(self.client.read_u8().await.unwrap());
        }
        String::from_utf8(read).unwrap()
    }

    async fn wait(seconds: u64) {
        sleep(Duration::from_secs(seconds)).await;
    }

    /// Waits for the server's end of the connection to be gone, and tells after how many seconds it was.
    async fn gone(self) -> u64 {
        self.serving.await.unwrap();
        self.begun.elapsed().as_secs()
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_must_send_a_head() {
    assert_eq!(Scene::new(1024).gone().await, 10);
}

#[tokio::test(start_paused = true)]
async fn a_trickle_gains_no_time() {
    let mut scene = Scene::new(1024);
    for byte in [b"G", b"E", b"T"] {
        scene.send(byte).await;
        Scene::wait(3).await;
    }
    assert_eq!(scene.gone().await, 10);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_longer() {
    let mut scene = Scene::new(1024);
    for _ in 0..3 {
        scene.send(HELLO).await;
        scene.read_until("hello").await;
        Scene::wait(70).await;
    }
    assert_eq!(scene.gone().await, 2 * 70 + 75);
}

#[tokio::test(start_paused = true)]
async fn a_later_head_has_the_time_of_a_head() {
    let mut scene = Scene::new(1024);
    scene.send(HELLO).await;
    scene.read_until("hello").await;
    Scene::wait(50).await;
    scene.send(b"GET").await;
    assert_eq!(scene.gone().await, 50 + 10);
}

#[tokio::test(start_paused = true)]
async fn a_later_head_starts_a_time_of_its_own() {
    let mut scene = Scene::new(1024);
    for _ in 0..3 {
        let (first, second) = HELLO.split_at(5);
        scene.send(first).await;
        Scene::wait(6).await;
        scene.send(second).await;
        scene.read_until("hello").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_begun_with_the_last_request_is_not_forgotten() {
    let mut scene = Scene::new(1024);
    scene.send(&[HELLO, b"GET"].concat()).await;
    scene.read_until("hello").await;
    assert_eq!(scene.gone().await, 75);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_answered() {
    let mut scene = Scene::new(1024);
    scene.send(b"GET /never HTTP/1.1\r\n\r\n").await;
    let answer = scene.read_until("\r\n\r\n").await.to_lowercase();
    assert!(answer.starts_with("http/1.1 503 "), "{answer}");
    assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(scene.gone().await, 60);
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_the_handlers_affair() {
    let mut scene = Scene::new(1024);
    scene
        .send(b"POST /echo HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc")
        .await;
    Scene::wait(59).await;
    scene.send(b"def").await;
    scene.read_until("abcdef").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_left() {
    let mut scene = Scene::new(1024);
    scene.send(b"GET /large HTTP/1.1\r\n\r\n").await;
    assert_eq!(scene.gone().await, 60);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_slowly_is_served() {
    let mut scene = Scene::new(1024);
    scene.send(b"GET /large HTTP/1.1\r\n\r\n").await;
    scene.read_until("\r\n\r\n").await;
    let mut piece = vec![0; 1000];
    for _ in 0..100 {
        Scene::wait(50).await;
        scene.client.read_exact(&mut piece).await.unwrap();
        assert_eq!(piece, vec![b'x'; 1000]);
    }
    scene.send(HELLO).await;
    scene.read_until("hello").await;
}
