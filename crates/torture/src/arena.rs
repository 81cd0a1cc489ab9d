//! The nodes under attack, the objects created on them, and calls to them.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cli::{Server, encode};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::sync::{Barrier, Mutex};

use crate::TortureArgs;
use crate::random::{below, bytes};
use crate::table::Ended;

/// The admin API's name for the issuer of the installation's own accounts.
const OWN_ISSUER: &str = "self";

/// How often a call that was not decided is repeated.
const PATIENCE: usize = 200;
const PAUSE: Duration = Duration::from_millis(50);
/// How often to look for a message before giving up.
const LETTER_POLLS: usize = 100;

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

/// An object that is removed at the end.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Made {
    /// The admin API deletes it at this path.
    Object(String),
    /// The same, for an object that may never have been created.
    Perhaps(String),
    /// The wallet user of the account with this id.
    Wallet(String),
}

/// Where messages can be read.
enum Letters {
    File(PathBuf),
    /// The mailbox of development mode.
    Server,
    Nowhere,
}

/// A test tenant with one application, its person, and a token for it.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) token: String,
    pub(crate) user: String,
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
        let letters = match &arguments.mailbox {
            Some(file) => Letters::File(file.clone()),
            None if admin.get("/dev/v1/mailbox?to=nobody").await.is_ok() => Letters::Server,
            None => Letters::Nowhere,
        };
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

    /// Creates a guarded key behind `pin`, which is removed at the end.
    pub(crate) async fn key(&self, pin: &str) -> Result<String, Ended> {
        let body = json!({ "pin": pin });
        let answer = self
            .insist(0, Method::POST, "/v2/key", By::Nobody, Some(&body))
            .await;
        match (answer.status, answer.body["id"].as_str()) {
            (201, Some(id)) => {
                let path = format!("/admin/v1/guarded-keys/{}", encode(id));
                self.made(Made::Object(path)).await;
                Ok(id.to_owned())
            }
            (429, _) => Err(Ended::Skipped(
                "photon.new_keys_per_network_hour is used up".to_owned(),
            )),
            (status, _) => Err(Ended::Skipped(format!("no key can be created: {status}"))),
        }
    }

    /// The number of failed guesses at a key, as the admin API shows it.
    pub(crate) async fn counted(&self, key: &str) -> Result<u64, Ended> {
        let path = format!("/admin/v1/guarded-keys/{}", encode(key));
        let shown = self.admin.get(&path).await.map_err(Ended::Skipped)?;
        Ok(shown["failed_guesses"].as_u64().unwrap_or_default())
    }

    /// Creates a test tenant, which is removed at the end.
    pub(crate) async fn shop(&self) -> Result<Shop, Ended> {
        let name = format!("torture {}", hex::encode(bytes::<8>()));
        let made = |value: Value, field: &str| {
            let text = value[field].as_str().unwrap_or_default().to_owned();
            if text.is_empty() {
                Err(Ended::Skipped(format!("no {field} in the answer")))
            } else {
                Ok(text)
            }
        };
        let tenant = self
            .admin
            .post("/admin/v1/tenants", &json!({ "name": name }))
            .await
            .map_err(Ended::Skipped)?;
        let tenant = made(tenant, "tenant_id")?;
        let path = format!("/admin/v1/tenants/{}", encode(&tenant));
        self.made(Made::Object(path)).await;
        let path = format!("/admin/v1/tenants/{}/applications", encode(&tenant));
        let client = self
            .admin
            .post(&path, &json!({ "name": "torture" }))
            .await
            .map_err(Ended::Skipped)?;
        let (id, secret) = (
            made(client.clone(), "client_id")?,
            made(client, "client_secret")?,
        );
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &id),
            ("client_secret", &secret),
        ];
        let token = async {
            let url = format!("{}/oidc/token", self.node(0));
            let answer = self.http.post(url).form(&form).send().await?;
            answer.json::<Value>().await
        };
        let token = token
            .await
            .map_err(|error| Ended::Skipped(cli::chain(&error)))?;
        let token = made(token, "access_token")?;
        let person = json!({ "email": address() });
        let answer = self
            .insist(
                0,
                Method::POST,
                "/cis/v1/users",
                By::Token(&token),
                Some(&person),
            )
            .await;
        let user = made(answer.body["result"].clone(), "user_id")?;
        Ok(Shop { token, user })
    }

    /// The newest message to `to` after the first `known`, or the reason why there is none.
    pub(crate) async fn letter(&self, to: &str, known: usize) -> Result<Value, Ended> {
        for _ in 0..LETTER_POLLS {
            let mut letters = self.letters_to(to).await?;
            if letters.len() > known
                && let Some(newest) = letters.pop()
            {
                return Ok(newest);
            }
            pause(PAUSE).await;
        }
        Err(Ended::Skipped("a message did not arrive".to_owned()))
    }

    /// All messages to `to`, oldest first.
    pub(crate) async fn letters_to(&self, to: &str) -> Result<Vec<Value>, Ended> {
        let all: Vec<Value> = match &self.letters {
            Letters::Nowhere => {
                return Err(Ended::Skipped(
                    "messages cannot be read: use --mailbox".to_owned(),
                ));
            }
            Letters::Server => {
                let path = format!("/dev/v1/mailbox?to={}", encode(to));
                let found = self.admin.get(&path).await.map_err(Ended::Skipped)?;
                found["messages"].as_array().cloned().unwrap_or_default()
            }
            Letters::File(file) => {
                let text = tokio::fs::read_to_string(file)
                    .await
                    .map_err(|error| Ended::Skipped(format!("{}: {error}", file.display())))?;
                text.lines()
                    .filter_map(|line| serde_json::from_str(line).ok())
                    .collect()
            }
        };
        Ok(all
            .into_iter()
            .filter(|letter| letter["to"].as_str() == Some(to))
            .collect())
    }

    /// Whether the admin API finds an object at a path.
    pub(crate) async fn operator_sees(&self, path: &str) -> bool {
        self.admin.get(path).await.is_ok()
    }

    /// Remembers an object to remove at the end.
    pub(crate) async fn made(&self, thing: Made) {
        self.made.lock().await.push(thing);
    }

    /// Removes everything that was created, the newest first. Fails with a list of what could not be removed.
    pub(crate) async fn clean(&self) -> Result<(), String> {
        let mut left = Vec::new();
        for thing in self.made.lock().await.iter().rev() {
            if let Err(why) = self.remove(thing).await {
                left.push(why);
            }
        }
        if left.is_empty() {
            Ok(())
        } else {
            let left = left.join("; ");
            Err(format!("these test objects could not be removed: {left}"))
        }
    }

    async fn remove(&self, thing: &Made) -> Result<(), String> {
        let (what, removed) = match thing {
            Made::Perhaps(path) if !self.operator_sees(path).await => return Ok(()),
            Made::Object(path) | Made::Perhaps(path) => (path, self.admin.delete(path).await),
            Made::Wallet(id) => {
                let user = json!({ "issuer": OWN_ISSUER, "subject": id });
                let path = "/admin/v1/wallets/erase";
                (id, self.admin.post(path, &user).await)
            }
        };
        removed
            .map(|_| ())
            .map_err(|error| format!("{what}: {error}"))
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

/// An address in a domain that receives no mail.
pub(crate) fn address() -> String {
    format!("torture-{}@example.com", hex::encode(bytes::<8>()))
}

/// A random PIN.
pub(crate) fn pin() -> String {
    format!("{:09}", below(1_000_000_000))
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
