//! What calls of wallets cost beside the signatures they are about.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::device_signature::{DeviceId, verify_challenge};
use crypto::jws::{Algorithm, Compact, PublicNumbers, SigningKey, VerifyingKey};
use serde_json::{Value, json};

use crate::client::{Connection, field};
use crate::server::Server;
use crate::{RUN, as_f64, load, quantile};

const ISSUER: &str = "https://bench.example.test";
const CLIENTS: usize = 16;
/// Each may do sixty of each thing in a minute.
const USERS: usize = 120;
const INSTANCE: &str = "abababababababababababababababababababababababababababababababab";

/// An issuer whose keys are published over loopback.
struct Issuer {
    key: SigningKey,
    url: String,
}

impl Issuer {
    fn start() -> Self {
        let pkcs8 = SigningKey::generate(Algorithm::Rs256).expect("a key");
        let key = SigningKey::from_pkcs8(Algorithm::Rs256, &pkcs8).expect("its own form");
        let Ok(PublicNumbers::Rsa { n, e }) = key.public_numbers() else {
            panic!("an RSA key");
        };
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let jwk = json!({"kty": "RSA", "kid": "bench", "n": encode(&n), "e": encode(&e)});
        let body = json!({ "keys": [jwk] }).to_string();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/jwks", listener.local_addr().expect("bound"));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let _ = stream.read(&mut [0; 4096]);
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                // Who asked and went away asks again.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { key, url }
    }

    fn token(&self, subject: &str) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        let header = json!({"alg": "RS256", "kid": "bench"}).to_string();
        let claims =
            json!({"iss": ISSUER, "aud": "bench", "sub": subject, "exp": now.as_secs() + 3600});
        let signed = self
            .key
            .sign(header.as_bytes(), claims.to_string().as_bytes());
        signed.expect("a key signs")
    }

    fn server(&self) -> Server {
        let jwt = format!(
            "[{{ issuer = \"{ISSUER}\", audiences = [\"bench\"], jwks_url = \"{}\", enforce_scopes = false }}]",
            self.url
        );
        Server::start(&[
            ("KEYWARD_DUO__JWT", &jwt),
            ("KEYWARD_DUO__HOOKS__LISTEN", "127.0.0.1:0"),
            ("KEYWARD_DUO__BACKUP__REQUIRE_KNOWN_KEY", "false"),
            ("KEYWARD_DUO__BACKUP__REQUIRE_FACE_ENROLLED", "false"),
        ])
    }
}

/// One connection and the users it speaks for, in turn.
struct Client {
    connection: Connection,
    headers: Vec<String>,
    turn: usize,
}

impl Client {
    fn call(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let headers = &self.headers[self.turn % self.headers.len()];
        self.connection.send_with(method, path, headers, body)
    }

    fn next(&mut self) {
        self.turn += 1;
    }

    fn bind(&mut self, device: &Device) {
        let (status, answer) =
            self.call("GET", &format!("/auth/devices/challenge/{}", device.id), "");
        assert_eq!(status, 200, "{answer}");
        let signature = device.sign(&field(&answer, "challenge"));
        let body = json!({"device_id": device.id, "signature": signature}).to_string();
        let (status, answer) = self.call("POST", "/auth/devices/register", &body);
        assert_eq!(status, 201, "{answer}");
    }
}

struct Device {
    key: EcdsaKeyPair,
    id: String,
}

impl Device {
    fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        let id = hex::encode(key.public_key());
        Self { key, id }
    }

    fn sign(&self, challenge: &str) -> String {
        let message = format!(r#"{{"challenge":"{challenge}"}}"#);
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes());
        hex::encode(signature.expect("a key signs"))
    }
}

/// Reads with a token, devices bound, shares backed up, and decisions about keys.
pub(crate) fn calls() {
    let issuer = Issuer::start();
    let server = issuer.server();
    let clients = || -> Vec<Client> {
        (0..CLIENTS)
            .map(|at| client(&issuer, &server, at))
            .collect()
    };
    for mut client in clients() {
        for _ in 0..USERS {
            assert_eq!(client.call("POST", "/auth/users/register", "").0, 201);
            client.next();
        }
    }
    let bare_token = bare_token(&issuer);
    let bare_device = bare_device();

    let (rate, times) = load(clients(), |client| {
        assert_eq!(client.call("GET", "/v2/face", "").0, 200);
        client.next();
    });
    println!(
        "authenticated read: {rate:.0}/s at {CLIENTS} clients, p99 {:?}; bare RS256 {bare_token:.0}/s, ratio {:.3}",
        quantile(&times, 0.99),
        rate / bare_token
    );

    let (rate, times) = load(clients(), |client| {
        client.bind(&Device::new());
        client.next();
    });
    // Two tokens and one device signature each.
    let bare = 1.0 / (2.0 / bare_token + 1.0 / bare_device);
    println!(
        "device bound (challenge and registration): {rate:.0}/s at {CLIENTS} clients, p99 {:?}; bare two RS256 and one ES256 \
         {bare:.0}/s, ratio {:.3}",
        quantile(&times, 0.99),
        rate / bare
    );

    let share = "s".repeat(1_048_576);
    let (rate, times) = load(clients(), |client| {
        let key = format!("wallet-{:p}-{}", &raw const *client, client.turn % USERS);
        let body = json!({"keyshares": [{"key_id": key, "encrypted_keyshare": share}]}).to_string();
        let (status, answer) = client.call("POST", "/v2/keyshare/backup", &body);
        assert_eq!(status, 200, "{answer}");
        client.next();
    });
    println!(
        "backup of 1 MiB: {rate:.0}/s at {CLIENTS} clients, p50 {:?}, p99 {:?}",
        quantile(&times, 0.5),
        quantile(&times, 0.99)
    );
    decisions(&issuer, &server);
}

/// May these keys be used? At full load, then at half of what that was.
fn decisions(issuer: &Issuer, server: &Server) {
    let text = std::fs::read_to_string(server.folder.join("server.json")).expect("it is there");
    let running: Value = serde_json::from_str(&text).expect("JSON");
    let hooks = running["hooks"].as_str().expect("a listener of hooks");
    let hooks = hooks.trim_start_matches("http://").to_owned();
    let ask = |connection: &mut Connection, name: &str, body: &str| {
        let (status, answer) =
            connection.send("POST", &format!("/hooks/duo/{name}"), None, Some(body));
        assert_eq!((status, answer.as_str()), (200, "\"ok\""));
    };
    let asked: Vec<(Connection, String)> = (0..CLIENTS)
        .map(|at| {
            let device = Device::new();
            client(issuer, server, at).bind(&device);
            let mut connection = Connection::open(&hooks);
            let key = format!("{at:064x}");
            let of = |more: Value| {
                let mut body = json!({"token": device.id, "instance": INSTANCE});
                let (name, value) = more
                    .as_object()
                    .and_then(|more| more.iter().next())
                    .expect("one");
                body[name] = value.clone();
                body.to_string()
            };
            ask(&mut connection, "dkg-setup", &of(json!({"setup": {}})));
            ask(&mut connection, "key-id", &of(json!({"key_id": key})));
            (connection, of(json!({"setup": {"key_id": [key]}})))
        })
        .collect();
    let again = |asked: &[(Connection, String)]| -> Vec<(Connection, String)> {
        asked
            .iter()
            .map(|(_, body)| (Connection::open(&hooks), body.clone()))
            .collect()
    };
    let (rate, times) = load(again(&asked), |(connection, body)| {
        ask(connection, "dsg-setup", body);
    });
    println!(
        "hook decision: {rate:.0}/s at {CLIENTS} clients, p99 {:?}",
        quantile(&times, 0.99)
    );
    // Half as many a second, each client at its own even pace; the wait is no part of the latency.
    let every = Duration::from_secs_f64(as_f64(CLIENTS as u64) / (rate / 2.0));
    let latencies = std::sync::Mutex::new(Vec::new());
    let (half, _) = load(again(&asked), |(connection, body)| {
        let begun = Instant::now();
        ask(connection, "dsg-setup", body);
        let took = begun.elapsed();
        latencies.lock().expect("nobody panics").push(took);
        std::thread::sleep(every.saturating_sub(took));
    });
    let mut latencies = latencies.into_inner().expect("nobody panics");
    latencies.sort_unstable();
    println!(
        "hook decision at half load: {half:.0}/s, p50 {:?}, p99 {:?} (aim < 2 ms)",
        quantile(&latencies, 0.5),
        quantile(&latencies, 0.99)
    );
}

fn client(issuer: &Issuer, server: &Server, at: usize) -> Client {
    let header = |user| {
        format!(
            "authorization: Bearer {}\r\n",
            issuer.token(&format!("{at}-{user}"))
        )
    };
    Client {
        connection: Connection::open(&server.address),
        headers: (0..USERS).map(header).collect(),
        turn: 0,
    }
}

/// Tokens verified in a second, one thread a core.
fn bare_token(issuer: &Issuer) -> f64 {
    let numbers = issuer.key.public_numbers().expect("a key has them");
    let token = issuer.token("bare");
    bare(|| {
        let key = VerifyingKey::new(Algorithm::Rs256, &numbers).expect("its own numbers");
        let token = Compact::parse(&token).expect("a token");
        assert!(key.verifies(&token));
    })
}

/// Device signatures verified in a second, one thread a core.
fn bare_device() -> f64 {
    let device = Device::new();
    let challenge = "ab".repeat(32);
    let signature = device.sign(&challenge);
    bare(|| {
        let id = DeviceId::parse(&device.id).expect("a point");
        assert_eq!(verify_challenge(&id, &challenge, &signature), Ok(true));
    })
}

fn bare(work: impl Fn() + Sync) -> f64 {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let started = Instant::now();
    let counts: Vec<u64> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..cores)
            .map(|_| {
                scope.spawn(|| {
                    let mut count = 0;
                    while started.elapsed() < RUN {
                        work();
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        let ended = running.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended
            .map(|count| count.expect("bare work does not panic"))
            .collect()
    });
    as_f64(counts.iter().sum()) / started.elapsed().as_secs_f64()
}
