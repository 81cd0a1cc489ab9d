//! `make bench`: numbers, and ratios against the bare operations in the same run on the same machine.
//!
//! Every server is the built binary with its own data directory. Load comes from this process over
//! loopback, on the same cores, so absolute numbers are lower than a server alone would reach; the
//! ratios are what to look at.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures time, and waits for a process"
)]

mod account;
mod client;
mod hash;
mod issue;
mod nodes;
mod postgres;
mod server;
mod vault;
mod wallet;

use std::time::{Duration, Instant};

use client::Connection;
use server::Server;

/// How long each load runs.
const RUN: Duration = Duration::from_secs(5);

fn main() {
    // `cargo test --benches` and the like pass flags; only `cargo bench` means a run.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    machine();
    let parts: [(&str, fn()); 13] = [
        ("start", start),
        ("get-key", hash::get_key),
        ("storm", hash::storm),
        ("codes", issue::codes),
        ("postgres", postgres::codes),
        ("tokens", account::tokens_on_sqlite),
        ("tokens-postgres", postgres::tokens),
        ("nodes", nodes::throughput),
        ("growth", nodes::growth),
        ("accounts", account::logins),
        ("logins", vault::logins),
        ("reads", vault::reads),
        ("wallets", wallet::calls),
    ];
    // `cargo bench … -- storm reads` runs these alone.
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    for (name, run) in parts {
        if chosen.is_empty() || chosen.iter().any(|one| one == name) {
            run();
        }
    }
}

/// The server's allocator: the bare operations must not lose by another one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What it was measured on.
fn machine() {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("machine{model}, {cores} cores");
}

/// Binary size, time to the first answer on an empty directory, idle memory.
fn start() {
    let bytes = std::fs::metadata(server::BINARY).map_or(0, |file| file.len());
    println!("binary: {:.1} MB", as_f64(bytes) / 1e6);
    let started = Instant::now();
    let server = Server::start(&[]);
    let (status, _) = Connection::open(&server.address).send("GET", "/healthz", None, None);
    assert_eq!(status, 200);
    let first = started.elapsed();
    std::thread::sleep(Duration::from_secs(2));
    println!(
        "first answer on an empty directory: {} ms (aim <= 300)",
        first.as_millis()
    );
    println!(
        "idle memory: {:.1} MB (aim <= 40)",
        server.resident_megabytes()
    );
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Runs `clients` threads for [`RUN`]; each calls `step` again and again. Calls per second, and all latencies.
fn load<S: Send>(clients: Vec<S>, step: impl Fn(&mut S) + Sync) -> (f64, Vec<Duration>) {
    let started = Instant::now();
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        let running: Vec<_> = clients
            .into_iter()
            .map(|mut client| {
                let step = &step;
                scope.spawn(move || {
                    let mut times = Vec::new();
                    while started.elapsed() < RUN {
                        let begun = Instant::now();
                        step(&mut client);
                        times.push(begun.elapsed());
                    }
                    times
                })
            })
            .collect();
        for client in running {
            times.extend(client.join().expect("a client does not panic"));
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    times.sort_unstable();
    (as_f64(times.len() as u64) / seconds, times)
}

/// The latency that `share` (0 to 1) of all calls stay below.
fn quantile(times: &[Duration], share: f64) -> Duration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index into the slice"
    )]
    let at = (as_f64(times.len() as u64) * share) as usize;
    times
        .get(at.min(times.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}
