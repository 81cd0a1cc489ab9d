//! Attacks the recovery lock as somebody who has the owner's mailbox but not the PIN: every ordering of
//! starting, proving and stopping a reset and changing the PIN, one after another and in parallel.

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;

use crate::arena::{Arena, By, only, pin};
use crate::guess::insist;
use crate::spend::{Owned, THIEF, expect, reset};
use crate::table::{Ended, Round, Tried};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Start,
    Verify,
    Cancel,
    Change,
}

const ACTS: [Act; 4] = [Act::Start, Act::Verify, Act::Cancel, Act::Change];

/// A model of a reset, made from the description of the API only.
#[derive(Default)]
struct Model {
    code: Option<String>,
    link: Option<String>,
    opens: Option<String>,
}

/// Tries all 24 orderings, each with a new key, and compares every answer with the model.
pub(crate) async fn orderings(arena: &Arc<Arena>) -> Tried {
    let before = arena.sent();
    let mut done = 0;
    for order in permutations() {
        if arena.is_stopped() && done > 0 {
            break;
        }
        match ordering(arena, order).await {
            Ok(()) => done += 1,
            // The installation's own limits end it early; what was tried has held.
            Err(Ended::Skipped(_)) if done > 0 => break,
            Err(ended) => return Err(ended),
        }
    }
    Ok(Round {
        requests: arena.sent() - before,
        seen: format!("{done} of 24 orderings; the owner's PIN stayed"),
    })
}

async fn ordering(arena: &Arc<Arena>, order: [Act; 4]) -> Result<(), Ended> {
    let mut owned = Owned::verified(arena).await?;
    let mut model = Model::default();
    // Twice, so that each act also follows the last one.
    for (nth, act) in order.into_iter().chain(order).enumerate() {
        act_once(arena, nth, act, &mut owned, &mut model)
            .await
            .map_err(|ended| match ended {
                Ended::Broken(what) => Ended::Broken(format!("{order:?}, step {nth}: {what}")),
                Ended::Skipped(why) => Ended::Skipped(why),
            })?;
    }
    owner_keeps_it(arena, &owned.key, &owned.pin).await
}

async fn act_once(
    arena: &Arc<Arena>,
    nth: usize,
    act: Act,
    owned: &mut Owned,
    model: &mut Model,
) -> Result<(), Ended> {
    match act {
        Act::Start => model.code = Some(owned.start(arena).await?),
        Act::Verify => {
            let code = model.code.take();
            let body = reset(code.as_deref().unwrap_or("000000"));
            let path = owned.path();
            let answer = arena
                .insist(nth, Method::PUT, &path, By::Nobody, Some(&body))
                .await;
            if code.is_none() {
                return wanted(answer.status, 404, "a proof without a code");
            }
            wanted(answer.status, 423, "a correct code")?;
            let opens = answer.body["delay"].as_str().unwrap_or_default().to_owned();
            match &model.opens {
                Some(known) if *known != opens => {
                    return Err(Ended::Broken(format!(
                        "the opening time of the lock changed: {known}, {opens}"
                    )));
                }
                Some(_) => {}
                None => {
                    model.link = Some(owned.link(arena).await?);
                    model.opens = Some(opens);
                }
            }
        }
        Act::Cancel => {
            let Some(link) = &model.link else {
                return Ok(());
            };
            let answer = arena
                .insist(nth, Method::POST, link, By::Nobody, None)
                .await;
            let status = if model.opens.is_some() { 200 } else { 404 };
            wanted(answer.status, status, "the link that stops a reset")?;
            (model.opens, model.code) = (None, None);
        }
        Act::Change => {
            let new = pin();
            let path = format!("/v2/key/{}", owned.key);
            let body = json!({ "newPin": new });
            let by = By::Pin(&owned.pin);
            let answer = arena.insist(nth, Method::PUT, &path, by, Some(&body)).await;
            wanted(answer.status, 200, "a change of the PIN")?;
            owned.pin = new;
            (model.opens, model.code) = (None, None);
        }
    }
    Ok(())
}

/// Does everything at the same moment. Whatever happens first, the thief's PIN must open nothing.
pub(crate) async fn storm(arena: &Arc<Arena>) -> Tried {
    let before = arena.sent();
    let mut owned = Owned::verified(arena).await?;
    let code = owned.start(arena).await?;
    let path = owned.path();
    let answer = arena
        .insist(0, Method::PUT, &path, By::Nobody, Some(&reset(&code)))
        .await;
    expect(&answer, 423, "proving a reset")?;
    let link = owned.link(arena).await?;
    let code = owned.start(arena).await?;
    let new = pin();
    let key = format!("/v2/key/{}", owned.key);
    let answers = arena
        .race(4 * 8, |arena, nth| {
            let (path, key, link, code) = (path.clone(), key.clone(), link.clone(), code.clone());
            let (old, new) = (owned.pin.clone(), new.clone());
            async move {
                let node = nth / 4;
                match ACTS[nth % 4] {
                    // Asking again would void the code and use up the sends: once is enough.
                    Act::Start if nth > 3 => {
                        insist(&arena, node, key.trim_start_matches("/v2/key/"), THIEF).await
                    }
                    Act::Start => {
                        let path = format!("{path}/reset");
                        arena.call(node, Method::GET, &path, By::Nobody, None).await
                    }
                    Act::Verify => {
                        let body = reset(&code);
                        arena
                            .call(node, Method::PUT, &path, By::Nobody, Some(&body))
                            .await
                    }
                    Act::Cancel => {
                        arena
                            .call(node, Method::POST, &link, By::Nobody, None)
                            .await
                    }
                    Act::Change => {
                        let body = json!({ "newPin": new });
                        arena
                            .call(node, Method::PUT, &key, By::Pin(&old), Some(&body))
                            .await
                    }
                }
            }
        })
        .await;
    only(&answers, &[0, 200, 404, 423, 429, 503])?;
    let proved = answers.iter().filter(|answer| answer.status == 423).count();
    if proved > 1 {
        return Err(Ended::Broken(format!(
            "one code was accepted {proved} times"
        )));
    }
    for (nth, answer) in answers.iter().enumerate() {
        if ACTS[nth % 4] == Act::Verify && answer.status == 200 {
            return Err(Ended::Broken("a locked reset replaced the PIN".to_owned()));
        }
        if ACTS[nth % 4] == Act::Start && nth > 3 && answer.status == 200 {
            return Err(Ended::Broken("the thief's PIN opened the key".to_owned()));
        }
    }
    Ok(Round {
        requests: arena.sent() - before,
        seen: format!("{} calls in parallel; the lock did not open", answers.len()),
    })
}

/// Checks that the owner's PIN opens the key and the thief's does not.
async fn owner_keeps_it(arena: &Arena, key: &str, pin: &str) -> Result<(), Ended> {
    let thief = insist(arena, 0, key, THIEF).await.status;
    wanted(thief, 404, "the thief's PIN")?;
    wanted(
        insist(arena, 1, key, pin).await.status,
        200,
        "the owner's PIN",
    )
}

fn wanted(status: u16, expected: u16, what: &str) -> Result<(), Ended> {
    match status {
        status if status == expected => Ok(()),
        0 | 503 => Err(Ended::Skipped(format!("{what}: no answer in time"))),
        429 if expected != 429 => Err(Ended::Skipped(format!("{what}: a limit is used up"))),
        other => Err(Ended::Broken(format!("{what} got {other}, not {expected}"))),
    }
}

fn permutations() -> Vec<[Act; 4]> {
    let mut all = Vec::new();
    for a in ACTS {
        for b in ACTS {
            for c in ACTS {
                for d in ACTS {
                    let order = [a, b, c, d];
                    if ACTS.iter().all(|act| order.contains(act)) {
                        all.push(order);
                    }
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_twenty_four_orderings() {
        let all = permutations();
        assert_eq!(all.len(), 24);
        for (nth, order) in all.iter().enumerate() {
            assert!(!all[..nth].contains(order));
        }
    }
}
