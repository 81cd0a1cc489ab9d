//! `keyward dev …`: works only against a server in development mode.

use std::process::ExitCode;

use admin_wire::{ClockAdvance, ClockState, Mailbox};
use clap::Subcommand;
use serde_json::{Value, json};
use terminal::print;

use crate::server::parsed;
use crate::{Target, encode};

#[derive(Subcommand)]
pub enum DevCommand {
    /// Show the newest message, or only its code.
    Mailbox {
        /// Show only messages to this address.
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
        /// Show only the code of the newest message that contains one.
        #[arg(long)]
        code: bool,
        /// Show all messages, not only the newest.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        target: Target,
    },
    /// The movable clock.
    #[command(subcommand)]
    Clock(ClockCommand),
}

#[derive(Subcommand)]
pub enum ClockCommand {
    /// Move the clock forward. Returns after everything that became due was done.
    Advance {
        /// How far, for example 30d, 24h, 15m or 3600s.
        span: String,
        #[command(flatten)]
        target: Target,
    },
}

pub async fn run(command: DevCommand) -> Result<ExitCode, String> {
    match command {
        DevCommand::Mailbox {
            to,
            code,
            all,
            target,
        } => {
            let messages = mailbox(&target, to.as_deref()).await?;
            if code {
                show_code(&target, &messages)
            } else if all {
                show_all(&messages)
            } else {
                show_newest(&target, &messages)
            }
        }
        DevCommand::Clock(ClockCommand::Advance { span, target }) => {
            let seconds = seconds(&span)?;
            let server = target.connect()?;
            let advance = ClockAdvance { seconds };
            let moved = server.post("/dev/v1/clock/advance", &advance).await;
            let moved = moved.map_err(explained)?;
            if target.json {
                return print(&moved.to_string());
            }
            let ClockState { now } = parsed(moved)?;
            print(&now)
        }
    }
}

async fn mailbox(target: &Target, to: Option<&str>) -> Result<Vec<Value>, String> {
    let path = to.map_or_else(
        || "/dev/v1/mailbox".to_owned(),
        |to| format!("/dev/v1/mailbox?to={}", encode(to)),
    );
    let found = target.connect()?.get(&path).await.map_err(explained)?;
    let Mailbox { messages } = parsed(found)?;
    Ok(messages)
}

fn show_code(target: &Target, messages: &[Value]) -> Result<ExitCode, String> {
    let newest = messages
        .iter()
        .rev()
        .find_map(|message| message["oneTimeToken"].as_str());
    let newest = newest.ok_or("no message contains a code yet")?;
    if target.json {
        print(&json!({ "code": newest }).to_string())
    } else {
        print(newest)
    }
}

fn show_all(messages: &[Value]) -> Result<ExitCode, String> {
    let lines: Vec<String> = messages.iter().map(Value::to_string).collect();
    print(&lines.join("\n"))
}

fn show_newest(target: &Target, messages: &[Value]) -> Result<ExitCode, String> {
    let newest = messages.last().ok_or("the mailbox is empty")?;
    if target.json {
        return print(&newest.to_string());
    }
    let field = |name: &str| newest[name].as_str().unwrap_or_default().to_owned();
    print(&format!(
        "To: {}\nSubject: {}\nDate: {}\n\n{}",
        field("to"),
        field("subject"),
        field("ts"),
        field("body")
    ))
}

/// A server that is not in development mode does not have these paths.
fn explained(error: String) -> String {
    if error.ends_with("(404)") {
        "this server is not in development mode: only `keyward serve --dev` has a mailbox and a movable clock".to_owned()
    } else {
        error
    }
}

/// `30d`, `24h`, `15m`, `3600s` or plain seconds.
fn seconds(span: &str) -> Result<u64, String> {
    let (number, unit) = match span.find(|char: char| !char.is_ascii_digit()) {
        Some(at) => span.split_at(at),
        None => (span, "s"),
    };
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(format!("{span}: write 30d, 24h, 15m or 3600s")),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| format!("{span}: write 30d, 24h, 15m or 3600s"))?;
    number
        .checked_mul(factor)
        .ok_or_else(|| format!("{span} is too long"))
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn spans() {
        for (span, expected) in [
            ("30d", 2_592_000),
            ("24h", 86_400),
            ("15m", 900),
            ("3600s", 3600),
            ("7", 7),
        ] {
            assert_eq!(seconds(span), Ok(expected));
        }
        for bad in ["", "d", "-3d", "3w", "1.5h", "99999999999999999999d"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
