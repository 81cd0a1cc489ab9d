//! Clients: the programs of a tenant's back end, and the rights they have at this moment.
//!
//! A client's row repeats what every call needs: its application's name and setting, and the union of its roles'
//! permissions. Every change of an application or a role also changes the rows of its clients in the same transaction.
//! So one row tells the rights of this moment, without a read for each role.

mod create;
mod form;
mod key;
mod manage;
mod roles;
mod secret;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use form::{ClientChange, ClientForm, ClientView, NewSecret};
pub use key::AssertionKey;
pub(crate) use secret::{Authentication, SecretHash};

use super::application::Application;
use super::permission::{Permission, Rights, Standing};
use super::role::Role;
use super::{ApplicationId, ClientId, RoleId, TenantId};
use crate::core::port::store::Kind;
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;

/// The record of a client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Client {
    pub(crate) tenant: TenantId,
    pub(crate) application: ApplicationId,
    pub(crate) application_name: String,
    pub(crate) server_challenges_only: bool,
    /// Whether its application is a management application.
    pub(crate) manager: bool,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) roles: Vec<RoleId>,
    pub(crate) role_names: Vec<String>,
    /// The union over the roles; without any role, everything in the own application.
    pub(crate) permissions: Vec<Permission>,
    /// Seconds that a token lives.
    pub(crate) token_life: u32,
    pub(crate) resources: Vec<String>,
    pub(crate) secrets: Vec<SecretHash>,
    pub(crate) keys: Vec<AssertionKey>,
    pub(crate) disabled: bool,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

impl Record for Client {
    const KIND: Kind = "client";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

impl Client {
    /// A client without roles.
    fn new(
        application: &Stored<Application>,
        form: ClientForm,
        secret: &SecretText,
        now: Timestamp,
    ) -> Self {
        let mut client = Self {
            tenant: application.tenant,
            application: ApplicationId::of(application.key()),
            application_name: application.name.clone(),
            server_challenges_only: application.server_challenges_only,
            manager: application.management,
            name: form.name,
            description: form.description,
            redirect_uris: form.redirect_uris,
            roles: Vec::new(),
            role_names: Vec::new(),
            permissions: Vec::new(),
            token_life: form.token_life,
            resources: form.resources,
            secrets: vec![SecretHash::of(secret)],
            keys: form.keys,
            disabled: false,
            created: now,
            updated: now,
        };
        client.set_roles(&[]);
        client
    }

    fn is_of(&self, tenant: TenantId, application: ApplicationId) -> bool {
        self.tenant == tenant && self.application == application
    }

    /// Copies the values of the application that every call needs.
    pub(crate) fn copy_from(&mut self, application: &Application) {
        self.application_name.clone_from(&application.name);
        self.server_challenges_only = application.server_challenges_only;
    }

    /// Gives the client these roles instead of those before, with the union of their permissions. A client without
    /// roles may do everything in its own application, unless it manages the tenant.
    pub(crate) fn set_roles(&mut self, roles: &[Stored<Role>]) {
        self.roles = roles.iter().map(|role| RoleId::of(role.key())).collect();
        self.role_names = roles.iter().map(|role| role.name.clone()).collect();
        self.permissions = if roles.is_empty() && !self.manager {
            Permission::full_access()
        } else {
            let every = roles.iter().flat_map(|role| &role.permissions);
            let mut union: Vec<Permission> = every.cloned().collect();
            union.sort();
            union.dedup();
            union
        };
    }

    /// Changes everything but the roles.
    fn change(&mut self, change: ClientChange, now: Timestamp) {
        replace(&mut self.name, change.name);
        if let Some(description) = change.description {
            self.description = Some(description);
        }
        replace(&mut self.redirect_uris, change.redirect_uris);
        replace(&mut self.token_life, change.token_life);
        replace(&mut self.resources, change.resources);
        replace(&mut self.keys, change.keys);
        replace(&mut self.disabled, change.disabled);
        self.updated = now;
    }

    /// The rights that this client has now with a token that carries these permissions: what both cover.
    pub(crate) fn standing(&self, id: ClientId, token: &[String]) -> Standing {
        let own = Rights::of(
            self.permissions.iter().map(Permission::as_str),
            self.application,
        );
        let carried = Rights::of(token.iter().map(String::as_str), self.application);
        Standing {
            tenant: self.tenant,
            application: self.application,
            application_name: self.application_name.clone(),
            client: id,
            operator: None,
            manager: self.manager,
            server_challenges_only: self.server_challenges_only,
            rights: own & carried,
        }
    }

    pub(crate) fn present_secret(&self, now: Timestamp, presented: &SecretText) -> Authentication {
        secret::compare(&self.secrets, now, presented)
    }

    /// The work of [`Client::present_secret`], for a client that does not exist.
    pub(crate) fn pretend_to_compare(presented: &SecretText) -> Authentication {
        secret::pretend_to_compare(presented)
    }

    fn rotate_secret(&mut self, now: Timestamp, overlap: Duration, new: &SecretText) {
        secret::rotate(&mut self.secrets, now, overlap, new);
    }
}

fn replace<T>(value: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *value = new;
    }
}

#[cfg(test)]
pub(crate) mod tests;
