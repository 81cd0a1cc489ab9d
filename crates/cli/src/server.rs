//! The connection to the admin listener of a running server.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use admin_wire::Running;
use clap::Args;
use reqwest::{Client, Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use terminal::print;

use crate::text::{chain, readable};

/// How to find the server.
#[derive(Args, Clone)]
pub struct Target {
    /// Data directory of a server on this machine.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "keyward-data",
        global = true
    )]
    data: PathBuf,
    /// Admin address of a server on another machine; use it with --token-file.
    #[arg(long, value_name = "URL", requires = "token_file", global = true)]
    server: Option<String>,
    /// File that contains the server's admin token.
    #[arg(long, value_name = "F", global = true)]
    token_file: Option<PathBuf>,
    /// Print JSON. Commands then need no --yes.
    #[arg(long, global = true)]
    pub json: bool,
}

/// What a command asks for before it removes something for good.
#[derive(Args)]
pub struct Confirmation {
    /// Confirm the command; required unless --json is given.
    #[arg(long)]
    yes: bool,
}

impl Confirmation {
    /// Refuses to go on, with a sentence on `what` would happen.
    pub(crate) fn check(&self, target: &Target, what: &str) -> Result<(), String> {
        if self.yes || target.json {
            Ok(())
        } else {
            Err(format!("{what}; add --yes to confirm"))
        }
    }
}

/// A connection to a running server.
pub struct Server {
    client: Client,
    base: String,
    token: String,
}

impl Target {
    pub fn connect(&self) -> Result<Server, String> {
        let (base, token) = match (&self.server, &self.token_file) {
            (Some(server), Some(file)) => {
                let token = std::fs::read_to_string(file)
                    .map_err(|error| format!("{}: {error}", file.display()))?;
                (
                    server.trim_end_matches('/').to_owned(),
                    token.trim().to_owned(),
                )
            }
            _ => {
                let running = Running::read(&self.data)?;
                (running.admin, running.token)
            }
        };
        let client = Client::builder()
            .timeout(Duration::from_secs(300))
            .no_proxy()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Server {
            client,
            base,
            token,
        })
    }
}

/// Each call prints its answer.
impl Target {
    pub(crate) async fn get(&self, path: &str) -> Result<ExitCode, String> {
        self.show(&self.connect()?.get(path).await?)
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<ExitCode, String> {
        self.show(&self.connect()?.delete(path).await?)
    }

    pub(crate) async fn post(&self, path: &str, body: &impl Serialize) -> Result<ExitCode, String> {
        self.show(&self.connect()?.post(path, body).await?)
    }

    pub(crate) async fn put(&self, path: &str, body: &impl Serialize) -> Result<ExitCode, String> {
        self.show(&self.connect()?.put(path, body).await?)
    }

    pub(crate) fn show(&self, answer: &Value) -> Result<ExitCode, String> {
        if self.json {
            print(&answer.to_string())
        } else {
            print(&readable(answer, 0))
        }
    }
}

impl Server {
    pub async fn get(&self, path: &str) -> Result<Value, String> {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value, String> {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Value, String> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &impl Serialize) -> Result<Value, String> {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn post_text(&self, path: &str, body: String) -> Result<Value, String> {
        self.send(self.request(Method::POST, path).body(body)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
    }

    /// Returns the body of a successful answer, or the message of an error.
    async fn send(&self, request: RequestBuilder) -> Result<Value, String> {
        let answer = request.send().await.map_err(|error| {
            format!(
                "the server at {} does not answer: {}",
                self.base,
                chain(&error)
            )
        })?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(body);
        }
        // A path outside the admin API answers with a message alone.
        let message = body
            .pointer("/error/message")
            .or_else(|| body.get("message"))
            .and_then(Value::as_str);
        Err(format!(
            "{} ({})",
            message.unwrap_or("the server refused"),
            status.as_u16()
        ))
    }
}

/// The answer as a type of the admin API.
pub fn parsed<T: DeserializeOwned>(answer: Value) -> Result<T, String> {
    serde_json::from_value(answer).map_err(|error| {
        format!("the server's answer has another form than this release expects: {error}")
    })
}
