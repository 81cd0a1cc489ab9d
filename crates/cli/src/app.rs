//! `keyward admin app …`

use std::process::ExitCode;

use admin_wire::ApplicationRequest;
use clap::Subcommand;

use crate::place::{InApp, InTenant};

#[derive(Subcommand)]
pub enum AppCommand {
    /// Create an application and a client with full access to it. Prints the secret, which is never shown again.
    Create {
        #[arg(long)]
        name: String,
        #[arg(long)]
        description: Option<String>,
        /// Accept only challenges that this server created.
        #[arg(long)]
        require_server_challenge: bool,
        #[command(flatten)]
        within: InTenant,
    },
    /// List the tenant's applications.
    List {
        #[command(flatten)]
        within: InTenant,
    },
    /// Change an application.
    Update {
        #[arg(long)]
        name: Option<String>,
        #[arg(long)]
        description: Option<String>,
        #[arg(long, value_name = "true|false")]
        require_server_challenge: Option<bool>,
        #[command(flatten)]
        inside: InApp,
    },
    /// Delete an application with its clients, memberships and device keys.
    Delete {
        #[command(flatten)]
        inside: InApp,
    },
}

pub(crate) async fn run(command: AppCommand) -> Result<ExitCode, String> {
    match command {
        AppCommand::Create {
            name,
            description,
            require_server_challenge,
            within,
        } => {
            let request = ApplicationRequest {
                name: Some(name),
                description,
                require_server_challenge: Some(require_server_challenge),
            };
            within
                .target
                .post(&within.path("/applications"), &request)
                .await
        }
        AppCommand::List { within } => within.target.get(&within.path("/applications")).await,
        AppCommand::Update {
            name,
            description,
            require_server_challenge,
            inside,
        } => {
            let request = ApplicationRequest {
                name,
                description,
                require_server_challenge,
            };
            inside.target().put(&inside.path(""), &request).await
        }
        AppCommand::Delete { inside } => inside.target().delete(&inside.path("")).await,
    }
}
