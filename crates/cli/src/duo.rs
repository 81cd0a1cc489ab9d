//! `keyward admin duo …`

use std::process::ExitCode;

use admin_wire::{DeviceKey, WalletUser};
use clap::Subcommand;

use crate::{Confirmation, Target, encode};

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
        #[command(flatten)]
        confirmation: Confirmation,
        #[command(flatten)]
        target: Target,
    },
    /// Remove a user's enrolled face or passkey. After that, whoever has a valid token of the user may enrol a new one.
    RemoveFace {
        issuer: String,
        subject: String,
        #[command(flatten)]
        confirmation: Confirmation,
        #[command(flatten)]
        target: Target,
    },
    /// Erase a user with devices, face, keys and keyshares. This cannot be undone.
    Erase {
        issuer: String,
        subject: String,
        #[command(flatten)]
        confirmation: Confirmation,
        #[command(flatten)]
        target: Target,
    },
}

pub(crate) async fn run(command: DuoCommand) -> Result<ExitCode, String> {
    match command {
        DuoCommand::Users { after, target } => {
            let query = after.as_deref().and_then(|words| match words {
                [issuer, subject] => Some(query(issuer, subject)),
                _ => None,
            });
            let query = query.unwrap_or_default();
            target.get(&format!("/admin/v1/wallets/users{query}")).await
        }
        DuoCommand::Devices {
            issuer,
            subject,
            target,
        } => {
            let query = query(&issuer, &subject);
            target
                .get(&format!("/admin/v1/wallets/belongings{query}"))
                .await
        }
        DuoCommand::Deactivate {
            device_key,
            confirmation,
            target,
        } => {
            confirmation.check(&target, "this deactivates the device")?;
            let path = "/admin/v1/wallets/devices/deactivate";
            target.post(path, &DeviceKey { device_key }).await
        }
        DuoCommand::RemoveFace {
            issuer,
            subject,
            confirmation,
            target,
        } => {
            confirmation.check(
                &target,
                "this lets anybody with a valid token of the user enrol a new face or passkey",
            )?;
            let path = "/admin/v1/wallets/enrolment/remove";
            target.post(path, &WalletUser { issuer, subject }).await
        }
        DuoCommand::Erase {
            issuer,
            subject,
            confirmation,
            target,
        } => {
            confirmation.check(&target, "this erases the user permanently")?;
            let path = "/admin/v1/wallets/erase";
            target.post(path, &WalletUser { issuer, subject }).await
        }
    }
}

fn query(issuer: &str, subject: &str) -> String {
    format!("?issuer={}&subject={}", encode(issuer), encode(subject))
}
