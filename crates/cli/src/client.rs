//! `keyward admin client …`

use std::process::ExitCode;

use admin_wire::{ClientRequest, SecretRotation};
use clap::{Args, Subcommand};

use crate::encode;
use crate::place::InApp;

#[derive(Args)]
pub struct ClientForm {
    #[arg(long)]
    name: Option<String>,
    /// Id of a role; may be repeated. Without any role the client has full access to the application.
    #[arg(long = "role", value_name = "ROLE_ID")]
    roles: Vec<String>,
    /// Lifetime of a token in seconds.
    #[arg(long)]
    token_ttl: Option<u32>,
}

impl From<ClientForm> for ClientRequest {
    fn from(form: ClientForm) -> Self {
        Self {
            name: form.name,
            role_ids: (!form.roles.is_empty()).then_some(form.roles),
            token_ttl: form.token_ttl,
            disabled: None,
        }
    }
}

#[derive(Subcommand)]
pub enum ClientCommand {
    /// Create a client. Prints its secret, which is never shown again.
    Create {
        #[command(flatten)]
        form: ClientForm,
        #[command(flatten)]
        inside: InApp,
    },
    /// List the application's clients.
    List {
        #[command(flatten)]
        inside: InApp,
    },
    /// Change a client. What you leave out stays as it is.
    Update {
        client_id: String,
        #[command(flatten)]
        form: ClientForm,
        /// Remove all roles. The client then has full access to the application.
        #[arg(long, conflicts_with = "roles")]
        no_roles: bool,
        #[command(flatten)]
        inside: InApp,
    },
    /// Disable a client: its tokens and secrets are refused.
    Disable {
        client_id: String,
        #[command(flatten)]
        inside: InApp,
    },
    /// Enable a disabled client.
    Enable {
        client_id: String,
        #[command(flatten)]
        inside: InApp,
    },
    /// Create a new secret for a client. Prints it once; the previous ones stay valid for some time.
    RotateSecret {
        client_id: String,
        /// Seconds for which the previous secrets stay valid.
        #[arg(long, default_value_t = 86_400)]
        overlap_seconds: u64,
        #[command(flatten)]
        inside: InApp,
    },
    /// Delete a client. Its tokens are refused from then on.
    Delete {
        client_id: String,
        #[command(flatten)]
        inside: InApp,
    },
}

pub(crate) async fn run(command: ClientCommand) -> Result<ExitCode, String> {
    let path = |inside: &InApp, id: &str| inside.path(&format!("/clients/{}", encode(id)));
    match command {
        ClientCommand::Create { form, inside } => {
            let request = ClientRequest::from(form);
            inside
                .target()
                .post(&inside.path("/clients"), &request)
                .await
        }
        ClientCommand::List { inside } => inside.target().get(&inside.path("/clients")).await,
        ClientCommand::Update {
            client_id,
            form,
            no_roles,
            inside,
        } => {
            let mut request = ClientRequest::from(form);
            if no_roles {
                request.role_ids = Some(Vec::new());
            }
            inside
                .target()
                .put(&path(&inside, &client_id), &request)
                .await
        }
        ClientCommand::Disable { client_id, inside } => {
            let request = ClientRequest {
                disabled: Some(true),
                ..ClientRequest::default()
            };
            inside
                .target()
                .put(&path(&inside, &client_id), &request)
                .await
        }
        ClientCommand::Enable { client_id, inside } => {
            let request = ClientRequest {
                disabled: Some(false),
                ..ClientRequest::default()
            };
            inside
                .target()
                .put(&path(&inside, &client_id), &request)
                .await
        }
        ClientCommand::RotateSecret {
            client_id,
            overlap_seconds,
            inside,
        } => {
            let path = format!("{}/secret", path(&inside, &client_id));
            let request = SecretRotation {
                overlap_seconds: Some(overlap_seconds),
            };
            inside.target().post(&path, &request).await
        }
        ClientCommand::Delete { client_id, inside } => {
            inside.target().delete(&path(&inside, &client_id)).await
        }
    }
}
