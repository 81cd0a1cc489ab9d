//! `keyward admin tenant|signing-key …`

use std::process::ExitCode;

use admin_wire::Name;
use clap::Subcommand;
use serde_json::json;

use crate::{Confirmation, Target, encode};

#[derive(Subcommand)]
pub enum TenantCommand {
    /// Create a tenant. Prints its management client and the client's secret, which is never shown again.
    Create {
        #[arg(long)]
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// List all tenants.
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Delete a tenant and everything in it. Only a backup from before contains it.
    Delete {
        tenant_id: String,
        #[command(flatten)]
        confirmation: Confirmation,
        #[command(flatten)]
        target: Target,
    },
    /// Create another management client. Prints its secret, which is never shown again.
    AddManager {
        tenant_id: String,
        #[arg(long, default_value = "Management")]
        name: String,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Subcommand)]
pub enum SigningKeyCommand {
    /// Sign tokens of clients with a new key from now on. Tokens that were issued before stay valid until they expire.
    Rotate {
        #[command(flatten)]
        target: Target,
    },
}

pub(crate) async fn run(command: TenantCommand) -> Result<ExitCode, String> {
    let path = |id: &str, rest: &str| format!("/admin/v1/tenants/{}{rest}", encode(id));
    match command {
        TenantCommand::Create { name, target } => {
            target.post("/admin/v1/tenants", &Name { name }).await
        }
        TenantCommand::List { target } => target.get("/admin/v1/tenants").await,
        TenantCommand::Delete {
            tenant_id,
            confirmation,
            target,
        } => {
            confirmation.check(&target, "this deletes the tenant permanently")?;
            target.delete(&path(&tenant_id, "")).await
        }
        TenantCommand::AddManager {
            tenant_id,
            name,
            target,
        } => {
            target
                .post(&path(&tenant_id, "/managers"), &Name { name })
                .await
        }
    }
}

pub(crate) async fn signing_key(command: SigningKeyCommand) -> Result<ExitCode, String> {
    let SigningKeyCommand::Rotate { target } = command;
    target
        .post("/admin/v1/signing-keys/rotate", &json!({}))
        .await
}
