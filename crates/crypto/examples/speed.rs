//! Operations per second of one core: `cargo run --release -p crypto --example speed`.
//!
//! Time is the thread's CPU time as Linux counts it, so that a busy machine distorts little. Each line is
//! the median of seven rounds of about 0.2 s.

use std::fs;
use std::hint::black_box;
use std::time::Duration;

use crypto::Key;
use crypto::device_key::PublicKey;
use crypto::device_signature::{DeviceId, verify_challenge};
use crypto::srp::{self, ClientProof, ClientPublic, ServerHandshake, Verifier};
use crypto::webhook_signature::{Message, Secret};
use serde_json::Value;

fn main() {
    let before = cpu_time();
    srp::prepare();
    let spent = cpu_time().saturating_sub(before);
    println!("SRP constants: {:.0} ms once", spent.as_secs_f64() * 1e3);
    println!("{:<42} {:>10} {:>10}", "operation", "ops/s", "µs");
    handshakes(&read(include_str!(
        "../tests/vectors/enceeper-srp-vectors.json"
    )));
    device_keys(&read(include_str!(
        "../tests/vectors/device-keys-vectors.json"
    )));
    device_signatures(&read(include_str!(
        "../tests/vectors/duo-auth-vectors.json"
    )));
}

fn handshakes(file: &Value) {
    let vector = &file["vectors"][0];
    let b = hex::decode(text(&vector["b"])).ok();
    let b = b.and_then(|b| Key::from_slice(&b)).expect("32 bytes");
    let verifier = Verifier::parse(text(&vector["verifier"])).expect("in range");
    let a = ClientPublic::parse(text(&vector["A"])).expect("in range");
    let m1 = ClientProof::parse(text(&vector["M1"])).expect("128 digits");
    let secret = Key::new([1; 32]);
    measure("SRP challenge (start)", || {
        ServerHandshake::start(&verifier, &b)
    });
    measure("SRP challenge for nobody (decoy, start)", || {
        let (_, verifier) = srp::decoy(&secret, b"nobody@example.org");
        ServerHandshake::start(&verifier, &b)
    });
    measure("SRP login (start, prove)", || {
        ServerHandshake::start(&verifier, &b).map(|handshake| handshake.prove(&a, &m1))
    });
}

fn device_keys(file: &Value) {
    for id in ["rsa2048-a", "rsa3072", "rsa4096", "p256-a"] {
        let by_id = |list: &str, name: &str, id: &str| {
            let list = file[list].as_array().expect("a list");
            let found = list
                .iter()
                .find(|case| case[name] == id && case["result"] != false);
            found.expect("known id").clone()
        };
        let key = by_id("keys", "id", id);
        let case = by_id("validations", "key", id);
        let (challenge, signature) = (text(&case["challenge"]), text(&case["signature"]));
        let parsed = PublicKey::parse(text(&key["public_key"])).expect("accepted");
        measure(&format!("{id}: parse a key text"), || {
            PublicKey::parse(text(&key["public_key"]))
        });
        measure(&format!("{id}: from storage, verify"), || {
            PublicKey::from_spki(parsed.spki())
                .map(|key| key.verify(challenge.as_bytes(), signature))
        });
        measure(&format!("{id}: verify"), || {
            parsed.verify(challenge.as_bytes(), signature)
        });
        if id.starts_with("rsa") {
            measure(&format!("{id}: diagnose_salt"), || {
                parsed.diagnose_salt(challenge.as_bytes(), signature)
            });
        }
    }
}

fn device_signatures(file: &Value) {
    let vector = &file["device_signature_valid"][0];
    let device = text(&vector["device_id"]);
    let (challenge, signature) = (
        text(&vector["challenge"]),
        text(&vector["signature_der_hex"]),
    );
    measure("device id and challenge signature", || {
        DeviceId::parse(device).map(|device| verify_challenge(&device, challenge, signature))
    });
    let input = text(&file["jcs"][0]["input"]);
    measure("canonical JSON of 214 bytes", || {
        crypto::canonical_json::canonicalize(input)
    });
    let secret = Secret::new(&[1; 32]);
    let body = vec![b'x'; 1024];
    let message = Message {
        prefix: "v1",
        timestamp: Some(1),
        id: "id",
        body: &body,
    };
    measure("webhook signature of 1 KiB", || secret.sign(&message));
}

fn measure<T>(name: &str, operation: impl Fn() -> T) {
    let run = |times: u32| {
        let start = cpu_time();
        for _ in 0..times {
            black_box(operation());
        }
        cpu_time().saturating_sub(start)
    };
    let mut times = 1;
    while run(times) < Duration::from_millis(50) {
        times *= 2;
    }
    let mut rounds: Vec<f64> = (0..7)
        .map(|_| run(times * 4).as_secs_f64() / f64::from(times * 4))
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!(
        "{name:<42} {:>10.0} {:>10.1}",
        1.0 / rounds[3],
        rounds[3] * 1e6
    );
}

/// What the thread has spent on a core so far.
fn cpu_time() -> Duration {
    let spent = fs::read_to_string("/proc/thread-self/schedstat").expect("this is Linux");
    let nanoseconds = spent.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number comes first"))
}

fn read(file: &str) -> Value {
    serde_json::from_str(file).expect("a vector file is JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}
