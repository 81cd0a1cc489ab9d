//! `keyward admin role …`

use std::process::ExitCode;

use admin_wire::RoleRequest;
use clap::{Args, Subcommand};

use crate::encode;
use crate::place::InTenant;

#[derive(Args)]
pub struct RoleForm {
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    description: Option<String>,
    /// A permission, for example `devices:execute`; may be repeated.
    #[arg(long = "permission", value_name = "SUBJECT:VERB")]
    permissions: Vec<String>,
}

impl From<RoleForm> for RoleRequest {
    fn from(form: RoleForm) -> Self {
        Self {
            name: form.name,
            description: form.description,
            permissions: Some(form.permissions),
        }
    }
}

#[derive(Subcommand)]
pub enum RoleCommand {
    /// Create a role.
    Create {
        #[command(flatten)]
        form: RoleForm,
        #[command(flatten)]
        within: InTenant,
    },
    /// List the tenant's roles.
    List {
        #[command(flatten)]
        within: InTenant,
    },
    /// Change a role. The rights of its clients change at once. If you give any permission, it replaces all previous ones.
    Update {
        role_id: String,
        #[command(flatten)]
        form: RoleForm,
        /// Remove all permissions.
        #[arg(long, conflicts_with = "permissions")]
        no_permissions: bool,
        #[command(flatten)]
        within: InTenant,
    },
    /// Delete a role that no client uses.
    Delete {
        role_id: String,
        #[command(flatten)]
        within: InTenant,
    },
}

pub(crate) async fn run(command: RoleCommand) -> Result<ExitCode, String> {
    let path = |within: &InTenant, id: &str| within.path(&format!("/roles/{}", encode(id)));
    match command {
        RoleCommand::Create { form, within } => {
            let request = RoleRequest::from(form);
            within.target.post(&within.path("/roles"), &request).await
        }
        RoleCommand::List { within } => within.target.get(&within.path("/roles")).await,
        RoleCommand::Update {
            role_id,
            form,
            no_permissions,
            within,
        } => {
            let stay = form.permissions.is_empty() && !no_permissions;
            let mut request = RoleRequest::from(form);
            if stay {
                request.permissions = None;
            }
            within.target.put(&path(&within, &role_id), &request).await
        }
        RoleCommand::Delete { role_id, within } => {
            within.target.delete(&path(&within, &role_id)).await
        }
    }
}
