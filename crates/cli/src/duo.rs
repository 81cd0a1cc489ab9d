//! `keyward admin duo …`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use crate::{Target, encode};

#[derive(Subcommand)]
pub enum DuoCommand {
    /// List users, newest first, a hundred at a time.
    Users {
        /// Continue after this user: issuer and subject.
        #[arg(long, num_args = 2, value_names = ["ISSUER", "SUBJECT"])]
        after: Option<Vec<String>>,
        #[command(flatten)]
        target: Target,
    },
    /// List the devices and keys of a user.
    Devices {
        issuer: String,
        subject: String,
        #[command(flatten)]
        target: Target,
    },
    /// Deactivate a device.
    Deactivate {
        /// The device's public key: 130 hex digits.
        device_key: String,
        /// Confirm the command; required unless --json is given.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Remove a user's enrolled face or passkey. After that, whoever has a valid token of the user may enrol a new one.
    RemoveFace {
        issuer: String,
        subject: String,
        /// Confirm the command; required unless --json is given.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Erase a user with devices, face, keys and keyshares. This cannot be undone.
    Erase {
        issuer: String,
        subject: String,
        /// Confirm the command; required unless --json is given.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        target: Target,
    },
}

pub(crate) async fn run(command: DuoCommand) -> Result<ExitCode, String> {
    let query = |issuer: &str, subject: &str| {
        format!("?issuer={}&subject={}", encode(issuer), encode(subject))
    };
    let (target, answer) = match command {
        DuoCommand::Users { after, target } => {
            let behind = after.as_deref().and_then(|words| match words {
                [issuer, subject] => Some(query(issuer, subject)),
                _ => None,
            });
            let path = format!("/admin/v1/wallets/users{}", behind.unwrap_or_default());
            let answer = target.connect()?.get(&path).await?;
            (target, answer)
        }
        DuoCommand::Devices {
            issuer,
            subject,
            target,
        } => {
            let path = format!("/admin/v1/wallets/belongings{}", query(&issuer, &subject));
            let answer = target.connect()?.get(&path).await?;
            (target, answer)
        }
        DuoCommand::Deactivate {
            device_key,
            yes,
            target,
        } => {
            meant(yes, &target, "this deactivates the device")?;
            let path = "/admin/v1/wallets/devices/deactivate";
            let body = json!({ "device_key": device_key });
            let answer = target.connect()?.post(path, &body).await?;
            (target, answer)
        }
        DuoCommand::RemoveFace {
            issuer,
            subject,
            yes,
            target,
        } => {
            meant(
                yes,
                &target,
                "this lets anybody with a valid token of the user enrol a new face or passkey",
            )?;
            let path = "/admin/v1/wallets/enrolment/remove";
            let body = json!({ "issuer": issuer, "subject": subject });
            let answer = target.connect()?.post(path, &body).await?;
            (target, answer)
        }
        DuoCommand::Erase {
            issuer,
            subject,
            yes,
            target,
        } => {
            meant(yes, &target, "this erases the user permanently")?;
            let body = json!({ "issuer": issuer, "subject": subject });
            let answer = target
                .connect()?
                .post("/admin/v1/wallets/erase", &body)
                .await?;
            (target, answer)
        }
    };
    crate::admin::show(&target, &answer)
}

fn meant(yes: bool, target: &Target, what: &str) -> Result<(), String> {
    if yes || target.json {
        Ok(())
    } else {
        Err(format!("{what}; add --yes to confirm"))
    }
}
