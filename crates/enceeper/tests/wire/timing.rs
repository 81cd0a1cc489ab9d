//! What a stopwatch tells: nothing about whether a name has an account. Long, so `make proof` runs it; the
//! plain test of equal work is in `login`.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::Kit;

use crate::person::{Person, plain};

const PAIRS: usize = 1000;

/// A thousand pairs, known and unknown in turn, at the challenge and at the login.
#[tokio::test]
#[ignore = "takes minutes: make proof"]
async fn a_stopwatch_cannot_tell_who_has_an_account() {
    let unlimited = |policy: &mut domain::policy::Policy| {
        plain(policy);
        policy.vault.failures_from_network.failures = 0;
        policy.vault.failures_from_anywhere.failures = 0;
    };
    let kit = Kit::builder().policy(unlimited).build().await;
    let known = Person::joins(&kit, "somebody@example.org").await;
    let unknown = Person::outside(&known.client, "stranger@example.org", "secret");
    for person in [&known, &unknown] {
        timed(person).await;
    }
    let mut times: [[Vec<Cost>; 2]; 2] = std::array::from_fn(|_| [Vec::new(), Vec::new()]);
    for pair in 0..PAIRS {
        // Each goes first every other time, so that going first costs nobody.
        let order = if pair % 2 == 0 { [0, 1] } else { [1, 0] };
        for who in order {
            let (challenge, login) = timed([&known, &unknown][who]).await;
            times[0][who].push(challenge);
            times[1][who].push(login);
        }
    }
    for (what, [known, unknown]) in ["challenge", "login"].into_iter().zip(&times) {
        compare(
            what,
            "stopwatch",
            known,
            unknown,
            |cost| cost.stopwatch,
            quiet(),
        );
        // What others do on this machine is not in the processor's time, so this one always counts.
        compare(
            what,
            "processor",
            known,
            unknown,
            |cost| cost.processor,
            true,
        );
    }
}

/// What one call took.
#[derive(Clone, Copy)]
struct Cost {
    stopwatch: Duration,
    /// Of all threads of this process together.
    processor: Duration,
}

/// `medians_count`: on a machine that is busy with something else, the median of a stopwatch says nothing.
fn compare(
    what: &str,
    by: &str,
    known: &[Cost],
    unknown: &[Cost],
    part: fn(&Cost) -> Duration,
    medians_count: bool,
) {
    let known: Vec<Duration> = known.iter().map(part).collect();
    let unknown: Vec<Duration> = unknown.iter().map(part).collect();
    let (t, apart) = (welch(&known, &unknown), medians_apart(&known, &unknown));
    println!(
        "{what} by {by}: medians {:.2} % apart, Welch t {t:.2}, over {PAIRS} pairs",
        apart * 100.0
    );
    assert!(t.abs() < 4.5, "{what} by {by}: t = {t}");
    if medians_count {
        assert!(
            apart < 0.05,
            "{what} by {by}: the medians are {apart} apart"
        );
    } else {
        println!("SKIPPED: the machine is busy, so the medians by {by} are NOT judged");
    }
}

/// How long a challenge and a login with a wrong proof take.
async fn timed(person: &Person) -> (Cost, Cost) {
    let (first, challenge) = cost(person.challenge()).await;
    let body = json!({"srp6a": {"A": "02", "M1": "0".repeat(128), "ref": challenge["ref"]}});
    let (second, answer) = cost(person.call("POST", "/user/login", &body)).await;
    assert_eq!(answer.status, 400);
    (first, second)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a stopwatch is what the attacker has"
)]
async fn cost<T>(call: impl Future<Output = T>) -> (Cost, T) {
    let (started, before) = (Instant::now(), processor());
    let value = call.await;
    let stopwatch = started.elapsed();
    (
        Cost {
            stopwatch,
            processor: processor().saturating_sub(before),
        },
        value,
    )
}

/// The processor time that this process has used, all its threads together.
fn processor() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").expect("this system tells of its processes");
    let of_one = |thread: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(threads.filter_map(of_one).sum())
}

fn quiet() -> bool {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = load
        .split(' ')
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    load <= f64::from(u32::try_from(cores).unwrap_or(1)) + 1.0
}

#[expect(clippy::cast_precision_loss, reason = "a thousand is far below 2^52")]
fn mean_and_variance(times: &[f64]) -> (f64, f64) {
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let squares: f64 = times.iter().map(|time| (time - mean).powi(2)).sum();
    (mean, squares / (count - 1.0) / count)
}

fn welch(one: &[Duration], two: &[Duration]) -> f64 {
    let seconds = |times: &[Duration]| times.iter().map(Duration::as_secs_f64).collect::<Vec<_>>();
    let (first, first_error) = mean_and_variance(&seconds(one));
    let (second, second_error) = mean_and_variance(&seconds(two));
    (first - second) / (first_error + second_error).sqrt()
}

fn medians_apart(one: &[Duration], two: &[Duration]) -> f64 {
    let median = |times: &[Duration]| {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        sorted[sorted.len() / 2].as_secs_f64()
    };
    let (first, second) = (median(one), median(two));
    (first - second).abs() / first.min(second)
}
