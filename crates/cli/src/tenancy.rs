//! `keyward admin tenant|app|client|role|user|signing-key …`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::admin::show;
use crate::{Target, encode};

/// Which tenant and application a command is about.
#[derive(Args)]
pub struct InTenant {
    /// Id of the tenant.
    #[arg(long)]
    tenant: String,
    #[command(flatten)]
    target: Target,
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
    fn path(&self, rest: &str) -> String {
        format!("/admin/v1/tenants/{}{rest}", encode(&self.tenant))
    }
}

impl InApp {
    fn path(&self, rest: &str) -> String {
        self.within
            .path(&format!("/applications/{}{rest}", encode(&self.app)))
    }

    fn target(&self) -> &Target {
        &self.within.target
    }
}

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
        /// Confirm the command; required unless --json is given.
        #[arg(long)]
        yes: bool,
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
pub enum AppCommand {
    /// Create an application and a client with full access to it. Prints the secret, which is never shown again.
    Create {
        #[arg(long)]
        name: String,
        #[arg(long)]
        description: Option<String>,
        /// Accept only challenges that this server created.
        #[arg(long)]
        require_server_challenge: bool,
        #[command(flatten)]
        within: InTenant,
    },
    /// List the tenant's applications.
    List {
        #[command(flatten)]
        within: InTenant,
    },
    /// Change an application.
    Update {
        #[arg(long)]
        name: Option<String>,
        #[arg(long)]
        description: Option<String>,
        #[arg(long, value_name = "true|false")]
        require_server_challenge: Option<bool>,
        #[command(flatten)]
        inside: InApp,
    },
    /// Delete an application with its clients, memberships and device keys.
    Delete {
        #[command(flatten)]
        inside: InApp,
    },
}

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

impl ClientForm {
    fn json(&self) -> Value {
        let mut body = json!({ "name": self.name, "token_ttl": self.token_ttl });
        if !self.roles.is_empty() {
            body["role_ids"] = json!(self.roles);
        }
        body
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

impl RoleForm {
    fn json(&self) -> Value {
        json!({ "name": self.name, "description": self.description, "permissions": self.permissions })
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

#[derive(Subcommand)]
pub enum UserCommand {
    /// Create a person who is a member of the application.
    Create {
        #[arg(long, required_unless_present = "phone")]
        email: Option<String>,
        #[arg(long)]
        phone: Option<String>,
        #[arg(long)]
        external_id: Option<String>,
        #[arg(long)]
        username: Option<String>,
        #[command(flatten)]
        inside: InApp,
    },
    /// Show a member of the application.
    Show {
        user_id: String,
        #[command(flatten)]
        inside: InApp,
    },
    /// Add a person of the tenant to another application.
    Admit {
        user_id: String,
        #[command(flatten)]
        inside: InApp,
    },
    /// Remove a person from the application, with the person's device keys there.
    Expel {
        user_id: String,
        #[command(flatten)]
        inside: InApp,
    },
    /// Delete a person from the tenant.
    Delete {
        user_id: String,
        #[command(flatten)]
        within: InTenant,
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

pub(crate) async fn tenant(command: TenantCommand) -> Result<ExitCode, String> {
    match command {
        TenantCommand::Create { name, target } => {
            let made = target
                .connect()?
                .post("/admin/v1/tenants", &json!({ "name": name }))
                .await?;
            show(&target, &made)
        }
        TenantCommand::List { target } => {
            show(&target, &target.connect()?.get("/admin/v1/tenants").await?)
        }
        TenantCommand::Delete {
            tenant_id,
            yes,
            target,
        } => {
            if !yes && !target.json {
                return Err(
                    "this deletes the tenant and all its data permanently; add --yes to confirm"
                        .to_owned(),
                );
            }
            let path = format!("/admin/v1/tenants/{}", encode(&tenant_id));
            show(&target, &target.connect()?.delete(&path).await?)
        }
        TenantCommand::AddManager {
            tenant_id,
            name,
            target,
        } => {
            let path = format!("/admin/v1/tenants/{}/managers", encode(&tenant_id));
            let made = target
                .connect()?
                .post(&path, &json!({ "name": name }))
                .await?;
            show(&target, &made)
        }
    }
}

pub(crate) async fn app(command: AppCommand) -> Result<ExitCode, String> {
    match command {
        AppCommand::Create {
            name,
            description,
            require_server_challenge,
            within,
        } => {
            let form = json!({ "name": name, "description": description,
                "require_server_challenge": require_server_challenge });
            post(&within.target, &within.path("/applications"), &form).await
        }
        AppCommand::List { within } => get(&within.target, &within.path("/applications")).await,
        AppCommand::Update {
            name,
            description,
            require_server_challenge,
            inside,
        } => {
            let form = json!({ "name": name, "description": description,
                "require_server_challenge": require_server_challenge });
            put(inside.target(), &inside.path(""), &form).await
        }
        AppCommand::Delete { inside } => delete(inside.target(), &inside.path("")).await,
    }
}

pub(crate) async fn client(command: ClientCommand) -> Result<ExitCode, String> {
    let one = |client_id: &str| format!("/clients/{}", encode(client_id));
    match command {
        ClientCommand::Create { form, inside } => {
            post(inside.target(), &inside.path("/clients"), &form.json()).await
        }
        ClientCommand::List { inside } => get(inside.target(), &inside.path("/clients")).await,
        ClientCommand::Update {
            client_id,
            form,
            no_roles,
            inside,
        } => {
            let mut body = form.json();
            if no_roles {
                body["role_ids"] = json!([]);
            }
            put(inside.target(), &inside.path(&one(&client_id)), &body).await
        }
        ClientCommand::Disable { client_id, inside } => {
            let body = json!({ "disabled": true });
            put(inside.target(), &inside.path(&one(&client_id)), &body).await
        }
        ClientCommand::Enable { client_id, inside } => {
            let body = json!({ "disabled": false });
            put(inside.target(), &inside.path(&one(&client_id)), &body).await
        }
        ClientCommand::RotateSecret {
            client_id,
            overlap_seconds,
            inside,
        } => {
            let path = inside.path(&format!("{}/secret", one(&client_id)));
            post(
                inside.target(),
                &path,
                &json!({ "overlap_seconds": overlap_seconds }),
            )
            .await
        }
        ClientCommand::Delete { client_id, inside } => {
            delete(inside.target(), &inside.path(&one(&client_id))).await
        }
    }
}

pub(crate) async fn role(command: RoleCommand) -> Result<ExitCode, String> {
    let one = |role_id: &str| format!("/roles/{}", encode(role_id));
    match command {
        RoleCommand::Create { form, within } => {
            post(&within.target, &within.path("/roles"), &form.json()).await
        }
        RoleCommand::List { within } => get(&within.target, &within.path("/roles")).await,
        RoleCommand::Update {
            role_id,
            form,
            no_permissions,
            within,
        } => {
            let mut body = form.json();
            if form.permissions.is_empty() && !no_permissions {
                body["permissions"] = Value::Null;
            }
            put(&within.target, &within.path(&one(&role_id)), &body).await
        }
        RoleCommand::Delete { role_id, within } => {
            delete(&within.target, &within.path(&one(&role_id))).await
        }
    }
}

pub(crate) async fn user(command: UserCommand) -> Result<ExitCode, String> {
    let one = |user_id: &str| format!("/users/{}", encode(user_id));
    match command {
        UserCommand::Create {
            email,
            phone,
            external_id,
            username,
            inside,
        } => {
            let form = json!({ "email": email, "phone_number": phone,
                "external_user_id": external_id, "username": username });
            post(inside.target(), &inside.path("/users"), &form).await
        }
        UserCommand::Show { user_id, inside } => {
            get(inside.target(), &inside.path(&one(&user_id))).await
        }
        UserCommand::Admit { user_id, inside } => {
            put(inside.target(), &inside.path(&one(&user_id)), &json!({})).await
        }
        UserCommand::Expel { user_id, inside } => {
            delete(inside.target(), &inside.path(&one(&user_id))).await
        }
        UserCommand::Delete { user_id, within } => {
            delete(&within.target, &within.path(&one(&user_id))).await
        }
    }
}

pub(crate) async fn signing_key(command: SigningKeyCommand) -> Result<ExitCode, String> {
    let SigningKeyCommand::Rotate { target } = command;
    post(&target, "/admin/v1/signing-keys/rotate", &json!({})).await
}

async fn get(target: &Target, path: &str) -> Result<ExitCode, String> {
    show(target, &target.connect()?.get(path).await?)
}

async fn post(target: &Target, path: &str, body: &Value) -> Result<ExitCode, String> {
    show(target, &target.connect()?.post(path, body).await?)
}

async fn put(target: &Target, path: &str, body: &Value) -> Result<ExitCode, String> {
    show(target, &target.connect()?.put(path, body).await?)
}

async fn delete(target: &Target, path: &str) -> Result<ExitCode, String> {
    show(target, &target.connect()?.delete(path).await?)
}
