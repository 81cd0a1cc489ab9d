//! The nodes under attack, the objects created on them, and calls to them.

mod fixture;
mod letters;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cli::Server;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tokio::sync::{Barrier, Mutex};

use letters::Letters;

pub(crate) use fixture::{Made, Shop, address, pin};

use crate::TortureArgs;
use crate::table::Ended;

/// How often a call that was not decided is repeated.
const PATIENCE: usize = 200;
const PAUSE: Duration = Duration::from_millis(50);

/// A node's answer. The status is 0 if the connection broke.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// Whether the server decided nothing, so that the caller may repeat the call.
    pub(crate) fn is_put_off(&self) -> bool {
        matches!(self.status, 0 | 503)
    }
}

/// The credential with which a call is made.
#[derive(Clone, Copy)]
pub(crate) enum By<'a> {
    Nobody,
    Pin(&'a str),
    Token(&'a str),
    /// A session of a vault account.
    Member(&'a str),
}

pub(crate) struct Arena {
    http: Client,
    nodes: Vec<String>,
    admin: Server,
    letters: Letters,
    pub(crate) width: usize,
    pub(crate) max_failures: usize,
    sent: AtomicU64,
    made: Mutex<Vec<Made>>,
    stopped: AtomicBool,
}

impl Arena {
    /// Fails unless every node answers and the admin API accepts the token.
    pub(crate) async fn open(arguments: &TortureArgs) -> Result<Self, String> {
        let admin = arguments.target.connect()?;
        admin.get("/admin/v1/status").await?;
        let letters = Letters::of(arguments.mailbox.as_deref(), &admin).await;
        let http = Client::builder()
            .timeout(Duration::from_secs(90))
            .no_proxy()
            .build()
            .map_err(|error| error.to_string())?;
        let nodes: Vec<String> = arguments
            .against
            .iter()
            .map(|node| node.trim_end_matches('/').to_owned())
            .collect();
        let arena = Self {
            http,
            nodes,
            admin,
            letters,
            width: usize::from(arguments.width),
            max_failures: usize::from(arguments.max_failures),
            sent: AtomicU64::new(0),
            made: Mutex::default(),
            stopped: AtomicBool::new(false),
        };
        for nth in 0..arena.nodes.len() {
            let answer = arena
                .call(nth, Method::GET, "/readyz", By::Nobody, None)
                .await;
            if answer.status != 200 {
                return Err(format!("{} is not ready", arena.nodes[nth]));
            }
        }
        Ok(arena)
    }

    /// Starts no further trial.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// The number of requests so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Counts a request that did not go through [`Arena::call`].
    pub(crate) fn count(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn node(&self, nth: usize) -> &str {
        &self.nodes[nth % self.nodes.len()]
    }

    /// Sends one request to the next node.
    pub(crate) async fn call(
        &self,
        nth: usize,
        method: Method,
        path: &str,
        by: By<'_>,
        body: Option<&Value>,
    ) -> Answer {
        self.count();
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.node(nth)));
        request = match by {
            By::Nobody => request,
            By::Pin(pin) => request.basic_auth("", Some(pin)),
            By::Token(token) => request.bearer_auth(token),
            By::Member(token) => request.header("x-enceeper-auth", token),
        };
        if let Some(body) = body {
            request = request.json(body);
        }
        Self::answer(request).await
    }

    /// Presses a button of a page.
    pub(crate) async fn press(&self, nth: usize, path: &str, decision: &str) -> Answer {
        self.count();
        let request = self.http.post(format!("{}{path}", self.node(nth)));
        Self::answer(request.form(&[("decision", decision)])).await
    }

    async fn answer(request: RequestBuilder) -> Answer {
        let Ok(answer) = request.send().await else {
            return broken();
        };
        let status = answer.status().as_u16();
        match answer.text().await {
            Ok(text) => Answer {
                status,
                body: serde_json::from_str(&text).unwrap_or(Value::Null),
            },
            Err(_) => broken(),
        }
    }

    /// Repeats the call while the server decides nothing.
    pub(crate) async fn insist(
        &self,
        nth: usize,
        method: Method,
        path: &str,
        by: By<'_>,
        body: Option<&Value>,
    ) -> Answer {
        let mut answer = broken();
        for attempt in 0..PATIENCE {
            answer = self
                .call(nth + attempt, method.clone(), path, by, body)
                .await;
            if !answer.is_put_off() {
                break;
            }
            pause(PAUSE).await;
        }
        answer
    }

    /// Sends `count` requests at the same moment, spread over the nodes.
    pub(crate) async fn race<F>(
        self: &Arc<Self>,
        count: usize,
        send: impl Fn(Arc<Self>, usize) -> F,
    ) -> Vec<Answer>
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let gate = Arc::new(Barrier::new(count));
        let runners: Vec<_> = (0..count)
            .map(|nth| {
                let (gate, request) = (Arc::clone(&gate), send(Arc::clone(self), nth));
                tokio::spawn(async move {
                    gate.wait().await;
                    request.await
                })
            })
            .collect();
        let mut answers = Vec::with_capacity(count);
        for runner in runners {
            answers.push(runner.await.unwrap_or_else(|_| broken()));
        }
        answers
    }
}

/// The number of answers for each status.
pub(crate) fn tally(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_insert(0) += 1;
    }
    counts
}

/// Fails if a server has given an answer that must not occur.
pub(crate) fn only(answers: &[Answer], allowed: &[u16]) -> Result<BTreeMap<u16, usize>, Ended> {
    let counts = tally(answers);
    match counts.keys().find(|status| !allowed.contains(status)) {
        None => Ok(counts),
        Some(status) => Err(Ended::Broken(format!(
            "unexpected status {status} in {counts:?}"
        ))),
    }
}

fn broken() -> Answer {
    Answer {
        status: 0,
        body: Value::Null,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client waits before it asks again"
)]
pub(crate) async fn pause(span: Duration) {
    tokio::time::sleep(span).await;
}
