//! `keyward admin account …`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use crate::admin::show;
use crate::{Target, encode};

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
        /// Confirm the command; required unless --json is given.
        #[arg(long)]
        yes: bool,
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
        AccountCommand::Show { account_id, target } => {
            let state = target.connect()?.get(&path(&account_id, "")).await?;
            show(&target, &state)
        }
        AccountCommand::Unlock {
            account_id,
            class,
            target,
        } => {
            let wanted = json!({ "class": class });
            let path = path(&account_id, "/unlock");
            show(&target, &target.connect()?.post(&path, &wanted).await?)
        }
        AccountCommand::EndSessions { account_id, target } => {
            let path = path(&account_id, "/sessions");
            show(&target, &target.connect()?.delete(&path).await?)
        }
        AccountCommand::Erase {
            account_id,
            yes,
            target,
        } => {
            if !yes && !target.json {
                return Err("this erases the account permanently; add --yes to confirm".to_owned());
            }
            let path = path(&account_id, "");
            show(&target, &target.connect()?.delete(&path).await?)
        }
        AccountCommand::RotateKeys { target } => {
            let path = "/admin/v1/accounts/signing-keys/rotate";
            show(&target, &target.connect()?.post(path, &json!({})).await?)
        }
    }
}
