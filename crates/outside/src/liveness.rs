//! Face verifiers: a `FaceTec` Server, the operator's own over a signed webhook, or none.
//!
//! This module contains their common part: a limited number of calls at a time, one deadline, no redirects, no
//! second try after a byte was sent (evidence is single use), and a judgement that is not a yes for every failure.

mod facetec;
mod options;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::port::liveness::{Judged, Judgement, Question};
use domain::port::{Clock, Liveness};
use domain::wallet::step_up::Evidence;
use reqwest::{RequestBuilder, Response};
use tokio::sync::Semaphore;

use crate::http;

pub use facetec::judge as judge_facetec;
pub use options::{FacetecOptions, LivenessOptions, Transport, VerifierOptions, WebhookOptions};

/// The longest wait until a call may start.
const PATIENCE: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(3);
const LONGEST_ANSWER: usize = 15 * 1024 * 1024;

/// The configured verifier.
pub struct OutsideLiveness {
    verifier: Verifier,
    places: Semaphore,
}

enum Verifier {
    None,
    Facetec(Box<facetec::Facetec>),
    Webhook(Box<webhook::Webhook>),
}

impl OutsideLiveness {
    pub fn new(options: LivenessOptions, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let verifier = match options.verifier {
            VerifierOptions::None => Verifier::None,
            VerifierOptions::Facetec(facetec) => {
                let facetec = facetec::Facetec::new(facetec, &options.transport)?;
                Verifier::Facetec(Box::new(facetec))
            }
            VerifierOptions::Webhook(webhook) => Verifier::Webhook(Box::new(
                webhook::Webhook::new(&webhook, &options.transport, clock)?,
            )),
        };
        Ok(Self {
            verifier,
            places: Semaphore::new(options.transport.max_concurrent.max(1)),
        })
    }
}

#[async_trait]
impl Liveness for OutsideLiveness {
    fn kind(&self) -> Option<&'static str> {
        match &self.verifier {
            Verifier::None => None,
            Verifier::Facetec(_) => Some("facetec_v9"),
            Verifier::Webhook(_) => Some("webhook"),
        }
    }

    async fn judge(&self, question: &Question, evidence: &Evidence) -> Judged {
        let Ok(Ok(_place)) = tokio::time::timeout(PATIENCE, self.places.acquire()).await else {
            return Judgement::Unreachable("too many calls at the same time".to_owned()).into();
        };
        match &self.verifier {
            Verifier::None => Judgement::Unreachable("no verifier is configured".to_owned()).into(),
            Verifier::Facetec(facetec) => facetec.ask(question, evidence).await,
            Verifier::Webhook(webhook) => webhook.ask(question, evidence).await.into(),
        }
    }

    async fn forget(&self, question: &Question) -> Result<(), String> {
        match &self.verifier {
            Verifier::None => Ok(()),
            Verifier::Facetec(facetec) => facetec.forget(question).await,
            Verifier::Webhook(webhook) => webhook.forget(question).await,
        }
    }

    async fn session_token(&self, client_agent: &str) -> Result<String, Judgement> {
        match &self.verifier {
            Verifier::Facetec(facetec) => facetec.session_token(client_agent).await,
            Verifier::None | Verifier::Webhook(_) => Err(Judgement::Untrustworthy(
                "this verifier has no session tokens".to_owned(),
            )),
        }
    }
}

/// Sends a request, and repeats it once if the connection was refused, because then nothing was sent.
async fn send(request: RequestBuilder) -> Result<Response, Judgement> {
    let again = request.try_clone();
    let unreachable = |error| Judgement::Unreachable(http::reason(error));
    match (request.send().await, again) {
        (Ok(response), _) => Ok(response),
        (Err(error), Some(again)) if is_refused(&error) => again.send().await.map_err(unreachable),
        (Err(error), _) => Err(unreachable(error)),
    }
}

/// Whether the connection was refused, so that no byte was sent.
fn is_refused(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return io.kind() == std::io::ErrorKind::ConnectionRefused;
        }
        source = cause.source();
    }
    false
}

/// Status and body of an answer.
async fn read(response: Response) -> Result<(u16, Vec<u8>), Judgement> {
    let status = response.status().as_u16();
    match http::body(response, LONGEST_ANSWER).await {
        Ok(body) => Ok((status, body)),
        Err(why) => Err(Judgement::Untrustworthy(why)),
    }
}
