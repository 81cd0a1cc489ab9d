//! Roles: named lists of permissions that a tenant gives to its clients.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::client::Client;
use super::{ClientId, RoleId, TenantId, check_text};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::port::store::{Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::tenant::Tenants;
use crate::tenant::permission::{Grant, Manage, Permission};
use crate::trail::audit::Event;

/// The record of a role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Role {
    pub(crate) tenant: TenantId,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) permissions: Vec<Permission>,
    created: Timestamp,
}

impl Record for Role {
    const KIND: Kind = "role";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// That a client has a role: a row of its own, owned by the role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RoleUse {
    pub(crate) client: ClientId,
}

impl Record for RoleUse {
    const KIND: Kind = "role_use";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// Holds a role's name within its tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RoleName {
    role: RoleId,
}

impl Record for RoleName {
    const KIND: Kind = "role_name";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// A role to make, or what to make of one.
#[derive(Debug, Clone, Default)]
pub struct RoleForm {
    pub name: Option<String>,
    pub description: Option<String>,
    pub permissions: Option<Vec<Permission>>,
}

/// A role as its manager sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleView {
    pub id: RoleId,
    pub name: String,
    pub description: Option<String>,
    pub permissions: Vec<Permission>,
}

impl RoleView {
    fn of(stored: Stored<Role>) -> Self {
        let id = RoleId(stored.id());
        let Role {
            name,
            description,
            permissions,
            ..
        } = stored.value;
        Self {
            id,
            name,
            description,
            permissions,
        }
    }
}

impl Tenants {
    /// Makes a role. `Conflict` if its name is taken in the tenant.
    pub async fn create_role(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        form: RoleForm,
    ) -> Result<RoleView, Error> {
        let name = form.name.clone().ok_or(Refusal::Invalid {
            field: "role_name",
            why: "must be given",
        })?;
        check_text("role_name", &name)?;
        let now = self.now();
        let tenant = grant.tenant();
        self.write(move |hub, tx| {
            let id = RoleId(hub.rows.random_id());
            hub.name_role(tx, tenant, id, &name)?;
            let role = Role {
                tenant,
                name: name.clone(),
                description: form.description.clone(),
                permissions: form.permissions.clone().unwrap_or_default(),
                created: now,
            };
            let place = Place::at(id.0)
                .of(hub.roles_row(tenant))
                .ranked(now.millis());
            let stored = hub.rows.create(tx, tenant.scope(), place, role)?;
            let event = Event::new(surface, now, "role.create", id.to_string());
            hub.record(tx, event.fact("by", grant.actor()))?;
            Ok(RoleView::of(stored))
        })
        .await
    }

    /// The tenant's roles, oldest first.
    pub async fn list_roles(
        self: &Arc<Self>,
        grant: Grant<Manage>,
    ) -> Result<Vec<RoleView>, Error> {
        self.read(move |hub, tx| {
            let owner = hub.roles_row(grant.tenant());
            let roles = hub.rows.children::<Role>(tx, &owner, Page::ALL)?;
            Ok(roles.into_iter().map(RoleView::of).collect())
        })
        .await
    }

    /// Changes a role, and in the same transaction the rights of every client that has it.
    pub async fn change_role(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        id: RoleId,
        form: RoleForm,
    ) -> Result<RoleView, Error> {
        if let Some(name) = &form.name {
            check_text("role_name", name)?;
        }
        let now = self.now();
        self.write(move |hub, tx| {
            let mut role = hub.own_role(tx, grant.tenant(), id)?;
            let form = form.clone();
            if let Some(name) = form.name.filter(|name| *name != role.name) {
                hub.name_role(tx, grant.tenant(), id, &name)?;
                hub.rows
                    .remove::<RoleName>(tx, &hub.role_name_row(grant.tenant(), &role.name))?;
                role.name = name;
            }
            role.description = form.description.or(role.value.description.take());
            role.permissions = form
                .permissions
                .unwrap_or(std::mem::take(&mut role.value.permissions));
            hub.rows.put(tx, &mut role)?;
            for used in hub.rows.children::<RoleUse>(tx, &id.0, Page::ALL)? {
                if let Some(mut client) = hub.rows.get::<Client>(tx, &used.client.0)? {
                    hub.materialise(tx, &mut client)?;
                    hub.rows.put(tx, &mut client)?;
                }
            }
            let event = Event::new(surface, now, "role.change", id.to_string());
            hub.record(tx, event.fact("by", grant.actor()))?;
            Ok(RoleView::of(role))
        })
        .await
    }

    /// Deletes a role. `Conflict` while a client has it.
    pub async fn delete_role(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        id: RoleId,
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let role = hub.own_role(tx, grant.tenant(), id)?;
            if tx.count_children(RoleUse::KIND, &id.0)? > 0 {
                return Err(Refusal::Conflict.into());
            }
            hub.rows
                .remove::<RoleName>(tx, &hub.role_name_row(grant.tenant(), &role.name))?;
            hub.rows.remove::<Role>(tx, &id.0)?;
            let event = Event::new(surface, now, "role.delete", id.to_string());
            hub.record(tx, event.fact("by", grant.actor()))
        })
        .await
    }

    pub(crate) fn role_use_row(&self, role: RoleId, client: ClientId) -> RowId {
        self.rows.id(RoleUse::KIND, &[&role.0.0, &client.0.0])
    }

    fn own_role(&self, tx: &mut dyn Tx, tenant: TenantId, id: RoleId) -> TxResult<Stored<Role>> {
        let found = self.rows.get::<Role>(tx, &id.0)?;
        found
            .filter(|found| found.tenant == tenant)
            .ok_or_else(|| Refusal::UnknownSubject.into())
    }

    fn name_role(
        &self,
        tx: &mut dyn Tx,
        tenant: TenantId,
        role: RoleId,
        name: &str,
    ) -> TxResult<()> {
        let row = self.role_name_row(tenant, name);
        if self.rows.peek::<RoleName>(tx, &row)?.is_some() {
            return Err(Refusal::Conflict.into());
        }
        self.rows
            .create(tx, tenant.scope(), Place::at(row), RoleName { role })?;
        Ok(())
    }

    pub(crate) fn roles_row(&self, tenant: TenantId) -> RowId {
        self.rows.id(Role::KIND, &[b"of tenant", &tenant.0.0])
    }

    fn role_name_row(&self, tenant: TenantId, name: &str) -> RowId {
        self.rows
            .id(RoleName::KIND, &[&tenant.0.0, name.as_bytes()])
    }
}
