//! `keyward admin enceeper …`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use crate::{Target, encode};

#[derive(Subcommand)]
pub enum EnceeperCommand {
    /// Show an account: plan, counts, fingerprint of its public key. Shows nothing of its content.
    Show {
        /// E-mail address of the account.
        email: String,
        #[command(flatten)]
        target: Target,
    },
    /// Assign a plan from the configuration to an account. It applies at once.
    Plan {
        /// E-mail address of the account.
        email: String,
        /// Name of the plan. If you leave it out, the account gets the default plan.
        plan: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Delete an account and all its data. This cannot be undone.
    Delete {
        /// E-mail address of the account.
        email: String,
        /// Confirm the command; required unless --json is given.
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
                return Err("this deletes the account permanently; add --yes to confirm".to_owned());
            }
            let deleted = target.connect()?.delete(&path(&email)).await?;
            crate::admin::show(&target, &deleted)
        }
    }
}
