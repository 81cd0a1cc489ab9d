//! What is asked and told about clients.

use super::{AssertionKey, Client};
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::tenant::{ApplicationId, ClientId, RoleId, TenantId};

/// A new client. By default it has no roles, and so full access to its own application, and its tokens live an hour.
#[derive(Debug, Clone)]
pub struct ClientForm {
    pub name: String,
    pub description: Option<String>,
    pub redirect_uris: Vec<String>,
    pub roles: Vec<RoleId>,
    /// Seconds that a token lives.
    pub token_life: u32,
    pub resources: Vec<String>,
    pub keys: Vec<AssertionKey>,
}

impl Default for ClientForm {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            description: None,
            redirect_uris: Vec::new(),
            roles: Vec::new(),
            token_life: 3600,
            resources: Vec::new(),
            keys: Vec::new(),
        }
    }
}

impl ClientForm {
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }
}

/// What to change. `None` leaves a value as it is.
#[derive(Debug, Clone, Default)]
pub struct ClientChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub redirect_uris: Option<Vec<String>>,
    pub roles: Option<Vec<RoleId>>,
    pub token_life: Option<u32>,
    pub resources: Option<Vec<String>>,
    pub keys: Option<Vec<AssertionKey>>,
    /// Whether its tokens and its secrets are refused until it is enabled again.
    pub disabled: Option<bool>,
}

/// A new secret. It is returned only here.
#[derive(Debug)]
pub struct NewSecret {
    pub client: ClientId,
    pub secret: SecretText,
    pub view: ClientView,
}

/// A client as its manager sees it: without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientView {
    pub id: ClientId,
    pub tenant: TenantId,
    pub application: ApplicationId,
    pub name: String,
    pub description: Option<String>,
    pub redirect_uris: Vec<String>,
    pub roles: Vec<RoleId>,
    pub token_life: u32,
    pub resources: Vec<String>,
    pub keys: Vec<AssertionKey>,
    pub disabled: bool,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl ClientView {
    pub(super) fn of(id: ClientId, client: &Client) -> Self {
        let this = client.clone();
        Self {
            id,
            tenant: this.tenant,
            application: this.application,
            name: this.name,
            description: this.description,
            redirect_uris: this.redirect_uris,
            roles: this.roles,
            token_life: this.token_life,
            resources: this.resources,
            keys: this.keys,
            disabled: this.disabled,
            created: this.created,
            updated: this.updated,
        }
    }
}
