//! `keyward admin account …`

use std::process::ExitCode;

use admin_wire::Unlock;
use clap::Subcommand;
use serde_json::json;

use crate::{Confirmation, Target, encode};

#[derive(Subcommand)]
pub enum AccountCommand {
    /// Show an account: masked addresses, second steps, locks. Shows no secrets.
    Show {
        /// Id of the account: the claim `sub` of its tokens.
        account_id: String,
        #[command(flatten)]
        target: Target,
    },
    /// Clear the count of wrong codes of one class of operations.
    Unlock {
        /// Id of the account.
        account_id: String,
        /// The class: `login` (also clears wrong passwords), `password-recovery` or `signed-in`.
        #[arg(long)]
        class: String,
        #[command(flatten)]
        target: Target,
    },
    /// End all sessions of an account.
    EndSessions {
        /// Id of the account.
        account_id: String,
        #[command(flatten)]
        target: Target,
    },
    /// Erase an account and its sessions permanently. Its addresses become free. Its wallet stays
    /// (`keyward admin duo erase self ACCOUNT_ID`).
    Erase {
        /// Id of the account.
        account_id: String,
        #[command(flatten)]
        confirmation: Confirmation,
        #[command(flatten)]
        target: Target,
    },
    /// Sign accounts' tokens with new keys from now on. Nobody is logged out.
    RotateKeys {
        #[command(flatten)]
        target: Target,
    },
}

pub(crate) async fn run(command: AccountCommand) -> Result<ExitCode, String> {
    let path = |id: &str, rest: &str| format!("/admin/v1/accounts/{}{rest}", encode(id));
    match command {
        AccountCommand::Show { account_id, target } => target.get(&path(&account_id, "")).await,
        AccountCommand::Unlock {
            account_id,
            class,
            target,
        } => {
            target
                .post(&path(&account_id, "/unlock"), &Unlock { class })
                .await
        }
        AccountCommand::EndSessions { account_id, target } => {
            target.delete(&path(&account_id, "/sessions")).await
        }
        AccountCommand::Erase {
            account_id,
            confirmation,
            target,
        } => {
            confirmation.check(&target, "this erases the account permanently")?;
            target.delete(&path(&account_id, "")).await
        }
        AccountCommand::RotateKeys { target } => {
            let path = "/admin/v1/accounts/signing-keys/rotate";
            target.post(path, &json!({})).await
        }
    }
}
