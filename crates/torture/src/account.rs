//! Races for the codes of a registration, a login and a password recovery of an account.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::arena::{Arena, By, Made};
use crate::contest::{Content, Holder, Ticket, contest};
use crate::mail::Mail;
use crate::random::bytes;
use crate::spend::expect;
use crate::table::{Ended, Round, Tried};

/// The single-use values of this module.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Registration,
    SecondStep,
    PasswordRecovery,
}

pub(crate) const KINDS: [Kind; 3] = [Kind::Registration, Kind::SecondStep, Kind::PasswordRecovery];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Registration => "single use: registration",
            Self::SecondStep => "single use: second step",
            Self::PasswordRecovery => "single use: password recovery",
        }
    }
}

/// A person who registers, and then has an account.
pub(crate) struct Person {
    mail: Mail,
    password: String,
}

impl Person {
    async fn new(arena: &Arena) -> Result<Self, Ended> {
        Ok(Self {
            mail: Mail::fresh(arena).await?,
            // Of every kind of letter that a rule may ask for.
            password: format!("Aa1!{}", hex::encode(bytes::<16>())),
        })
    }

    /// Creates an account and a session. Returns the account's id and the access token.
    pub(crate) async fn logged_in(arena: &Arena) -> Result<(Self, String, String), Ended> {
        let mut person = Self::new(arena).await?;
        let proof = person.registering(arena).await?;
        ok(arena, "registration/verification", By::Nobody, &proof).await?;
        let id = person.settle(arena, &proof).await?;
        let session = ok(arena, "login", By::Nobody, &person.credential()).await?;
        let session = session["accessToken"].as_str().unwrap_or_default();
        Ok((person, id, session.to_owned()))
    }

    fn credential(&self) -> Value {
        json!({ "userKey": self.mail.address, "password": self.password })
    }

    /// Starts a registration. Returns the proof of the address.
    async fn registering(&mut self, arena: &Arena) -> Result<Value, Ended> {
        let key = json!({ "userKey": self.mail.address });
        let process = ok(arena, "registration", By::Nobody, &key).await?;
        let process = process["processingId"].as_str().unwrap_or_default();
        let path = format!("token/registration/{process}");
        ok(arena, &path, By::Nobody, &json!({})).await?;
        let code = self.mail.code(arena).await?;
        Ok(json!({ "processingId": process, "oneTimeToken": code }))
    }

    /// Finishes a registration whose address was verified. Returns the account's id.
    async fn settle(&self, arena: &Arena, proof: &Value) -> Result<String, Ended> {
        let body = json!({ "processingId": proof["processingId"], "password": self.password });
        let account = ok(arena, "registration/password", By::Nobody, &body).await?;
        let id = account["userId"].as_str().unwrap_or_default().to_owned();
        arena
            .made(Made::Object(format!("/admin/v1/accounts/{id}")))
            .await;
        Ok(id)
    }

    /// Starts a login with a second step. Returns the proof of that step.
    async fn logging_in(&mut self, arena: &Arena, session: &str) -> Result<Value, Ended> {
        let mut step = json!({ "destination": "EMAIL" });
        ok(arena, "mfa/enabling", By::Token(session), &step).await?;
        let process = ok(arena, "login", By::Nobody, &self.credential()).await?;
        self.mail.skip(arena).await?;
        step["processingId"] = process["processingId"].clone();
        ok(arena, "token/login", By::Nobody, &step).await?;
        step["oneTimeToken"] = self.mail.code(arena).await?.into();
        Ok(step)
    }

    /// Starts a password recovery. Returns the proof of the address.
    async fn recovering(&mut self, arena: &Arena) -> Result<Value, Ended> {
        let key = json!({ "userKey": self.mail.address });
        let mut process = ok(arena, "password/recovery", By::Nobody, &key).await?;
        self.mail.skip(arena).await?;
        process["destination"] = "EMAIL".into();
        ok(arena, "token/password/recovery", By::Nobody, &process).await?;
        process["oneTimeToken"] = self.mail.code(arena).await?.into();
        Ok(process)
    }
}

/// Many callers present the same code in parallel; exactly one must succeed.
pub(crate) async fn race(arena: &Arc<Arena>, kind: Kind) -> Tried {
    let before = arena.sent();
    let seen = match kind {
        Kind::Registration => {
            let mut person = Person::new(arena).await?;
            let proof = person.registering(arena).await?;
            let seen = spend(arena, "registration/verification", proof.clone()).await?;
            // Who won can go on; so there is an account, which is removed like the others.
            person.settle(arena, &proof).await?;
            seen
        }
        Kind::SecondStep => {
            let (mut person, _, session) = Person::logged_in(arena).await?;
            let proof = person.logging_in(arena, &session).await?;
            spend(arena, "login/verification", proof).await?
        }
        Kind::PasswordRecovery => {
            let (mut person, ..) = Person::logged_in(arena).await?;
            let proof = person.recovering(arena).await?;
            spend(arena, "password/recovery/verification", proof).await?
        }
    };
    Ok(Round {
        requests: arena.sent() - before,
        seen,
    })
}

async fn spend(arena: &Arc<Arena>, path: &str, proof: Value) -> Result<String, Ended> {
    let ticket = Ticket {
        method: Method::POST,
        path: format!("/api/v1/{path}"),
        holder: Holder::Nobody,
        content: Content::Json(proof),
        won: 200,
        lost: &[400, 404, 409],
    };
    contest(arena, arena.width, &ticket).await
}

/// Returns the answer to a call that must succeed, or the setting of the installation that prevents it.
async fn ok(arena: &Arena, path: &str, by: By<'_>, body: &Value) -> Result<Value, Ended> {
    let full = format!("/api/v1/{path}");
    let answer = arena.insist(0, Method::POST, &full, by, Some(body)).await;
    let setting = match answer.body["code"].as_str() {
        Some("USER_KEY_TYPE_DISABLED") => "profile.registration.email_enabled",
        Some("FEATURE_DISABLED") => "profile.features.mfa",
        _ => return expect(&answer, 200, path).map(|()| answer.body),
    };
    Err(Ended::Skipped(format!("{setting} is off")))
}
