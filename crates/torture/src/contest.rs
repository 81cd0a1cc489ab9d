//! Many callers present the same single-use value at the same moment.

use std::sync::Arc;

use reqwest::Method;
use serde_json::Value;

use crate::arena::{Answer, Arena, By, only, tally};
use crate::table::Ended;

/// The request with a single-use value, and its possible answers.
#[derive(Clone)]
pub(crate) struct Ticket {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) holder: Holder,
    pub(crate) content: Content,
    /// The status for the caller who succeeds.
    pub(crate) won: u16,
    /// The statuses for all others, apart from those that decide nothing.
    pub(crate) lost: &'static [u16],
}

/// How a caller presents it.
#[derive(Clone)]
pub(crate) enum Holder {
    Nobody,
    Bearer(String),
}

#[derive(Clone)]
pub(crate) enum Content {
    Nothing,
    Json(Value),
    /// With the button of a page.
    Button(&'static str),
}

/// Statuses that decide nothing: a broken connection, a limit, a full queue.
const UNHEARD: [u16; 3] = [0, 429, 503];

/// Sends `width` requests in parallel. Returns the count of the answers.
pub(crate) async fn contest(
    arena: &Arc<Arena>,
    width: usize,
    ticket: &Ticket,
) -> Result<String, Ended> {
    let answers = arena
        .race(width, |arena, nth| {
            let ticket = ticket.clone();
            async move { ticket.hand_in(&arena, nth).await }
        })
        .await;
    let allowed = [&UNHEARD, &[ticket.won][..], ticket.lost].concat();
    only(&answers, &allowed)?;
    one_winner(&answers, |answer| answer.status == ticket.won)
}

impl Ticket {
    async fn hand_in(&self, arena: &Arena, nth: usize) -> Answer {
        let by = match &self.holder {
            Holder::Nobody => By::Nobody,
            Holder::Bearer(token) => By::Token(token),
        };
        let method = self.method.clone();
        match &self.content {
            Content::Nothing => arena.call(nth, method, &self.path, by, None).await,
            Content::Json(body) => arena.call(nth, method, &self.path, by, Some(body)).await,
            Content::Button(decision) => arena.press(nth, &self.path, decision).await,
        }
    }
}

/// Fails if more than one caller succeeded, or if none did although all were decided.
pub(crate) fn one_winner(
    answers: &[Answer],
    won: impl Fn(&Answer) -> bool,
) -> Result<String, Ended> {
    let winners = answers.iter().filter(|answer| won(answer)).count();
    let counts = tally(answers);
    match winners {
        1 => Ok(format!("1 of {} won", answers.len())),
        // The winner's own connection may have been one of those.
        0 if counts.contains_key(&0) => {
            Err(Ended::Skipped(format!("connections broke: {counts:?}")))
        }
        0 if counts.keys().all(|status| UNHEARD.contains(status)) => {
            Err(Ended::Skipped(format!("no call was decided: {counts:?}")))
        }
        _ => Err(Ended::Broken(format!("{winners} winners: {counts:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(statuses: &[u16]) -> Result<String, Ended> {
        let answer = |&status: &u16| Answer {
            status,
            body: Value::Null,
        };
        let answers: Vec<_> = statuses.iter().map(answer).collect();
        one_winner(&answers, |answer| answer.status == 200)
    }

    #[test]
    fn one_winner_holds() {
        assert!(matches!(verdict(&[404, 200, 404]), Ok(seen) if seen == "1 of 3 won"));
        assert!(verdict(&[0, 503, 200, 429]).is_ok());
    }

    #[test]
    fn two_winners_are_a_finding_and_so_is_none() {
        for broken in [
            &[200, 404, 200][..],
            &[200, 200, 0],
            &[404, 404],
            &[404, 429],
        ] {
            assert!(
                matches!(verdict(broken), Err(Ended::Broken(_))),
                "{broken:?}"
            );
        }
    }

    #[test]
    fn who_was_not_heard_proves_nothing() {
        for unheard in [&[429, 503][..], &[0, 0], &[0, 404]] {
            assert!(
                matches!(verdict(unheard), Err(Ended::Skipped(_))),
                "{unheard:?}"
            );
        }
    }
}
