//! How many signature checks a second, against a bare handler that does the same JSON and the same two
//! signature checks and stores nothing: one process, one HTTP stack, the same clients, in turns.
//!
//! `cargo run --release --package cis --example validate_rate`, with PostgreSQL too inside
//! `tests/postgres.sh run`. `KEYWARD_BENCH_KEYS` is the larger number of stored keys (1,000,000).
//! With valgrind installed it tells the instructions of one check, too.

#![expect(
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark measures time and counts calls"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use domain::port::Store;
use domain::port::store::{Row, RowId};
use domain::tenant::access_token::CLIENT_TOKENS;
use domain::tenant::device_key::PublicKey;
use http::HeaderMap;
use serde_json::{Value, json};
use testkit::{Backing, Client, Kit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long each load runs.
const RUN: Duration = Duration::from_secs(4);
const CLIENTS: usize = 16;
/// Turns of each side; the best of each counts, since others may be at work on the machine.
const TURNS: usize = 3;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = runtime.expect("a runtime");
    match arguments.get(1).map(String::as_str) {
        Some("once") => runtime.block_on(once(arguments[2].parse().expect("a number"))),
        _ => runtime.block_on(all()),
    }
}

async fn all() {
    let larger = std::env::var("KEYWARD_BENCH_KEYS")
        .ok()
        .and_then(|text| text.parse().ok());
    let larger = larger.unwrap_or(1_000_000);
    instructions();
    measure("SQLite", Backing::file(), 0.7, Some(larger)).await;
    match Backing::postgres().await {
        Some(backing) => measure("PostgreSQL", backing, 0.5, None).await,
        None => println!("device keys, PostgreSQL: SKIPPED, KEYWARD_TEST_POSTGRES is not set"),
    }
}

async fn measure(engine: &str, backing: Backing, aim: f64, larger: Option<u64>) {
    let kit = Kit::builder().store(backing.store()).build().await;
    fill(kit.store.as_ref(), 0, 10_000).await;
    let bench = Bench::new(&kit).await;
    let stop = jobs(&kit);
    let (ours, bare) = (bench.served(&kit).await, bench.served_bare(&kit).await);
    let (mut best, mut best_bare) = (0.0_f64, 0.0_f64);
    for _ in 0..TURNS {
        best_bare = best_bare.max(load(bare, &bench.validate).await);
        best = best.max(load(ours, &bench.validate).await);
    }
    println!(
        "device keys, {engine}: {best:.0} checks/s, bare handler {best_bare:.0}/s, ratio {:.2} (aim >= {aim})",
        best / best_bare
    );
    let listed = load(ours, &bench.list).await;
    println!("device keys, {engine}: {listed:.0} lists of 100 keys/s");
    if let Some(larger) = larger {
        fill(kit.store.as_ref(), 10_000, larger).await;
        let mut with_many = 0.0_f64;
        for _ in 0..TURNS {
            with_many = with_many.max(load(ours, &bench.validate).await);
        }
        println!(
            "device keys, {engine}: {with_many:.0} checks/s with {larger} keys, {best:.0} with 10000, ratio {:.2} (aim >= 0.9)",
            with_many / best
        );
    }
    stop.abort();
}

/// The audit trail is written while it is measured, as in the server.
fn jobs(kit: &Kit) -> tokio::task::JoinHandle<()> {
    let services = kit.services.clone();
    tokio::spawn(async move {
        let mut pause = tokio::time::interval(Duration::from_millis(500));
        loop {
            pause.tick().await;
            services
                .upkeep
                .keep_house()
                .await
                .expect("housekeeping runs");
        }
    })
}

/// A registered key with a right signature, and a user with 100 keys.
struct Bench {
    validate: Vec<u8>,
    list: Vec<u8>,
    public: PublicKey,
    path: String,
    body: String,
    bearer: String,
}

impl Bench {
    async fn new(kit: &Kit) -> Self {
        let client = kit.client(|services| cis::routes(services.tenants));
        let tenant = kit
            .services
            .tenants
            .create_tenant(&kit.operator(), "Bench".to_owned())
            .await
            .expect("a tenant");
        let admin = token(&client, &tenant.client.to_string(), tenant.secret.expose()).await;
        let app = call(
            &client,
            "POST",
            "/cis/v1/applications",
            &admin,
            &json!({"app_name": "Bench"}),
        )
        .await;
        let text = |name: &str| app["result"][name].as_str().expect("a text").to_owned();
        let bearer = token(&client, &text("client_id"), &text("client_secret")).await;
        let vectors = include_str!("../../crypto/tests/vectors/device-keys-vectors.json");
        let vectors: Value = serde_json::from_str(vectors).expect("JSON");
        let right = |case: &&Value| case["key"] == "rsa2048-a" && case["result"] == true;
        let right = vectors["validations"]
            .as_array()
            .and_then(|all| all.iter().find(right))
            .expect("one");
        let public = vectors["keys"][0]["public_key"].as_str().expect("a text");
        let user = user(&client, &bearer, "a").await;
        let keys = format!("/cis/v1/users/{user}/device-keys");
        let form = json!({ "key_id": "key", "public_key": public, "display_name": "A telephone" });
        call(&client, "POST", &keys, &bearer, &form).await;
        let many = user_with_many(&client, &bearer).await;
        let body =
            json!({ "challenge": right["challenge"], "signature": right["signature"] }).to_string();
        let path = format!("{keys}/key/validate");
        Self {
            validate: request("POST", &path, &bearer, &body),
            list: request(
                "GET",
                &format!("/cis/v1/users/{many}/device-keys"),
                &bearer,
                "",
            ),
            public: PublicKey::parse(public).expect("sound"),
            path,
            body,
            bearer,
        }
    }

    async fn served(&self, kit: &Kit) -> SocketAddr {
        serve(cis::routes(Arc::clone(&kit.services.tenants))).await
    }

    /// The same JSON and the same two signature checks, and nothing else.
    async fn served_bare(&self, kit: &Kit) -> SocketAddr {
        let state = (kit.services.clone(), Arc::new(self.public.spki().to_vec()));
        let path = "/cis/v1/users/{user}/device-keys/{key}/validate";
        serve(Router::new().route(path, post(bare)).with_state(state)).await
    }
}

async fn bare(
    State((services, spki)): State<(domain::Services, Arc<Vec<u8>>)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let bearer = headers["authorization"].to_str().unwrap_or_default();
    let token = bearer.trim_start_matches("Bearer ");
    let claims = services
        .tenants
        .verify_claims(CLIENT_TOKENS, token)
        .await
        .expect("keys in memory");
    let claims: Value = serde_json::from_slice(&claims.unwrap_or_default()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let public = PublicKey::from_spki(&spki).expect("sound");
    let challenge = body["challenge"].as_str().unwrap_or_default();
    let signature = body["signature"].as_str().unwrap_or_default();
    let result =
        claims["aud"] == "userid-api" && public.verify(challenge.as_bytes(), signature).is_valid();
    web::json::reply(http::StatusCode::OK, &json!({ "result": result }))
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Requests a second over [`CLIENTS`] connections.
async fn load(address: SocketAddr, request: &[u8]) -> f64 {
    let started = Instant::now();
    let mut running = Vec::new();
    for _ in 0..CLIENTS {
        let request = request.to_vec();
        running.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            stream.set_nodelay(true).expect("an option");
            let (mut done, mut answer) = (0_u64, Vec::with_capacity(64 * 1024));
            while started.elapsed() < RUN {
                stream.write_all(&request).await.expect("sent");
                read_answer(&mut stream, &mut answer).await;
                done += 1;
            }
            done
        }));
    }
    let mut done = 0;
    for client in running {
        done += client.await.expect("a client ends");
    }
    done as f64 / started.elapsed().as_secs_f64()
}

async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) {
    answer.clear();
    loop {
        stream.read_buf(answer).await.expect("received");
        let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let text = std::str::from_utf8(&answer[..head]).expect("text");
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|text| text.parse().ok()).expect("a length");
        if answer.len() >= head + 4 + length {
            assert!(answer.starts_with(b"HTTP/1.1 200"), "{text}");
            assert!(!answer.ends_with(b"{\"result\":false}"));
            return;
        }
    }
}

fn request(method: &str, path: &str, token: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n");
    let kind = "content-type: application/json\r\n";
    format!("{head}{kind}content-length: {length}\r\n\r\n{body}").into_bytes()
}

async fn token(client: &Client, id: &str, secret: &str) -> String {
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    client
        .send("POST", "/oidc/token", &kind, form)
        .await
        .member("access_token")
}

async fn call(client: &Client, method: &str, path: &str, token: &str, body: &Value) -> Value {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let answer = client.send(method, path, &headers, body.to_string()).await;
    assert!(answer.status.is_success(), "{path}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

async fn user(client: &Client, token: &str, name: &str) -> String {
    let body = json!({ "email": format!("{name}@example.com") });
    let made = call(client, "POST", "/cis/v1/users", token, &body).await;
    made["result"]["user_id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

async fn user_with_many(client: &Client, token: &str) -> String {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use base64::Engine;
    let user = user(client, token, "b").await;
    for nth in 0..100 {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key pair");
        let public = base64::engine::general_purpose::STANDARD.encode(pair.public_key().as_ref());
        let form = json!({ "key_id": format!("k{nth}"), "public_key": public });
        call(
            client,
            "POST",
            &format!("/cis/v1/users/{user}/device-keys"),
            token,
            &form,
        )
        .await;
    }
    user
}

/// Rows like those of stored keys and their prints, from number `from` up to `to`: of the same size,
/// scattered as keyed hashes are, a hundred to an owner.
async fn fill(store: &dyn Store, from: u64, to: u64) {
    const BATCH: u64 = 5_000;
    let id = |label: &str, nth: u64| {
        let digest = aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            format!("{label} {nth}").as_bytes(),
        );
        RowId(digest.as_ref()[..16].try_into().expect("sixteen bytes"))
    };
    let mut next = from;
    while next < to {
        let (first, last) = (next, (next + BATCH).min(to));
        let job = Box::new(move |tx: &mut dyn domain::port::store::Tx| {
            for nth in first..last {
                let rank = i64::try_from(nth).unwrap_or_default();
                let owner = Some(id("owner", nth / 100));
                let mut row = Row {
                    id: id("key", nth),
                    owner,
                    rank,
                    due: None,
                    version: 1,
                    body: vec![7; 720],
                };
                tx.insert("device_key", &row)?;
                row.owner = Some(row.id);
                row.id = id("print", nth);
                row.body = vec![7; 60];
                tx.insert("device_key_print", &row)?;
            }
            Ok(())
        });
        store.write(job).await.expect("rows go in");
        next = last;
    }
}

/// `count` checks without sockets, for counting instructions.
async fn once(count: u64) {
    let kit = Kit::builder()
        .store(Backing::memory().store())
        .build()
        .await;
    let bench = Bench::new(&kit).await;
    let client = kit.client(|services| cis::routes(services.tenants));
    let bearer = format!("Bearer {}", bench.bearer);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    for _ in 0..count {
        let answer = client
            .send("POST", &bench.path, &headers, bench.body.clone())
            .await;
        assert_eq!(answer.text(), "{\"result\":true}");
    }
}

/// Instructions of one check, from two runs of different length under callgrind.
fn instructions() {
    let run = |count: u64| {
        let binary = std::env::current_exe().ok()?;
        let output = std::process::Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(binary)
            .args(["once", &count.to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().find(|line| line.contains("Collected :"))?;
        line.rsplit(' ').next()?.parse::<u64>().ok()
    };
    match (run(100), run(600)) {
        (Some(few), Some(many)) => {
            println!(
                "device keys: {} instructions a check (callgrind, SQLite in memory)",
                (many - few) / 500
            );
        }
        _ => println!("device keys: instructions a check: SKIPPED, valgrind is not installed"),
    }
}
