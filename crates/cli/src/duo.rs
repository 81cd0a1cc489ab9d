//! `keyward admin duo …`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use crate::{Target, encode};

#[derive(Subcommand)]
pub enum DuoCommand {
    /// Users, newest first, a hundred at a time.
    Users {
        /// Only users behind this one: issuer and subject.
        #[arg(long, num_args = 2, value_names = ["ISSUER", "SUBJECT"])]
        after: Option<Vec<String>>,
        #[command(flatten)]
        target: Target,
    },
    /// Devices and keys of a user.
    Devices {
        issuer: String,
        subject: String,
        #[command(flatten)]
        target: Target,
    },
    /// Switch a device off.
    Deactivate {
        /// 130 hex digits.
        device_key: String,
        /// Do it without asking.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Forget a user's enrolled face. Whoever has the next token may enrol another.
    RemoveFace {
        issuer: String,
        subject: String,
        /// Do it without asking.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Erase a user with devices, face, keys and keyshares. It cannot be brought back.
    Erase {
        issuer: String,
        subject: String,
        /// Do it without asking.
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
            meant(yes, &target, "this switches the device off")?;
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
            meant(yes, &target, "this lets the next token enrol another face")?;
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
            meant(yes, &target, "this erases the user for good")?;
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
        Err(format!("{what}; say --yes when you mean it"))
    }
}
