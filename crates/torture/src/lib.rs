//! `keyward torture`: an operator's test that the limits of a running installation hold.
//!
//! It acts as an attacker with an account: it calls the public API on every node. It calls the admin API only to
//! create what it attacks and to remove it again. Nothing here depends on how a limit is implemented.

mod account;
mod arena;
mod contest;
mod device;
mod guess;
mod lock;
mod mail;
mod random;
mod spend;
mod table;
mod vault;
mod wallet;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use cli::Target;
use terminal::StopSignals;

use arena::Arena;
use table::{Ended, Finding, Tried, Verdict};

#[derive(Args)]
pub struct TortureArgs {
    /// Public addresses of the nodes, all of one installation.
    #[arg(
        long,
        value_name = "URL[,URL…]",
        value_delimiter = ',',
        required = true
    )]
    against: Vec<String>,
    /// Start no new round after this many minutes. There is always one round.
    #[arg(long, value_name = "N", default_value_t = 1)]
    minutes: u64,
    /// How many requests to send at the same moment in a race.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(2..=1000))]
    width: u16,
    /// The installation's `photon.max_failures`: the number of wrong guesses that may be judged.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(4..=1000))]
    max_failures: u16,
    /// File from which to read messages: the `mail.path` of an installation whose `mail.kind` is `file`. A server in
    /// development mode needs no file. Trials that need messages are skipped if none can be read.
    #[arg(long, value_name = "F")]
    mailbox: Option<std::path::PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// Runs every trial and prints the findings. The exit status says whether all limits held.
pub async fn run(arguments: TortureArgs) -> Result<ExitCode, String> {
    let arena = Arc::new(Arena::open(&arguments).await?);
    let until = now() + Duration::from_secs(arguments.minutes.saturating_mul(60));
    let mut findings: Vec<Finding> = Vec::new();
    let (stopped, mut signals) = (Arc::clone(&arena), StopSignals::listen()?);
    tokio::spawn(async move {
        signals.come().await;
        stopped.stop();
    });
    loop {
        let round = rounds(&arena).await;
        let broken = round.iter().any(|finding| finding.verdict.is_broken());
        for finding in round {
            table::merge(&mut findings, finding);
        }
        if broken || arena.is_stopped() || now() >= until {
            break;
        }
    }
    arena.clean().await?;
    table::show(&findings, arguments.target.json)?;
    let broken = findings.iter().any(|finding| finding.verdict.is_broken());
    let held = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Held);
    Ok(if broken || !held || arena.is_stopped() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Runs every trial once.
async fn rounds(arena: &Arc<Arena>) -> Vec<Finding> {
    let mut findings = vec![
        trial(arena, "brute-force race", guess::brute_force(arena)).await,
        trial(arena, "honest burst", guess::honest_burst(arena)).await,
        trial(arena, "dropped connections", guess::dropped(arena)).await,
        trial(
            arena,
            "single use: device challenge",
            device::challenge(arena),
        )
        .await,
    ];
    for kind in spend::KINDS {
        findings.push(trial(arena, kind.name(), spend::race(arena, kind)).await);
    }
    for kind in vault::KINDS {
        findings.push(trial(arena, kind.name(), vault::race(arena, kind)).await);
    }
    for kind in account::KINDS {
        findings.push(trial(arena, kind.name(), account::race(arena, kind)).await);
    }
    findings.extend([
        trial(
            arena,
            "single use: wallet challenge",
            wallet::challenge(arena),
        )
        .await,
        trial(arena, "lock: all at once", lock::storm(arena)).await,
        // Last: it goes as far as the letters do that one network may cause.
        trial(arena, "lock: every ordering", lock::orderings(arena)).await,
    ]);
    findings
}

/// Runs a trial, unless the operator has stopped the program. A trial is never interrupted, so that everything that
/// it creates is removed.
async fn trial(arena: &Arena, name: &'static str, round: impl Future<Output = Tried>) -> Finding {
    if arena.is_stopped() {
        return table::tried(name, Err(Ended::Skipped("stopped".to_owned())));
    }
    table::tried(name, round.await)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long an operator lets it run is no time that decides anything"
)]
fn now() -> Instant {
    Instant::now()
}
