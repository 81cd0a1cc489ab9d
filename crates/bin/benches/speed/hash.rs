//! What a PIN costs, and what a storm of PINs costs others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crypto::password::{Cost, Memory, argon2id};

use crate::client::{Connection, field};
use crate::server::Server;
use crate::{RUN, as_f64, load, quantile};

const UNLIMITED: [(&str, &str); 1] = [("KEYWARD_PHOTON__NEW_KEYS_PER_NETWORK_HOUR", "0")];

/// GET key with a right PIN against bare Argon2id, as many in flight as there are cores.
pub(crate) fn get_key() {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let server = Server::start(&UNLIMITED);
    let keys: Vec<String> = (0..16).map(|_| new_key(&server)).collect();
    let mut ratios = Vec::new();
    for _ in 0..3 {
        let bare = bare(cores);
        let before = server.cpu_seconds();
        let clients = keys
            .iter()
            .map(|key| (Connection::open(&server.address), format!("/v2/key/{key}")))
            .collect();
        let (rate, times) = load(clients, |(connection, path)| {
            let (status, _) = connection.send("GET", path, Some("1234"), None);
            assert_eq!(status, 200);
        });
        let cpu = (server.cpu_seconds() - before) / as_f64(times.len() as u64);
        let hash = as_f64(cores as u64) / bare;
        println!(
            "GET key: {rate:.1}/s at 16 clients, p50 {:?}, p99 {:?}; bare Argon2id {bare:.1}/s; CPU beside the hash {:.2} ms",
            quantile(&times, 0.5),
            quantile(&times, 0.99),
            (cpu - hash) * 1e3
        );
        ratios.push(rate / bare);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "GET key against bare Argon2id: {:.3} (median of 3, aim >= 0.95)",
        ratios[1]
    );
}

/// A cheap call (a malformed key id, 400) while all cores hash.
pub(crate) fn storm() {
    let server = Server::start(&UNLIMITED);
    let idle = cheap(&server);
    let keys: Vec<String> = (0..32).map(|_| new_key(&server)).collect();
    let stop = AtomicBool::new(false);
    let loaded = std::thread::scope(|scope| {
        for key in &keys {
            let (server, stop) = (&server, &stop);
            scope.spawn(move || {
                let mut connection = Connection::open(&server.address);
                while !stop.load(Ordering::Relaxed) {
                    connection.send("GET", &format!("/v2/key/{key}"), Some("1234"), None);
                }
            });
        }
        std::thread::sleep(Duration::from_secs(1));
        let loaded = cheap(&server);
        stop.store(true, Ordering::Relaxed);
        loaded
    });
    let ratio = loaded.as_secs_f64() / idle.as_secs_f64();
    println!(
        "cheap call, p99: idle {idle:?}, in a PIN storm {loaded:?}, ratio {ratio:.1} (aim <= 3)"
    );
}

fn cheap(server: &Server) -> Duration {
    let clients = vec![Connection::open(&server.address)];
    let (_, times) = load(clients, |connection| {
        let (status, _) = connection.send("GET", "/v2/key/not-a-key", None, None);
        assert_eq!(status, 400);
        // A caller among many, not a second storm.
        std::thread::sleep(Duration::from_millis(1));
    });
    quantile(&times, 0.99).saturating_sub(Duration::from_millis(1))
}

pub(crate) fn new_key(server: &Server) -> String {
    let (status, body) =
        Connection::open(&server.address).send("POST", "/v2/key", None, Some("{\"pin\":\"1234\"}"));
    assert_eq!(status, 201, "{body}");
    field(&body, "id")
}

/// Hashes per second with one thread a core and the memory reused.
pub(crate) fn bare(cores: usize) -> f64 {
    let started = Instant::now();
    let counts: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores)
            .map(|_| {
                scope.spawn(|| {
                    let mut memory = Memory::default();
                    let mut count = 0;
                    while started.elapsed() < RUN {
                        argon2id(&Cost::OWASP, b"1234", &[7; 16], &mut memory)
                            .expect("a valid cost");
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a hash does not panic"))
            .collect()
    });
    as_f64(counts.iter().sum()) / started.elapsed().as_secs_f64()
}
