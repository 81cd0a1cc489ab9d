//! `keyward admin messages …`

use std::process::ExitCode;

use admin_wire::{Channel, Preview};
use clap::Subcommand;

use crate::Target;

#[derive(Subcommand)]
pub enum MessagesCommand {
    /// Show the text of a message, without sending it.
    Preview {
        /// The operation of the message, for example `recovery_started`.
        operation: String,
        #[arg(long, default_value = "en")]
        language: String,
        /// `EMAIL` or `SMS`.
        #[arg(long, default_value = "EMAIL", value_parser = channel)]
        channel: Channel,
        #[command(flatten)]
        target: Target,
    },
}

pub(crate) async fn run(command: MessagesCommand) -> Result<ExitCode, String> {
    let MessagesCommand::Preview {
        operation,
        language,
        channel,
        target,
    } = command;
    let preview = Preview {
        operation,
        language: Some(language),
        channel: Some(channel),
        anti_phishing_code: None,
    };
    target.post("/admin/v1/messages/preview", &preview).await
}

/// The channel that the wire calls `text`.
fn channel(text: &str) -> Result<Channel, &'static str> {
    serde_json::from_value(text.into()).map_err(|_| "write EMAIL or SMS")
}
