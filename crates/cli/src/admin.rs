//! `keyward admin …`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use terminal::print;

use crate::duo::{self, DuoCommand};
use crate::enceeper::{self, EnceeperCommand};
use crate::{Target, account, encode, readable, tenancy};

#[derive(Subcommand)]
pub enum AdminCommand {
    /// Show the state of the server.
    Status(Common),
    /// PIN-guarded keys of the Photon surface.
    #[command(subcommand)]
    Photon(PhotonCommand),
    /// Users of the Duo surface, their devices, faces and passkeys.
    #[command(subcommand)]
    Duo(DuoCommand),
    /// Accounts of the Enceeper surface.
    #[command(subcommand)]
    Enceeper(EnceeperCommand),
    /// Accounts of the profile surface.
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Tenants: each has its own applications, clients, roles and people.
    #[command(subcommand)]
    Tenant(tenancy::TenantCommand),
    /// Applications of a tenant.
    #[command(subcommand)]
    App(tenancy::AppCommand),
    /// Clients of an application.
    #[command(subcommand)]
    Client(tenancy::ClientCommand),
    /// Roles that a tenant gives to its clients.
    #[command(subcommand)]
    Role(tenancy::RoleCommand),
    /// People of a tenant.
    #[command(subcommand)]
    User(tenancy::UserCommand),
    /// The keys that sign tokens of clients.
    #[command(subcommand)]
    SigningKey(tenancy::SigningKeyCommand),
    /// Import data from other servers.
    #[command(subcommand)]
    Import(ImportCommand),
    /// The audit trail.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Messages that the server sends.
    #[command(subcommand)]
    Messages(MessagesCommand),
}

#[derive(Args)]
pub struct Common {
    #[command(flatten)]
    target: Target,
}

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
        /// Confirm the command; required unless --json is given.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Subcommand)]
pub enum ImportCommand {
    /// Import the tables of an original Photon key server, as JSON lines (a `DynamoDB` export, or plain).
    Photon {
        /// The file to import; `-` reads standard input.
        file: PathBuf,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Verify the whole chain. Finds changed, moved, removed and cut-off rows; exits with status 1 if there are any.
    Verify(Common),
    /// Show the newest events, newest first.
    List {
        /// Only events about this alias or id.
        #[arg(long)]
        subject: Option<String>,
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Subcommand)]
pub enum MessagesCommand {
    /// Show the text of a message, without sending it.
    Preview {
        /// The operation of the message, for example `recovery_started`.
        operation: String,
        #[arg(long, default_value = "en")]
        language: String,
        /// `EMAIL` or `SMS`.
        #[arg(long, default_value = "EMAIL")]
        channel: String,
        #[command(flatten)]
        target: Target,
    },
}

pub async fn run(command: AdminCommand) -> Result<ExitCode, String> {
    match command {
        AdminCommand::Status(Common { target }) => {
            show(&target, &target.connect()?.get("/admin/v1/status").await?)
        }
        AdminCommand::Photon(command) => photon(command).await,
        AdminCommand::Duo(command) => duo::run(command).await,
        AdminCommand::Enceeper(command) => enceeper::run(command).await,
        AdminCommand::Account(command) => account::run(command).await,
        AdminCommand::Tenant(command) => tenancy::tenant(command).await,
        AdminCommand::App(command) => tenancy::app(command).await,
        AdminCommand::Client(command) => tenancy::client(command).await,
        AdminCommand::Role(command) => tenancy::role(command).await,
        AdminCommand::User(command) => tenancy::user(command).await,
        AdminCommand::SigningKey(command) => tenancy::signing_key(command).await,
        AdminCommand::Import(ImportCommand::Photon { file, target }) => {
            import(&file, &target).await
        }
        AdminCommand::Audit(command) => audit(command).await,
        AdminCommand::Messages(MessagesCommand::Preview {
            operation,
            language,
            channel,
            target,
        }) => {
            let wanted =
                json!({ "operation": operation, "language": language, "channel": channel });
            show(
                &target,
                &target
                    .connect()?
                    .post("/admin/v1/messages/preview", &wanted)
                    .await?,
            )
        }
    }
}

async fn photon(command: PhotonCommand) -> Result<ExitCode, String> {
    match command {
        PhotonCommand::Show { key_id, target } => {
            let path = format!("/admin/v1/guarded-keys/{}", encode(&key_id));
            show(&target, &target.connect()?.get(&path).await?)
        }
        PhotonCommand::Delete {
            key_id,
            yes,
            target,
        } => {
            if !yes && !target.json {
                return Err("this deletes the key permanently; add --yes to confirm".to_owned());
            }
            let path = format!("/admin/v1/guarded-keys/{}", encode(&key_id));
            show(&target, &target.connect()?.delete(&path).await?)
        }
    }
}

/// How many lines one call sends.
const LINES: usize = 1000;

async fn import(file: &std::path::Path, target: &Target) -> Result<ExitCode, String> {
    let text = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).map_err(|error| error.to_string())?
    } else {
        std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?
    };
    let server = target.connect()?;
    let lines: Vec<&str> = text.lines().collect();
    let mut all = json!({ "keys": 0, "users": 0, "skipped": 0, "failed": [] });
    for (nth, part) in lines.chunks(LINES).enumerate() {
        let done = server
            .post_text("/admin/v1/import/photon", part.join("\n"))
            .await?;
        add(&mut all, &done, nth * LINES);
    }
    let failed = all["failed"]
        .as_array()
        .is_some_and(|failed| !failed.is_empty());
    show(target, &all)?;
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Adds the counts of one call; converts its line numbers to those of the whole file.
fn add(all: &mut Value, done: &Value, before: usize) {
    for name in ["keys", "users", "skipped"] {
        let sum = all[name].as_u64().unwrap_or(0) + done[name].as_u64().unwrap_or(0);
        all[name] = Value::from(sum);
    }
    let failed = done["failed"].as_array().cloned().unwrap_or_default();
    for mut line in failed {
        line["line"] = Value::from(line["line"].as_u64().unwrap_or(0) + before as u64);
        if let Some(list) = all["failed"].as_array_mut() {
            list.push(line);
        }
    }
}

async fn audit(command: AuditCommand) -> Result<ExitCode, String> {
    match command {
        AuditCommand::Verify(Common { target }) => {
            let verdict = target
                .connect()?
                .post("/admin/v1/audit/verify", &json!({}))
                .await?;
            let sound = verdict["findings"].as_array().is_some_and(Vec::is_empty);
            show(&target, &verdict)?;
            Ok(if sound {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        AuditCommand::List {
            subject,
            limit,
            target,
        } => {
            let mut path = format!("/admin/v1/audit/events?limit={limit}");
            if let Some(subject) = subject {
                path.push_str(&format!("&subject={}", encode(&subject)));
            }
            show(&target, &target.connect()?.get(&path).await?)
        }
    }
}

pub(crate) fn show(target: &Target, value: &Value) -> Result<ExitCode, String> {
    if target.json {
        print(&value.to_string())
    } else {
        print(&readable(value, 0))
    }
}
