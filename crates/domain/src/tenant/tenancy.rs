//! Tenants: their record, and what the operators of the server do with them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::application::Application;
use super::client::{ClientForm, NewSecret};
use super::{ApplicationId, ClientId, TenantId, Tenants, check_text};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::{Kind, Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::proof::operator::{Operator, OperatorRight};

/// The record of a tenant. The server's own data key seals it, so that all tenants can be listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tenant {
    pub(crate) name: String,
    pub(crate) management: ApplicationId,
    pub(crate) created: Timestamp,
}

impl Record for Tenant {
    const KIND: Kind = "tenant";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// A tenant as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TenantView {
    pub tenant_id: TenantId,
    pub name: String,
    pub created_at: String,
}

impl TenantView {
    fn of(id: TenantId, tenant: Tenant) -> Self {
        Self {
            tenant_id: id,
            created_at: tenant.created.rfc3339(),
            name: tenant.name,
        }
    }
}

/// A new tenant with the client that manages it. The secret is returned only here.
#[derive(Debug)]
pub struct NewTenant {
    pub tenant: TenantId,
    pub client: ClientId,
    pub secret: SecretText,
}

impl Tenants {
    /// Creates a tenant with its data key, its management application, and a client of that application.
    pub async fn create_tenant(
        self: &Arc<Self>,
        operator: &Operator,
        name: String,
    ) -> Result<NewTenant, Error> {
        operator.may(OperatorRight::Manage)?;
        check_text("name", &name)?;
        let tenant = TenantId::of(self.rows.fresh());
        self.rows
            .ensure_scope(self.store.as_ref(), tenant.scope())
            .await?;
        let operator = operator.clone();
        let now = self.now();
        self.write(move |hub, tx| {
            let management = hub.add_management(tx, now, tenant)?;
            let form = ClientForm::named("Management");
            let new = hub.add_client(tx, now, &management, form, &[])?;
            let record = Tenant {
                name: name.clone(),
                management: ApplicationId::of(management.key()),
                created: now,
            };
            hub.add_tenant(tx, tenant, record)?;
            let event = operator.event(now, "tenant.create", tenant.to_string());
            hub.record(tx, event.fact("client", new.client.to_string()))?;
            Ok(NewTenant {
                tenant,
                client: new.client,
                secret: new.secret,
            })
        })
        .await
    }

    /// Creates one more client of the tenant's management application, for an operator who lost the first one.
    pub async fn add_manager(
        self: &Arc<Self>,
        operator: &Operator,
        tenant: TenantId,
        name: String,
    ) -> Result<NewSecret, Error> {
        operator.may(OperatorRight::Manage)?;
        let operator = operator.clone();
        check_text("name", &name)?;
        self.ensure_default_tenant().await?;
        let now = self.now();
        self.conclude(move |hub, tx| {
            let Some(record) = hub.rows.peek(tx, tenant)? else {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            };
            let management = allowed!(hub.application_in(tx, tenant, record.management)?);
            let new = hub.add_client(tx, now, &management, ClientForm::named(&name), &[])?;
            let event = operator.event(now, "client.create", new.client.to_string());
            hub.record(tx, event.fact("tenant", tenant.to_string()))?;
            Ok(Verdict::Done(new))
        })
        .await
    }

    /// All tenants, oldest first.
    pub async fn list_tenants(
        self: &Arc<Self>,
        operator: &Operator,
    ) -> Result<Vec<TenantView>, Error> {
        operator.may(OperatorRight::Read)?;
        self.ensure_default_tenant().await?;
        self.read(|hub, tx| {
            let tenants = hub.rows.children(tx, &hub.tenants_row(), Page::ALL)?;
            let view =
                |tenant: Stored<Tenant>| TenantView::of(TenantId::of(tenant.key()), tenant.value);
            Ok(tenants.into_iter().map(view).collect())
        })
        .await
    }

    pub(super) fn add_management(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        tenant: TenantId,
    ) -> TxResult<Stored<Application>> {
        let place = Place::at(self.rows.fresh::<Application>())
            .of(self.management_row(tenant))
            .ranked(now.millis());
        let application = Application::management(tenant, now);
        self.rows.create(tx, tenant.scope(), place, application)
    }

    pub(super) fn add_tenant(
        &self,
        tx: &mut dyn Tx,
        id: TenantId,
        tenant: Tenant,
    ) -> TxResult<Stored<Tenant>> {
        let place = Place::at(id)
            .of(self.tenants_row())
            .ranked(tenant.created.millis());
        self.rows.create(tx, self.tenant(), place, tenant)
    }

    /// The owner of all tenants.
    fn tenants_row(&self) -> RowId {
        self.rows.id(Tenant::KIND, &[b"all"])
    }

    /// The owner of the tenant's management application.
    fn management_row(&self, tenant: TenantId) -> RowId {
        let parts: [&[u8]; 2] = [b"management of tenant", tenant.as_bytes()];
        self.rows.id(Application::KIND, &parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_sees_id_name_and_time_of_a_tenant() {
        let id = TenantId::parse(&"7".repeat(32)).unwrap();
        let tenant = Tenant {
            name: "Shop".to_owned(),
            management: ApplicationId::parse(&"8".repeat(32)).unwrap(),
            created: Timestamp::from_millis(0),
        };
        let view = serde_json::to_value(TenantView::of(id, tenant)).unwrap();
        let expected = serde_json::json!({
            "tenant_id": "77777777777777777777777777777777",
            "name": "Shop",
            "created_at": Timestamp::from_millis(0).rfc3339(),
        });
        assert_eq!(view, expected);
    }
}
