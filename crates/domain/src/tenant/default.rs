//! The server's own tenant, for the surfaces that know no tenants.

use std::sync::Arc;

use super::application::Application;
use super::tenancy::Tenant;
use super::{ApplicationId, TenantId, Tenants};
use crate::core::error::Error;
use crate::core::layer::Layer as _;
use crate::core::rows::Place;

impl Tenants {
    /// Makes sure that the server's own tenant exists, with a first application.
    ///
    /// Creates it when an operator first looks at tenants. It has no management client until
    /// [`Tenants::add_manager`] creates one.
    pub(crate) async fn ensure_default_tenant(self: &Arc<Self>) -> Result<(), Error> {
        let now = self.now();
        let tenant = self.default_tenant();
        let store = self.store.as_ref();
        if self.rows.read(store, tenant).await?.is_some() {
            return Ok(());
        }
        self.write(move |hub, tx| {
            if hub.rows.peek(tx, tenant)?.is_some() {
                return Ok(());
            }
            let management = hub.add_management(tx, now, tenant)?;
            let first = Application::new(tenant, "default".to_owned(), now);
            let place = Place::at(hub.default_application())
                .of(hub.applications_row(tenant))
                .ranked(now.millis());
            hub.rows.create(tx, tenant.scope(), place, first)?;
            let record = Tenant {
                name: "default".to_owned(),
                management: ApplicationId::of(management.key()),
                created: now,
            };
            hub.add_tenant(tx, tenant, record)?;
            Ok(())
        })
        .await
    }

    pub(super) fn default_tenant(&self) -> TenantId {
        TenantId::in_scope(self.tenant())
    }

    /// The first application of the server's own tenant.
    fn default_application(&self) -> ApplicationId {
        ApplicationId::of(self.rows.named(&[b"default"]))
    }
}
