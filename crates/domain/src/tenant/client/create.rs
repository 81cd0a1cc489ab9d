//! How clients are created.

use std::sync::Arc;

use super::secret::new_secret;
use super::{Client, ClientForm, ClientView, NewSecret};
use crate::core::error::Error;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::tenant::application::Application;
use crate::tenant::permission::{Grant, Manage};
use crate::tenant::role::Role;
use crate::tenant::{ApplicationId, ClientId, Tenants, check_text};

impl Tenants {
    /// Creates a client of an application. Its secret is returned only here. `Invalid` if a role is unknown.
    pub async fn create_client(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        application: ApplicationId,
        form: ClientForm,
    ) -> Result<NewSecret, Error> {
        check_text("name", &form.name)?;
        let now = self.now();
        self.conclude(move |hub, tx| {
            let tenant = grant.tenant();
            let application = allowed!(hub.own_application(tx, tenant, application)?);
            let roles = allowed!(hub.wanted_roles(tx, tenant, &form.roles)?);
            let new = hub.add_client(tx, now, &application, form.clone(), &roles)?;
            let event = grant.event(surface, now, "client.create", &new.client);
            hub.record(tx, event)?;
            Ok(Verdict::Done(new))
        })
        .await
    }

    /// Adds a client with these roles, whatever roles the form names.
    pub(crate) fn add_client(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        application: &Stored<Application>,
        form: ClientForm,
        roles: &[Stored<Role>],
    ) -> TxResult<NewSecret> {
        let secret = new_secret(self.random.as_ref());
        let client = Client::new(application, form, &secret, now);
        let place = Place::at(self.rows.fresh::<Client>())
            .of(application.id())
            .ranked(now.millis());
        let mut stored = self
            .rows
            .create(tx, application.tenant.scope(), place, client)?;
        if !roles.is_empty() {
            self.give_roles(tx, &mut stored, roles)?;
            self.rows.put(tx, &mut stored)?;
        }
        let client = ClientId::of(stored.key());
        Ok(NewSecret {
            client,
            secret,
            view: ClientView::of(client, &stored),
        })
    }
}
