//! `keyward admin …`

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::{
    Target, account, app, audit, client, duo, enceeper, import, message, photon, role, tenant, user,
};

#[derive(Subcommand)]
pub enum AdminCommand {
    /// Show the state of the server.
    Status(Common),
    /// PIN-guarded keys of the Photon surface.
    #[command(subcommand)]
    Photon(photon::PhotonCommand),
    /// Users of the Duo surface, their devices, faces and passkeys.
    #[command(subcommand)]
    Duo(duo::DuoCommand),
    /// Accounts of the Enceeper surface.
    #[command(subcommand)]
    Enceeper(enceeper::EnceeperCommand),
    /// Accounts of the profile surface.
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Tenants: each has its own applications, clients, roles and people.
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Applications of a tenant.
    #[command(subcommand)]
    App(app::AppCommand),
    /// Clients of an application.
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Roles that a tenant gives to its clients.
    #[command(subcommand)]
    Role(role::RoleCommand),
    /// People of a tenant.
    #[command(subcommand)]
    User(user::UserCommand),
    /// The keys that sign tokens of clients.
    #[command(subcommand)]
    SigningKey(tenant::SigningKeyCommand),
    /// Import data from other servers.
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// The audit trail.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Messages that the server sends.
    #[command(subcommand)]
    Messages(message::MessagesCommand),
}

#[derive(Args)]
pub struct Common {
    #[command(flatten)]
    pub(crate) target: Target,
}

pub async fn run(command: AdminCommand) -> Result<ExitCode, String> {
    match command {
        AdminCommand::Status(Common { target }) => target.get("/admin/v1/status").await,
        AdminCommand::Photon(command) => photon::run(command).await,
        AdminCommand::Duo(command) => duo::run(command).await,
        AdminCommand::Enceeper(command) => enceeper::run(command).await,
        AdminCommand::Account(command) => account::run(command).await,
        AdminCommand::Tenant(command) => tenant::run(command).await,
        AdminCommand::App(command) => app::run(command).await,
        AdminCommand::Client(command) => client::run(command).await,
        AdminCommand::Role(command) => role::run(command).await,
        AdminCommand::User(command) => user::run(command).await,
        AdminCommand::SigningKey(command) => tenant::signing_key(command).await,
        AdminCommand::Import(command) => import::run(command).await,
        AdminCommand::Audit(command) => audit::run(command).await,
        AdminCommand::Messages(command) => message::run(command).await,
    }
}
