//! `keyward admin user …`

use std::process::ExitCode;

use admin_wire::UserRequest;
use clap::Subcommand;
use serde_json::json;

use crate::encode;
use crate::place::{InApp, InTenant};

#[derive(Subcommand)]
pub enum UserCommand {
    /// Create a person who is a member of the application.
    Create {
        #[arg(long, required_unless_present = "phone")]
        email: Option<String>,
        #[arg(long)]
        phone: Option<String>,
        #[arg(long)]
        external_id: Option<String>,
        #[arg(long)]
        username: Option<String>,
        #[command(flatten)]
        inside: InApp,
    },
    /// Show a member of the application.
    Show {
        user_id: String,
        #[command(flatten)]
        inside: InApp,
    },
    /// Add a person of the tenant to another application.
    Admit {
        user_id: String,
        #[command(flatten)]
        inside: InApp,
    },
    /// Remove a person from the application, with the person's device keys there.
    Expel {
        user_id: String,
        #[command(flatten)]
        inside: InApp,
    },
    /// Delete a person from the tenant.
    Delete {
        user_id: String,
        #[command(flatten)]
        within: InTenant,
    },
}

pub(crate) async fn run(command: UserCommand) -> Result<ExitCode, String> {
    let path = |user_id: &str| format!("/users/{}", encode(user_id));
    match command {
        UserCommand::Create {
            email,
            phone,
            external_id,
            username,
            inside,
        } => {
            let request = UserRequest {
                email,
                phone_number: phone,
                external_user_id: external_id,
                username,
            };
            inside.target().post(&inside.path("/users"), &request).await
        }
        UserCommand::Show { user_id, inside } => {
            inside.target().get(&inside.path(&path(&user_id))).await
        }
        UserCommand::Admit { user_id, inside } => {
            let path = inside.path(&path(&user_id));
            inside.target().put(&path, &json!({})).await
        }
        UserCommand::Expel { user_id, inside } => {
            inside.target().delete(&inside.path(&path(&user_id))).await
        }
        UserCommand::Delete { user_id, within } => {
            within.target.delete(&within.path(&path(&user_id))).await
        }
    }
}
