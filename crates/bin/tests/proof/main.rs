//! Proofs against the built executable: real processes, real sockets, real disks, real `kill -9`.
//!
//! The short form runs with all other tests. `KEYWARD_PROOF=long` takes more kills, more requests and more
//! rounds; `KEYWARD_PROOF_SEED` repeats the chance of an earlier run. Nothing here shares code with the server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod audit;
mod bad;
mod dice;
mod doctor;
mod failure;
mod http;
mod kills;
mod leaks;
mod mailbox;
mod nodes;
mod photon;
mod postgres;
mod refusals;
mod releases;
mod restart;
mod rollback;
mod rotation;
mod server;
mod stop;
mod torture;
mod wait;

/// The only reading of the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its environment how long it may take"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// `short`, or `long` when there is time.
fn scaled(short: usize, long: usize) -> usize {
    match setting("KEYWARD_PROOF").as_deref() {
        Some("long") => long,
        _ => short,
    }
}

/// Says, past whatever collects the output of tests, that something was not looked at.
#[expect(
    clippy::explicit_write,
    reason = "the macro is what the test runner collects"
)]
fn skipped(test: &str, why: &str) {
    use std::io::Write;
    writeln!(
        std::io::stderr(),
        "######## SKIPPED: {test}: {why} ########"
    )
    .unwrap();
}
