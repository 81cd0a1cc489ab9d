//! Races for the single-use values of vault accounts: the link that confirms an account, the proof of its password,
//! the web pass to its page, and the link that approves a read.

use std::sync::Arc;

use cli::encode;
use crypto::Key;
use crypto::srp::ClientHandshake;
use reqwest::Method;
use serde_json::{Value, json};

use crate::arena::{Answer, Arena, By, Made};
use crate::contest::{Content, Holder, Ticket, contest};
use crate::mail::Mail;
use crate::random::bytes;
use crate::spend::expect;
use crate::table::{Ended, Round, Tried};

/// The single-use values of this module.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Confirmation,
    Login,
    PagePass,
    Approval,
}

pub(crate) const KINDS: [Kind; 4] = [
    Kind::Confirmation,
    Kind::Login,
    Kind::PagePass,
    Kind::Approval,
];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Confirmation => "single use: vault confirmation",
            Self::Login => "single use: vault login",
            Self::PagePass => "single use: vault page pass",
            Self::Approval => "single use: vault approval",
        }
    }
}

const USER: &str = "/api/v1/user";
/// Calls without a session count for the network, so one round must not use all of them.
const MOST: usize = 50;

/// A person who has an account or has applied for one.
struct Member {
    mail: Mail,
    /// The secret derived from the password (x of SRP-6a).
    password: [u8; 64],
}

impl Member {
    /// Applies for an account. The message with the confirmation link has been requested.
    async fn apply(arena: &Arena) -> Result<Self, Ended> {
        let member = Self {
            mail: Mail::fresh(arena).await?,
            password: bytes(),
        };
        let verifier = work(member.password, |client| {
            client
                .verifier()
                .map(|verifier| hex::encode(verifier.as_bytes()))
        });
        let body = json!({
            "email": member.mail.address,
            "auth": {
                "srp6a": { "salt": hex::encode(bytes::<32>()), "verifier": verifier.await? },
                "scrypt": { "salt": "00".repeat(32) },
                "keys": { "v": 1, "kek": "torture", "pub": "torture", "prv": "torture" },
            },
        });
        arena.made(Made::Perhaps(member.seen_by_operator())).await;
        let answer = arena
            .insist(0, Method::POST, USER, By::Nobody, Some(&body))
            .await;
        if matches!(answer.status, 404 | 405) {
            let why = format!("no vaults at {USER} (enceeper.enabled, enceeper.base_path)");
            return Err(Ended::Skipped(why));
        }
        expect(&answer, 200, "applying for a vault")?;
        Ok(member)
    }

    fn seen_by_operator(&self) -> String {
        format!("/admin/v1/vault-accounts/{}", encode(&self.mail.address))
    }

    /// Creates an account on an installation without confirmation.
    async fn exists(&self, arena: &Arena) -> bool {
        arena.operator_sees(&self.seen_by_operator()).await
    }

    async fn join(arena: &Arena) -> Result<Self, Ended> {
        let mut member = Self::apply(arena).await?;
        if !member.exists(arena).await {
            let link = member.mail.link(arena, USER).await?;
            let answer = arena.press(0, &link, "confirm").await;
            expect(&answer, 200, "confirming a vault")?;
        }
        Ok(member)
    }

    /// Requests a challenge and computes the answer.
    async fn proof(&self, arena: &Arena) -> Result<Value, Ended> {
        let body = json!({ "email": self.mail.address });
        let path = format!("{USER}/challenge");
        let answer = arena
            .insist(0, Method::POST, &path, By::Nobody, Some(&body))
            .await;
        expect(&answer, 200, "a challenge of a vault")?;
        let challenge = answer.body["result"]["srp6a"].clone();
        let server = hex::decode(challenge["B"].as_str().unwrap_or_default());
        let server = server.map_err(|_| Ended::Skipped("a challenge without B".to_owned()))?;
        let (public, proof) = work(self.password, move |client| {
            Some((
                hex::encode(&client.public()?[..]),
                hex::encode(client.prove(&server)?),
            ))
        })
        .await?;
        Ok(json!({ "srp6a": { "A": public, "M1": proof, "ref": challenge["ref"] } }))
    }

    /// Logs in and returns the session's token.
    async fn sign_in(&self, arena: &Arena) -> Result<String, Ended> {
        let (proof, path) = (self.proof(arena).await?, format!("{USER}/login"));
        let answer = arena
            .insist(0, Method::POST, &path, By::Nobody, Some(&proof))
            .await;
        expect(&answer, 200, "a login to a vault")?;
        text(&answer, "/result/enceeper/authToken")
    }
}

/// Many callers present the same value in parallel; exactly one must succeed.
pub(crate) async fn race(arena: &Arc<Arena>, kind: Kind) -> Tried {
    let before = arena.sent();
    let ticket = match kind {
        Kind::Confirmation => {
            let mut member = Member::apply(arena).await?;
            if member.exists(arena).await {
                return Err(Ended::Skipped("enceeper.confirm_email is off".to_owned()));
            }
            button(member.mail.link(arena, USER).await?, "confirm")
        }
        Kind::Login => {
            let member = Member::join(arena).await?;
            Ticket {
                method: Method::POST,
                path: format!("{USER}/login"),
                holder: Holder::Nobody,
                content: Content::Json(member.proof(arena).await?),
                won: 200,
                lost: &[400, 401],
            }
        }
        Kind::PagePass => page_pass(arena).await?,
        Kind::Approval => approval(arena).await?,
    };
    let seen = contest(arena, arena.width.min(MOST), &ticket).await?;
    Ok(Round {
        requests: arena.sent() - before,
        seen,
    })
}

async fn page_pass(arena: &Arena) -> Result<Ticket, Ended> {
    let session = Member::join(arena).await?.sign_in(arena).await?;
    let path = format!("{USER}/webauth");
    let answer = arena
        .insist(0, Method::GET, &path, By::Member(&session), None)
        .await;
    expect(&answer, 200, "a pass to an account's page")?;
    Ok(Ticket {
        method: Method::GET,
        path: format!("{USER}/login/{}", text(&answer, "/result/token")?),
        holder: Holder::Nobody,
        content: Content::Nothing,
        won: 200,
        lost: &[404],
    })
}

/// Creates a slot that needs approval, and asks to read it.
async fn approval(arena: &Arena) -> Result<Ticket, Ended> {
    let mut member = Member::join(arena).await?;
    let session = member.sign_in(arena).await?;
    let by = By::Member(&session);
    let post = async |path: String, body: Value, what: &str| {
        let answer = arena.insist(0, Method::POST, &path, by, Some(&body)).await;
        expect(&answer, 200, what).map(|()| answer)
    };
    let entry = json!({ "slot": "torture", "meta": "torture", "value": "torture" });
    let entry = post(format!("{USER}/keys"), entry, "an entry of a vault").await?;
    let path = format!(
        "{USER}/keys/{}/slots",
        entry.body["result"]["key"]["key_id"]
    );
    let slot = json!({ "value": "torture", "notify": 2 });
    let slot = post(
        path,
        slot,
        "a slot to approve (enceeper.plans, slot_approve_use)",
    )
    .await?;
    let slots = slot.body["result"]["key"]["slots"].as_array();
    let identifier = slots
        .and_then(|slots| slots.last()?["identifier"].as_str())
        .ok_or_else(|| Ended::Skipped("a slot without an identifier".to_owned()))?;
    member.mail.skip(arena).await?;
    let path = format!("{USER}/slots/{identifier}");
    let answer = arena.insist(0, Method::GET, &path, By::Nobody, None).await;
    expect(&answer, 200, "reading a slot")?;
    Ok(button(member.mail.link(arena, USER).await?, "approve"))
}

fn button(path: String, decision: &'static str) -> Ticket {
    Ticket {
        method: Method::POST,
        path,
        holder: Holder::Nobody,
        content: Content::Button(decision),
        won: 200,
        lost: &[404],
    }
}

fn text(answer: &Answer, pointer: &str) -> Result<String, Ended> {
    let found = answer.body.pointer(pointer).and_then(Value::as_str);
    found
        .map(str::to_owned)
        .ok_or_else(|| Ended::Skipped(format!("no {pointer} in the answer")))
}

/// Computes on a blocking thread, because numbers of 8192 bits take long.
async fn work<T: Send + 'static>(
    password: [u8; 64],
    job: impl FnOnce(&ClientHandshake) -> Option<T> + Send + 'static,
) -> Result<T, Ended> {
    let client = ClientHandshake::new(password, Key::new(bytes()));
    let done = tokio::task::spawn_blocking(move || job(&client)).await;
    done.ok()
        .flatten()
        .ok_or_else(|| Ended::Skipped("a challenge with which no client could continue".to_owned()))
}
