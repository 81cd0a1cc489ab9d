//! The messages that the installation sends.

use std::path::{Path, PathBuf};

use admin_wire::Mailbox;
use cli::{Server, encode, parsed};
use serde_json::Value;

use super::{Arena, PAUSE, pause};
use crate::table::Ended;

/// How often to look for a message before giving up.
const LETTER_POLLS: usize = 100;

/// Where messages can be read.
pub(super) enum Letters {
    File(PathBuf),
    /// The mailbox of development mode.
    Server,
    Nowhere,
}

impl Letters {
    pub(super) async fn of(file: Option<&Path>, admin: &Server) -> Self {
        match file {
            Some(file) => Self::File(file.to_owned()),
            None if admin.get("/dev/v1/mailbox?to=nobody").await.is_ok() => Self::Server,
            None => Self::Nowhere,
        }
    }
}

impl Arena {
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
                let found = self.admin.get(&path).await.and_then(parsed);
                let Mailbox { messages } = found.map_err(Ended::Skipped)?;
                messages
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
}
