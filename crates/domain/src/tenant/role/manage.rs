//! What managers of a tenant do with its roles.

use std::sync::Arc;

use super::{Role, RoleForm, RoleName, RoleUse, RoleView};
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Page, RowId, Tx, TxResult};
use crate::core::record::Record as _;
use crate::core::rows::{Place, Stored};
use crate::core::verdict::{Verdict, allowed};
use crate::tenant::permission::{Grant, Manage};
use crate::tenant::{ClientId, RoleId, TenantId, Tenants};

impl Tenants {
    /// Creates a role. `Conflict` if its name is taken in the tenant.
    pub async fn create_role(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        form: RoleForm,
    ) -> Result<RoleView, Error> {
        let name = form.new_name()?;
        let now = self.now();
        let tenant = grant.tenant();
        self.conclude(move |hub, tx| {
            let id = RoleId::of(hub.rows.fresh());
            allowed!(hub.reserve_role_name(tx, tenant, id, &name)?);
            let role = Role::new(tenant, name.clone(), form.clone(), now);
            let place = Place::at(id).of(hub.roles_row(tenant)).ranked(now.millis());
            let stored = hub.rows.create(tx, tenant.scope(), place, role)?;
            hub.record(tx, grant.event(surface, now, "role.create", &id))?;
            Ok(Verdict::Done(RoleView::of(stored)))
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
            let roles = hub.rows.children(tx, &owner, Page::ALL)?;
            Ok(roles.into_iter().map(RoleView::of).collect())
        })
        .await
    }

    /// Changes a role, and in the same transaction the rights of every client that has it. `Conflict` if the new
    /// name is taken in the tenant.
    pub async fn change_role(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        id: RoleId,
        form: RoleForm,
    ) -> Result<RoleView, Error> {
        form.check_change()?;
        let now = self.now();
        self.conclude(move |hub, tx| {
            let mut role = allowed!(hub.own_role(tx, grant.tenant(), id)?);
            let mut form = form.clone();
            if let Some(name) = form.name.take().filter(|name| *name != role.name) {
                allowed!(hub.reserve_role_name(tx, grant.tenant(), id, &name)?);
                let before = hub.role_name_id(grant.tenant(), &role.name);
                hub.rows.remove(tx, before)?;
                role.name = name;
            }
            role.change(form);
            hub.rows.put(tx, &mut role)?;
            hub.refresh_clients(tx, id)?;
            hub.record(tx, grant.event(surface, now, "role.change", &id))?;
            Ok(Verdict::Done(RoleView::of(role)))
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
        self.conclude(move |hub, tx| {
            let role = allowed!(hub.own_role(tx, grant.tenant(), id)?);
            if tx.count_children(RoleUse::KIND, &id.row())? > 0 {
                return Ok(Verdict::Refused(Refusal::Conflict));
            }
            let name = hub.role_name_id(grant.tenant(), &role.name);
            hub.rows.remove(tx, name)?;
            hub.rows.remove(tx, id)?;
            hub.record(tx, grant.event(surface, now, "role.delete", &id))?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// The id of the row that says that a client has a role.
    pub(crate) fn role_use_id(&self, role: RoleId, client: ClientId) -> Id<RoleUse> {
        self.rows.named(&[role.as_bytes(), client.as_bytes()])
    }

    /// The owner of the tenant's roles.
    pub(crate) fn roles_row(&self, tenant: TenantId) -> RowId {
        let parts: [&[u8]; 2] = [b"of tenant", tenant.as_bytes()];
        self.rows.id(Role::KIND, &parts)
    }

    /// Repeats a changed role in the rows of the clients that have it.
    fn refresh_clients(&self, tx: &mut dyn Tx, role: RoleId) -> TxResult<()> {
        for used in self.rows.children::<RoleUse>(tx, &role.row(), Page::ALL)? {
            if let Some(mut client) = self.rows.get(tx, used.client)? {
                self.refresh_roles(tx, &mut client)?;
                self.rows.put(tx, &mut client)?;
            }
        }
        Ok(())
    }

    /// Loads a role of the tenant and holds it until the transaction ends.
    fn own_role(
        &self,
        tx: &mut dyn Tx,
        tenant: TenantId,
        id: RoleId,
    ) -> TxResult<Result<Stored<Role>, Refusal>> {
        let found = self.rows.get(tx, id)?;
        Ok(found
            .filter(|found: &Stored<Role>| found.tenant == tenant)
            .ok_or(Refusal::UnknownSubject))
    }

    fn reserve_role_name(
        &self,
        tx: &mut dyn Tx,
        tenant: TenantId,
        role: RoleId,
        name: &str,
    ) -> TxResult<Result<(), Refusal>> {
        let id = self.role_name_id(tenant, name);
        if self.rows.peek(tx, id)?.is_some() {
            return Ok(Err(Refusal::Conflict));
        }
        self.rows
            .create(tx, tenant.scope(), Place::at(id), RoleName { role })?;
        Ok(Ok(()))
    }

    fn role_name_id(&self, tenant: TenantId, name: &str) -> Id<RoleName> {
        self.rows.named(&[tenant.as_bytes(), name.as_bytes()])
    }
}
