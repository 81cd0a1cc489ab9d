//! Where in a tenant something is.

use clap::Args;

use crate::{Target, encode};

/// Which tenant and application a command is about.
#[derive(Args)]
pub struct InTenant {
    /// Id of the tenant.
    #[arg(long)]
    tenant: String,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Args)]
pub struct InApp {
    /// Id of the application.
    #[arg(long)]
    app: String,
    #[command(flatten)]
    within: InTenant,
}

impl InTenant {
    /// The path of the tenant, followed by `rest`.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/admin/v1/tenants/{}{rest}", encode(&self.tenant))
    }
}

impl InApp {
    /// The path of the application, followed by `rest`.
    pub(crate) fn path(&self, rest: &str) -> String {
        self.within
            .path(&format!("/applications/{}{rest}", encode(&self.app)))
    }

    pub(crate) fn target(&self) -> &Target {
        &self.within.target
    }
}
