//! The operator's own verifier, over a webhook that is signed in both directions (duo-auth sheet §11).

use std::sync::Arc;

use crypto::webhook_signature::{Message, Secret};
use domain::port::Clock;
use domain::port::liveness::{Check, Judgement, Purpose, Question};
use domain::wallet::step_up::Evidence;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use serde::Serialize;
use serde_json::Value;

use super::options::{Transport, WebhookOptions};
use super::{CONNECT, read, send};
use crate::http;

const SHORTEST_SECRET: usize = 32;
const SIGNATURE: &str = "x-face-verifier-signature";

pub(super) struct Webhook {
    client: Client,
    url: Url,
    secret: Secret,
    clock: Arc<dyn Clock>,
}

#[derive(Serialize)]
struct Body<'b> {
    version: u8,
    operation: &'static str,
    request_id: &'b str,
    subject_ref: &'b str,
    purpose: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Shown<'b>>,
    client_ip: Option<&'b str>,
}

#[derive(Serialize)]
struct Shown<'b> {
    face_scan: &'b str,
    audit_trail_image: &'b str,
    low_quality_audit_trail_image: &'b str,
    user_agent: &'b str,
}

impl Webhook {
    pub(super) fn new(
        options: &WebhookOptions,
        transport: &Transport,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let secret = options.secret.expose();
        if secret.len() < SHORTEST_SECRET {
            return Err(format!(
                "the webhook secret has {} bytes and needs at least {SHORTEST_SECRET}",
                secret.len()
            ));
        }
        Ok(Self {
            client: http::client(CONNECT, transport.timeout, transport.ca_file.as_deref())?,
            url: http::url(&options.url, transport.plain)?,
            secret: Secret::new(secret),
            clock,
        })
    }

    pub(super) async fn ask(&self, question: &Question, evidence: &Evidence) -> Judgement {
        let operation = match question.check {
            Check::Enrol => "enroll",
            Check::Match => "match",
        };
        let shown = Shown {
            face_scan: evidence.scan.expose(),
            audit_trail_image: evidence.image.expose(),
            low_quality_audit_trail_image: evidence.small_image.expose(),
            user_agent: &evidence.agent,
        };
        let body = Body {
            version: 1,
            operation,
            request_id: &question.id,
            subject_ref: &question.reference,
            purpose: purpose(question.purpose),
            evidence: Some(shown),
            client_ip: Some(&evidence.client),
        };
        match self.exchange(question, &body).await {
            Ok(answer) => judge(question, &answer),
            Err(judgement) => judgement,
        }
    }

    pub(super) async fn forget(&self, question: &Question) -> Result<(), String> {
        let body = Body {
            version: 1,
            operation: "delete",
            request_id: &question.id,
            subject_ref: &question.reference,
            purpose: purpose(question.purpose),
            evidence: None,
            client_ip: None,
        };
        let answer = self.exchange(question, &body).await;
        answer
            .map(|_| ())
            .map_err(|judgement| format!("{judgement:?}"))
    }

    /// Sends a request, and accepts an answer only with the correct signature for this request.
    async fn exchange(&self, question: &Question, body: &Body<'_>) -> Result<Value, Judgement> {
        let untrustworthy = |why: &str| Judgement::Untrustworthy(why.to_owned());
        let body = serde_json::to_vec(body).map_err(|_| untrustworthy("no JSON"))?;
        let seconds = u64::try_from(self.clock.now().seconds()).unwrap_or(0);
        let signature = self.secret.sign(&Message {
            prefix: "v1",
            timestamp: Some(seconds),
            id: &question.id,
            body: &body,
        });
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("x-face-verifier-timestamp", seconds)
            .header("x-face-verifier-request-id", &question.id)
            .header(SIGNATURE, signature)
            .body(body);
        let response = send(request).await?;
        let signature = response.headers().get(SIGNATURE);
        let signature = signature.and_then(|value| value.to_str().ok());
        let signature = signature.unwrap_or_default().to_owned();
        let (status, body) = read(response).await?;
        let message = Message {
            prefix: "v1r",
            timestamp: None,
            id: &question.id,
            body: &body,
        };
        if status != 200 {
            return Err(untrustworthy("the answer is not 200"));
        }
        if !self.secret.verify(&message, &signature) {
            return Err(untrustworthy("the answer's signature is wrong"));
        }
        serde_json::from_slice(&body).map_err(|_| untrustworthy("the answer is not JSON"))
    }
}

/// §11: accepted only if every part of the answer says so.
fn judge(question: &Question, answer: &Value) -> Judgement {
    let trouble = |why: &str| Judgement::Untrustworthy(why.to_owned());
    if answer["version"] != 1 || answer["request_id"].as_str() != Some(&question.id) {
        return trouble("the answer belongs to another request");
    }
    let matched = question.check == Check::Enrol || answer["matched"] == true;
    let sure = answer["liveness"] == true && matched;
    match answer["decision"].as_str() {
        Some("accept") if sure => Judgement::Accepted,
        Some("accept" | "reject") => {
            let why = answer["reason"].as_str().unwrap_or("no reason given");
            Judgement::Refused(why.chars().take(200).collect())
        }
        _ => trouble("no decision"),
    }
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Enrolment => "face_register",
        Purpose::NewDevice => "device_register",
        Purpose::Recovery => "keyshare_recover",
        Purpose::Operator => "admin",
    }
}
