//! Races for single-use values from messages: codes and links.

use std::sync::Arc;

use cli::encode;
use reqwest::Method;
use serde_json::{Value, json};

use crate::arena::{Answer, Arena, By, pin};
use crate::contest::{Content, Holder, Ticket, contest};
use crate::mail::Mail;
use crate::table::{Ended, Round, Tried};

/// The single-use values of this module.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    VerifyCode,
    ResetCode,
    StopLink,
}

pub(crate) const KINDS: [Kind; 3] = [Kind::VerifyCode, Kind::ResetCode, Kind::StopLink];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::VerifyCode => "single use: address code",
            Self::ResetCode => "single use: reset code",
            Self::StopLink => "single use: stop link",
        }
    }
}

/// A key with an address for messages.
pub(crate) struct Owned {
    pub(crate) key: String,
    pub(crate) pin: String,
    mail: Mail,
}

impl Owned {
    /// Creates a key and adds an address. The address is not verified yet; the code for it has been requested.
    pub(crate) async fn new(arena: &Arena) -> Result<Self, Ended> {
        let mail = Mail::fresh(arena).await?;
        let pin = pin();
        let key = arena.key(&pin).await?;
        let body = json!({ "userId": mail.address });
        let path = format!("/v2/key/{key}/user");
        let answer = arena
            .insist(0, Method::POST, &path, By::Pin(&pin), Some(&body))
            .await;
        expect(&answer, 201, "adding an address")?;
        Ok(Self { key, pin, mail })
    }

    pub(crate) async fn verified(arena: &Arena) -> Result<Self, Ended> {
        let mut owned = Self::new(arena).await?;
        let code = owned.mail.code(arena).await?;
        let body = json!({ "code": code, "op": "verify" });
        let answer = arena
            .insist(0, Method::PUT, &owned.path(), By::Nobody, Some(&body))
            .await;
        expect(&answer, 200, "verifying an address")?;
        Ok(owned)
    }

    pub(crate) fn path(&self) -> String {
        format!("/v2/key/{}/user/{}", self.key, encode(&self.mail.address))
    }

    /// Starts a reset and returns the code from the message.
    pub(crate) async fn start(&mut self, arena: &Arena) -> Result<String, Ended> {
        self.mail.skip(arena).await?;
        let path = format!("{}/reset", self.path());
        let answer = arena.insist(0, Method::GET, &path, By::Nobody, None).await;
        expect(&answer, 200, "starting a reset")?;
        self.mail.code(arena).await
    }

    /// The path of the link that stops a running reset.
    pub(crate) async fn link(&mut self, arena: &Arena) -> Result<String, Ended> {
        self.mail.link(arena, "/recovery/").await
    }
}

/// Many callers present the same value in parallel; exactly one must succeed.
pub(crate) async fn race(arena: &Arc<Arena>, kind: Kind) -> Tried {
    let before = arena.sent();
    let (method, path, content, won) = match kind {
        Kind::VerifyCode => {
            let mut owned = Owned::new(arena).await?;
            let code = owned.mail.code(arena).await?;
            let body = json!({ "code": code, "op": "verify" });
            (Method::PUT, owned.path(), Content::Json(body), 200)
        }
        Kind::ResetCode | Kind::StopLink => {
            let mut owned = Owned::verified(arena).await?;
            let code = owned.start(arena).await?;
            let body = reset(&code);
            if kind == Kind::ResetCode {
                (Method::PUT, owned.path(), Content::Json(body), 423)
            } else {
                let answer = arena
                    .insist(0, Method::PUT, &owned.path(), By::Nobody, Some(&body))
                    .await;
                expect(&answer, 423, "proving a reset")?;
                let link = owned.link(arena).await?;
                (Method::POST, link, Content::Nothing, 200)
            }
        }
    };
    let ticket = Ticket {
        method,
        path,
        holder: Holder::Nobody,
        content,
        won,
        lost: &[404],
    };
    let seen = contest(arena, arena.width, &ticket).await?;
    Ok(Round {
        requests: arena.sent() - before,
        seen,
    })
}

/// The call that proves a reset. Its PIN must never open anything before the lock opens.
pub(crate) fn reset(code: &str) -> Value {
    json!({ "code": code, "op": "reset-pin", "newPin": THIEF })
}

/// The PIN that the attacker of a lock wants to set.
pub(crate) const THIEF: &str = "3141592653";

/// Checks the answer to a call that prepares an attack. If a limit prevents it, the trial is skipped.
pub(crate) fn expect(answer: &Answer, status: u16, what: &str) -> Result<(), Ended> {
    if answer.status == status {
        return Ok(());
    }
    Err(Ended::Skipped(match answer.status {
        429 => format!("{what}: a limit of this network is used up"),
        other => format!("{what}: {other}"),
    }))
}
