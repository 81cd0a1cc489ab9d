//! What a login costs beside its exponentiations, and what a storm of logins costs others.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA512, digest};
use crypto::Key;
use crypto::srp::{ClientProof, ClientPublic, ServerHandshake, Verifier};
use num_bigint::BigUint;
use serde_json::{Value, json};

use crate::client::Connection;
use crate::server::Server;
use crate::{RUN, as_f64, load, quantile};

const UNLIMITED: [(&str, &str); 6] = [
    ("KEYWARD_ENCEEPER__CONFIRM_EMAIL", "false"),
    ("KEYWARD_ENCEEPER__IP_REQUESTS_PER_HOUR", "0"),
    ("KEYWARD_ENCEEPER__FAILED_PROOFS_PER_IP", "0"),
    ("KEYWARD_ENCEEPER__FAILED_PROOFS_PER_ADDRESS", "0"),
    ("KEYWARD_ENCEEPER__PLANS__DEFAULT__REQS_PER_HOUR", "0"),
    ("KEYWARD_ENCEEPER__DEFAULT_PLAN", "default"),
];
const VECTORS: &str = include_str!("../../../crypto/tests/vectors/enceeper-srp-vectors.json");
const SALT: &str = "00000000000000000000000000000000";
/// A well-formed proof that fits nothing: judging it costs what judging a right one costs.
const WRONG: &str = "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";
const KEYS: usize = 1000;

/// Challenges and logins against the bare exponentiations, as many in flight as keep all cores busy.
pub(crate) fn logins() {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let server = Server::start(&UNLIMITED);
    let names: Vec<String> = (0..16).map(|n| format!("user{n}@example.org")).collect();
    for name in &names {
        register(&server, name);
    }
    let clients = || {
        names
            .iter()
            .map(|name| (Connection::open(&server.address), name.clone()))
            .collect()
    };
    let (mut challenges, mut logins) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let bare_challenges = bare(cores, |verifier, _, _| {
            ServerHandshake::start(verifier, &Key::new([7; 32])).expect("B is not 0");
        });
        let (rate, times) = load(clients(), |(connection, name)| {
            challenge(connection, name);
        });
        let p99 = quantile(&times, 0.99);
        println!(
            "challenge: {rate:.0}/s at 16 clients, p99 {p99:?}; bare g^b + k*v {bare_challenges:.0}/s"
        );
        challenges.push(rate / bare_challenges);
        let bare_logins = bare(cores, |verifier, public, proof| {
            let started = ServerHandshake::start(verifier, &Key::new([7; 32])).expect("B is not 0");
            started.prove(public, proof).expect_err("a wrong proof");
        });
        let (rate, times) = load(clients(), |(connection, name)| {
            let reference = challenge(connection, name)["ref"].clone();
            let body = json!({"srp6a": {"A": "02", "M1": WRONG, "ref": reference}});
            let (status, _) =
                connection.send("POST", "/api/v1/user/login", None, Some(&body.to_string()));
            assert_eq!(status, 400);
        });
        let p99 = quantile(&times, 0.99);
        println!(
            "challenge and login: {rate:.1}/s at 16 clients, p99 {p99:?}; bare {bare_logins:.1}/s"
        );
        logins.push(rate / bare_logins);
    }
    challenges.sort_by(f64::total_cmp);
    logins.sort_by(f64::total_cmp);
    println!(
        "challenge against the bare exponentiations: {:.3} (median of 3)",
        challenges[1]
    );
    println!(
        "challenge and login against the bare exponentiations: {:.3} (median of 3, aim >= 0.9)",
        logins[1]
    );
}

/// A list of a thousand keys, and slot reads, idle and while logins keep the pool busy.
pub(crate) fn reads() {
    let server = Server::start(&UNLIMITED);
    register(&server, "owner@example.org");
    let token = sign_in(&server, "owner@example.org");
    let mut connection = Connection::open(&server.address);
    let mut call = |method: &str, path: &str, body: &str| -> Value {
        let token = format!("x-enceeper-auth: {token}\r\n");
        let (status, answer) = connection.send_with(method, path, &token, body);
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str(&answer).expect("JSON")
    };
    let mut key = Value::Null;
    for _ in 0..KEYS {
        // What an empty entry of the public client is in bytes.
        let body =
            json!({"slot": "s".repeat(260), "meta": "m".repeat(200), "value": "v".repeat(210)});
        key =
            call("POST", "/api/v1/user/keys", &body.to_string())["result"]["key"]["key_id"].clone();
    }
    let path = format!("/api/v1/user/keys/{key}/slots");
    let slots = call("POST", &path, "{\"value\":\"slot\"}");
    let identifier = slots["result"]["key"]["slots"][1]["identifier"]
        .as_str()
        .expect("an identifier")
        .to_owned();
    let begun = Instant::now();
    for _ in 0..50 {
        call("GET", "/api/v1/user/keys", "");
    }
    println!(
        "list of {KEYS} keys: {:?} each, one client",
        begun.elapsed() / 50
    );
    let path = format!("/api/v1/user/slots/{identifier}");
    let clients = (0..8).map(|_| Connection::open(&server.address)).collect();
    let (rate, times) = load(clients, |connection| {
        assert_eq!(connection.send("GET", &path, None, None).0, 200);
    });
    println!(
        "slot read: {rate:.0}/s at 8 clients, p99 {:?}",
        quantile(&times, 0.99)
    );
    let idle = polite(&server, &path);
    let stop = AtomicBool::new(false);
    let logins = AtomicUsize::new(0);
    let loaded = std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                let mut connection = Connection::open(&server.address);
                while !stop.load(Ordering::Relaxed) {
                    let reference = challenge(&mut connection, "owner@example.org")["ref"].clone();
                    let body = json!({"srp6a": {"A": "02", "M1": WRONG, "ref": reference}});
                    connection.send("POST", "/api/v1/user/login", None, Some(&body.to_string()));
                    logins.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(Duration::from_secs(1));
        let loaded = polite(&server, &path);
        stop.store(true, Ordering::Relaxed);
        loaded
    });
    let ratio = loaded.as_secs_f64() / idle.as_secs_f64();
    println!(
        "slot read, p99: idle {idle:?}, while logins fill the pool {loaded:?}, ratio {ratio:.1}"
    );
}

/// The 99th percentile of one caller among many.
fn polite(server: &Server, path: &str) -> Duration {
    let clients = vec![Connection::open(&server.address)];
    let (_, times) = load(clients, |connection| {
        assert_eq!(connection.send("GET", path, None, None).0, 200);
        std::thread::sleep(Duration::from_millis(1));
    });
    quantile(&times, 0.99).saturating_sub(Duration::from_millis(1))
}

fn challenge(connection: &mut Connection, name: &str) -> Value {
    let body = json!({ "email": name }).to_string();
    let (status, answer) = connection.send("POST", "/api/v1/user/challenge", None, Some(&body));
    assert_eq!(status, 200, "{answer}");
    let mut answer: Value = serde_json::from_str(&answer).expect("JSON");
    answer["result"]["srp6a"].take()
}

/// An account whose secret x is 1, so that its verifier is g.
fn register(server: &Server, name: &str) {
    let auth = json!({"srp6a": {"salt": SALT, "verifier": "13"}, "keys": {"pub": "p"}});
    let body = json!({"email": name, "auth": auth}).to_string();
    let mut connection = Connection::open(&server.address);
    let (status, answer) = connection.send("POST", "/api/v1/user", None, Some(&body));
    assert_eq!(status, 200, "{answer}");
}

/// The client's half with x = 1 and a = 1: S = (B - k*g)^(1 + u), K = H(S).
fn sign_in(server: &Server, name: &str) -> String {
    let file: Value = serde_json::from_str(VECTORS).expect("JSON");
    let number = |name: &str| {
        let hex = file["parameters"][name].as_str().expect("hex");
        BigUint::parse_bytes(hex.as_bytes(), 16).expect("hex digits")
    };
    let (n, k, g) = (number("N"), number("k"), BigUint::from(19_u8));
    let pad = |number: &BigUint| {
        let bytes = number.to_bytes_be();
        [vec![0; 1024 - bytes.len()], bytes].concat()
    };
    let hash = |parts: &[&[u8]]| digest(&SHA512, &parts.concat()).as_ref().to_vec();
    let mut connection = Connection::open(&server.address);
    let challenge = challenge(&mut connection, name);
    let public = hex::decode(challenge["B"].as_str().expect("hex")).expect("hex digits");
    let own = pad(&g);
    let u = BigUint::from_bytes_be(&hash(&[&own, &public]));
    let base = (BigUint::from_bytes_be(&public) + &n - k * &g % &n) % &n;
    let key = hash(&[&pad(&base.modpow(&(u + 1_u8), &n))]);
    let proof = hex::encode(hash(&[&own, &public, &key]));
    let body = json!({"srp6a": {"A": hex::encode(own), "M1": proof, "ref": challenge["ref"]}});
    let (status, answer) =
        connection.send("POST", "/api/v1/user/login", None, Some(&body.to_string()));
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    answer["result"]["enceeper"]["authToken"]
        .as_str()
        .expect("a token")
        .to_owned()
}

/// Runs of `work` in a second with one thread a core.
fn bare(cores: usize, work: impl Fn(&Verifier, &ClientPublic, &ClientProof) + Sync) -> f64 {
    let started = Instant::now();
    let counts: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores)
            .map(|_| {
                scope.spawn(|| {
                    let verifier = Verifier::parse("13").expect("a verifier");
                    let public = ClientPublic::parse("02").expect("a public number");
                    let proof = ClientProof::parse(WRONG).expect("128 digits");
                    let mut count = 0;
                    while started.elapsed() < RUN {
                        work(&verifier, &public, &proof);
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("bare work does not panic"))
            .collect()
    });
    as_f64(counts.iter().sum()) / started.elapsed().as_secs_f64()
}
