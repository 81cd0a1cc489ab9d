//! `keyward admin enceeper …`

use std::process::ExitCode;

use admin_wire::PlanChoice;
use clap::Subcommand;

use crate::{Confirmation, Target, encode};

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
        #[command(flatten)]
        confirmation: Confirmation,
        #[command(flatten)]
        target: Target,
    },
}

pub(crate) async fn run(command: EnceeperCommand) -> Result<ExitCode, String> {
    let path = |email: &str| format!("/admin/v1/vault-accounts/{}", encode(email));
    match command {
        EnceeperCommand::Show { email, target } => target.get(&path(&email)).await,
        EnceeperCommand::Plan {
            email,
            plan,
            target,
        } => {
            let path = format!("{}/plan", path(&email));
            target.put(&path, &PlanChoice { plan }).await
        }
        EnceeperCommand::Delete {
            email,
            confirmation,
            target,
        } => {
            confirmation.check(&target, "this deletes the account permanently")?;
            target.delete(&path(&email)).await
        }
    }
}
