//! Guesses at the PIN of a guarded key: wrong ones in parallel, correct ones in parallel, and ones whose sender
//! hangs up.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::arena::{Answer, Arena, By, only, pause, pin};
use crate::random::below;
use crate::table::{Ended, Round, Tried};

/// How many correct PINs to send in parallel. They fit into the queue of a subject, so all must succeed.
const HONEST: usize = 64;
/// The number of guesses whose sender hangs up.
const DROPS: usize = 4;
/// The time within which a guess is judged, or an unsettled reservation counts as a failure.
const SETTLED: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(250);

/// Sends wrong PINs in parallel. Exactly as many as allowed must be judged, and then the correct PIN must be refused
/// too.
pub(crate) async fn brute_force(arena: &Arc<Arena>) -> Tried {
    let before = arena.sent();
    let right = pin();
    let key = arena.key(&right).await?;
    let answers = arena
        .race(arena.width, |arena, nth| {
            let key = key.clone();
            async move { open(&arena, nth, &key, &pin()).await }
        })
        .await;
    let counts = only(&answers, &[0, 404, 429, 503])?;
    let mut judged = counts.get(&404).copied().unwrap_or(0);
    // A connection that broke may have been judged: then fewer are left, never more.
    let unknown = counts.get(&0).copied().unwrap_or(0);
    judged += finish(arena, &key).await?;
    let allowed = arena.max_failures;
    if judged > allowed || judged + unknown < allowed {
        return Err(Ended::Broken(format!(
            "{judged} guesses were judged, {allowed} are allowed ({counts:?})"
        )));
    }
    for nth in 0..3 {
        let answer = insist(arena, nth, &key, &right).await;
        if answer.status != 429 {
            return Err(Ended::Broken(format!(
                "the correct PIN got {} although the budget is exhausted",
                answer.status
            )));
        }
    }
    Ok(Round {
        requests: arena.sent() - before,
        seen: format!("{judged} of {} judged", arena.width),
    })
}

/// Sends further wrong PINs until the budget is exhausted. Returns how many of them were judged.
async fn finish(arena: &Arena, key: &str) -> Result<usize, Ended> {
    for judged in 0..=arena.max_failures {
        let answer = insist(arena, judged, key, &pin()).await;
        match answer.status {
            404 => {}
            429 => return Ok(judged),
            status => return Err(Ended::Broken(format!("a wrong PIN got {status}"))),
        }
    }
    Ok(arena.max_failures + 1)
}

/// Sends correct PINs in parallel. Each must succeed, and none may cost a try.
pub(crate) async fn honest_burst(arena: &Arc<Arena>) -> Tried {
    let before = arena.sent();
    let right = pin();
    let key = arena.key(&right).await?;
    let answers = arena
        .race(HONEST.min(arena.width), |arena, nth| {
            let (key, right) = (key.clone(), right.clone());
            async move { insist(&arena, nth, &key, &right).await }
        })
        .await;
    let counts = only(&answers, &[200])?;
    for nth in 1..arena.max_failures {
        let answer = insist(arena, nth, &key, &pin()).await;
        if answer.status != 404 {
            return Err(Ended::Broken(format!(
                "after correct PINs only, wrong try {nth} got {}",
                answer.status
            )));
        }
    }
    let answer = insist(arena, 0, &key, &right).await;
    if answer.status != 200 {
        return Err(Ended::Broken(format!(
            "the last try was refused: {}",
            answer.status
        )));
    }
    Ok(Round {
        requests: arena.sent() - before,
        seen: format!("{} of {} let in", counts[&200], answers.len()),
    })
}

/// Sends wrong PINs and closes the connection before the answer or at another moment. Every guess that the server
/// has received must be counted.
pub(crate) async fn dropped(arena: &Arc<Arena>) -> Tried {
    let began = arena.sent();
    let key = arena.key(&pin()).await?;
    for nth in 0..DROPS {
        let (patient, hasty) = (2 * nth, 2 * nth + 1);
        drop_after(arena, patient, &key, Duration::from_millis(400)).await?;
        let hurry = below(40);
        drop_after(arena, hasty, &key, Duration::from_millis(hurry)).await?;
    }
    // Those who slept were judged; the others may never have been read.
    let wanted = u64::try_from(DROPS.min(arena.max_failures)).unwrap_or(u64::MAX);
    let mut counted = 0;
    let mut slept = Duration::ZERO;
    while counted < wanted && slept < SETTLED {
        counted = arena.counted(&key).await?;
        pause(POLL).await;
        slept += POLL;
    }
    if counted < wanted {
        return Err(Ended::Broken(format!(
            "{DROPS} guesses were received and their connections closed, but {counted} were counted"
        )));
    }
    let judged = finish(arena, &key).await?;
    let counted = usize::try_from(counted).unwrap_or(usize::MAX);
    if counted + judged > arena.max_failures {
        return Err(Ended::Broken(format!(
            "{counted} guesses with closed connections were counted, and {judged} more were judged"
        )));
    }
    Ok(Round {
        requests: arena.sent() - began,
        seen: format!("{counted} dropped, {judged} judged afterwards"),
    })
}

/// Sends a complete wrong PIN, waits, and closes the connection without reading the answer.
async fn drop_after(arena: &Arena, nth: usize, key: &str, after: Duration) -> Result<(), Ended> {
    let node = arena.node(nth);
    let Some(host) = node.strip_prefix("http://") else {
        return Err(Ended::Skipped(
            "this trial works over http:// only".to_owned(),
        ));
    };
    let lost = |error: std::io::Error| Ended::Skipped(format!("{node}: {error}"));
    let address = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut stream = TcpStream::connect(address).await.map_err(lost)?;
    let credential = STANDARD.encode(format!(":{}", pin()));
    let request = format!(
        "GET /v2/key/{key} HTTP/1.1\r\nhost: {host}\r\nauthorization: Basic {credential}\r\n\r\n"
    );
    arena.count();
    stream.write_all(request.as_bytes()).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    pause(after).await;
    Ok(())
}

pub(crate) async fn open(arena: &Arena, nth: usize, key: &str, pin: &str) -> Answer {
    let path = format!("/v2/key/{key}");
    arena
        .call(nth, Method::GET, &path, By::Pin(pin), None)
        .await
}

pub(crate) async fn insist(arena: &Arena, nth: usize, key: &str, pin: &str) -> Answer {
    let path = format!("/v2/key/{key}");
    arena
        .insist(nth, Method::GET, &path, By::Pin(pin), None)
        .await
}
