//! `keyward admin` and `keyward dev`: clients of a running server's admin listener.

mod account;
mod admin;
mod dev;
mod duo;
mod enceeper;
mod tenancy;

use std::path::PathBuf;
use std::time::Duration;

use admin_wire::Running;
use clap::Args;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

pub use admin::{AdminCommand, run as admin};
pub use dev::{DevCommand, run as dev};

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

impl Server {
    pub async fn get(&self, path: &str) -> Result<Value, String> {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value, String> {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value, String> {
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

/// An error with all its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

/// Percent-encodes one path segment or query value.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Formats an answer for people: `name: value` lines, nested ones indented.
pub(crate) fn readable(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                Value::Object(_) | Value::Array(_) => {
                    format!("{indent}{name}:\n{}", readable(value, depth + 1))
                }
                _ => format!("{indent}{name}: {}\n", readable(value, 0)),
            })
            .collect(),
        Value::Array(items) if items.is_empty() => format!("{indent}(none)\n"),
        Value::Array(items) => items
            .iter()
            .map(|item| format!("{}\n", readable(item, depth)))
            .collect(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
