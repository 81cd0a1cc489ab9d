//! `keyward admin photon …`

use std::process::ExitCode;

use clap::Subcommand;

use crate::{Confirmation, Target, encode};

#[derive(Subcommand)]
pub enum PhotonCommand {
    /// Show a key: counters, locks, contacts. Shows no secrets and no addresses.
    Show {
        /// Id of the key.
        key_id: String,
        #[command(flatten)]
        target: Target,
    },
    /// Delete a key and its users. This cannot be undone.
    Delete {
        /// Id of the key.
        key_id: String,
        #[command(flatten)]
        confirmation: Confirmation,
        #[command(flatten)]
        target: Target,
    },
}

pub(crate) async fn run(command: PhotonCommand) -> Result<ExitCode, String> {
    let path = |id: &str| format!("/admin/v1/guarded-keys/{}", encode(id));
    match command {
        PhotonCommand::Show { key_id, target } => target.get(&path(&key_id)).await,
        PhotonCommand::Delete {
            key_id,
            confirmation,
            target,
        } => {
            confirmation.check(&target, "this deletes the key permanently")?;
            target.delete(&path(&key_id)).await
        }
    }
}
