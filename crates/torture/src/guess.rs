//! Guessing the PIN of a guarded key: many at once, by those who know it, and by those who hang up.

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

/// Right PINs that a subject's queue holds, and so must all be opened.
const HONEST: usize = 64;
/// Guesses whose sender hangs up.
const DROPS: usize = 4;
/// By when a guess is judged, or a try that nobody settled counts.
const SETTLED: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(250);

/// Wrong PINs from everywhere at once: exactly as many are judged as are allowed, and then the right one is refused too.
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
                "the right PIN got {} from an exhausted key",
                answer.status
            )));
        }
    }
    Ok(Round {
        requests: arena.sent() - before,
        seen: format!("{judged} of {} judged", arena.width),
    })
}

/// Guesses on until the key is exhausted; how many of those were judged.
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

/// Owners at many devices: each is let in, none of them costs a try.
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
                "after right PINs alone, wrong try {nth} got {}",
                answer.status
            )));
        }
    }
    let answer = insist(arena, 0, &key, &right).await;
    if answer.status != 200 {
        return Err(Ended::Broken(format!(
            "the last try was not left: {}",
            answer.status
        )));
    }
    Ok(Round {
        requests: arena.sent() - before,
        seen: format!("{} of {} let in", counts[&200], answers.len()),
    })
}

/// Wrong PINs whose sender hangs up: before the verdict, to have it for nothing, and at any moment.
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
            "{DROPS} guesses were read and dropped, and {counted} counted"
        )));
    }
    let judged = finish(arena, &key).await?;
    let counted = usize::try_from(counted).unwrap_or(usize::MAX);
    if counted + judged > arena.max_failures {
        return Err(Ended::Broken(format!(
            "{counted} dropped guesses counted, and {judged} more were judged"
        )));
    }
    Ok(Round {
        requests: arena.sent() - began,
        seen: format!("{counted} dropped, {judged} judged afterwards"),
    })
}

/// Sends a wrong PIN whole, waits, and hangs up without reading.
async fn drop_after(arena: &Arena, nth: usize, key: &str, after: Duration) -> Result<(), Ended> {
    let node = arena.node(nth);
    let Some(host) = node.strip_prefix("http://") else {
        return Err(Ended::Skipped(
            "connections are dropped by hand over http:// only".to_owned(),
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
