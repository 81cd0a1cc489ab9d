//! What comes by letter and is good once: codes and links, raced.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use super::arena::{Answer, Arena, By, address, only, pin};
use super::table::{Ended, Round, Tried};
use crate::client::encode;

/// What is raced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    VerifyCode,
    ResetCode,
    StopLink,
}

pub(super) const KINDS: [Kind; 3] = [Kind::VerifyCode, Kind::ResetCode, Kind::StopLink];

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::VerifyCode => "single use: address code",
            Self::ResetCode => "single use: reset code",
            Self::StopLink => "single use: stop link",
        }
    }
}

/// A key with an address that letters go to.
pub(super) struct Owned {
    pub(super) key: String,
    pub(super) pin: String,
    pub(super) address: String,
    /// Letters that were read.
    known: usize,
}

impl Owned {
    /// A fresh key; its address is not verified yet, and the code for it is on its way.
    pub(super) async fn new(arena: &Arena) -> Result<Self, Ended> {
        // Before anything is made: whether a letter could be read at all.
        let address = address();
        arena.letters_to(&address).await?;
        let pin = pin();
        let key = arena.key(&pin).await?;
        let body = json!({ "userId": address });
        let path = format!("/v2/key/{key}/user");
        let answer = arena
            .insist(0, Method::POST, &path, By::Pin(&pin), Some(&body))
            .await;
        expect(&answer, 201, "adding an address")?;
        Ok(Self {
            key,
            pin,
            address,
            known: 0,
        })
    }

    pub(super) async fn verified(arena: &Arena) -> Result<Self, Ended> {
        let mut owned = Self::new(arena).await?;
        let code = owned.code(arena).await?;
        let body = json!({ "code": code, "op": "verify" });
        let answer = arena
            .insist(0, Method::PUT, &owned.path(), By::Nobody, Some(&body))
            .await;
        expect(&answer, 200, "verifying an address")?;
        Ok(owned)
    }

    pub(super) fn path(&self) -> String {
        format!("/v2/key/{}/user/{}", self.key, encode(&self.address))
    }

    /// Starts a reset; the code that came.
    pub(super) async fn start(&mut self, arena: &Arena) -> Result<String, Ended> {
        self.known = arena.letters_to(&self.address).await?.len();
        let path = format!("{}/reset", self.path());
        let answer = arena.insist(0, Method::GET, &path, By::Nobody, None).await;
        expect(&answer, 200, "starting a reset")?;
        self.code(arena).await
    }

    /// The code of the newest letter that has one.
    async fn code(&mut self, arena: &Arena) -> Result<String, Ended> {
        let letter = self.next(arena, "oneTimeToken").await?;
        Ok(letter.as_str().unwrap_or_default().to_owned())
    }

    /// The path of the link that stops a running reset.
    pub(super) async fn link(&mut self, arena: &Arena) -> Result<String, Ended> {
        let link = self.next(arena, "link").await?;
        let link = link.as_str().unwrap_or_default();
        match link.find("/recovery/") {
            Some(at) => Ok(link[at..].to_owned()),
            None => Err(Ended::Skipped("a letter without a link".to_owned())),
        }
    }

    /// A field of the first letter beyond those read that has it.
    async fn next(&mut self, arena: &Arena, field: &str) -> Result<Value, Ended> {
        loop {
            arena.letter(&self.address, self.known).await?;
            let letters = arena.letters_to(&self.address).await?;
            for letter in letters.iter().skip(self.known) {
                self.known += 1;
                if letter[field].is_string() {
                    return Ok(letter[field].clone());
                }
            }
        }
    }
}

/// Everybody hands in the same thing at once; one of them gets what it is for.
pub(super) async fn race(arena: &Arc<Arena>, kind: Kind) -> Tried {
    let before = arena.sent();
    let (method, path, body, won) = match kind {
        Kind::VerifyCode => {
            let mut owned = Owned::new(arena).await?;
            let code = owned.code(arena).await?;
            let body = json!({ "code": code, "op": "verify" });
            (Method::PUT, owned.path(), Some(body), 200)
        }
        Kind::ResetCode | Kind::StopLink => {
            let mut owned = Owned::verified(arena).await?;
            let code = owned.start(arena).await?;
            let body = reset(&code);
            if kind == Kind::ResetCode {
                (Method::PUT, owned.path(), Some(body), 423)
            } else {
                let answer = arena
                    .insist(0, Method::PUT, &owned.path(), By::Nobody, Some(&body))
                    .await;
                expect(&answer, 423, "proving a reset")?;
                (Method::POST, owned.link(arena).await?, None, 200)
            }
        }
    };
    let answers = arena
        .race(arena.width, |arena, nth| {
            let (method, path, body) = (method.clone(), path.clone(), body.clone());
            async move {
                arena
                    .call(nth, method, &path, By::Nobody, body.as_ref())
                    .await
            }
        })
        .await;
    let counts = only(&answers, &[0, won, 404, 429, 503])?;
    let winners = counts.get(&won).copied().unwrap_or(0);
    if winners > 1 || (winners == 0 && !counts.contains_key(&0)) {
        return Err(Ended::Broken(format!("{winners} winners: {counts:?}")));
    }
    Ok(Round {
        requests: arena.sent() - before,
        seen: format!("{winners} of {} won", answers.len()),
    })
}

/// The proof of a reset. Its PIN must never open anything before the lock does.
pub(super) fn reset(code: &str) -> Value {
    json!({ "code": code, "op": "reset-pin", "newPin": THIEF })
}

/// The PIN that whoever attacks a lock wants to set.
pub(super) const THIEF: &str = "3141592653";

/// What must work so that there is something to attack. A limit in force is no finding.
pub(super) fn expect(answer: &Answer, status: u16, what: &str) -> Result<(), Ended> {
    if answer.status == status {
        return Ok(());
    }
    Err(Ended::Skipped(match answer.status {
        429 => format!("{what}: a limit of this network is used up"),
        other => format!("{what}: {other}"),
    }))
}
