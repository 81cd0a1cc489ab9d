//! `keyward admin enceeper …`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use crate::{Target, encode};

#[derive(Subcommand)]
pub enum EnceeperCommand {
    /// State of an account: plan, counts, fingerprint of its public key. Nothing of what is in it.
    Show {
        /// E-mail address of the account.
        email: String,
        #[command(flatten)]
        target: Target,
    },
    /// Give an account a plan of the configuration. It counts at once.
    Plan {
        /// E-mail address of the account.
        email: String,
        /// Name of the plan; without one the account has the default plan again.
        plan: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Delete an account with everything of it. It cannot be brought back.
    Delete {
        /// E-mail address of the account.
        email: String,
        /// Do it without asking.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        target: Target,
    },
}

pub(crate) async fn run(command: EnceeperCommand) -> Result<ExitCode, String> {
    let path = |email: &str| format!("/admin/v1/vault-accounts/{}", encode(email));
    match command {
        EnceeperCommand::Show { email, target } => {
            let state = target.connect()?.get(&path(&email)).await?;
            crate::admin::show(&target, &state)
        }
        EnceeperCommand::Plan {
            email,
            plan,
            target,
        } => {
            let path = format!("{}/plan", path(&email));
            let state = target
                .connect()?
                .put(&path, &json!({ "plan": plan }))
                .await?;
            crate::admin::show(&target, &state)
        }
        EnceeperCommand::Delete { email, yes, target } => {
            if !yes && !target.json {
                return Err(
                    "this deletes the account for good; say --yes when you mean it".to_owned(),
                );
            }
            let deleted = target.connect()?.delete(&path(&email)).await?;
            crate::admin::show(&target, &deleted)
        }
    }
}
