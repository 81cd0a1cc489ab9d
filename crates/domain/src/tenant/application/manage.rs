//! What managers of a tenant do with its applications.

use std::sync::Arc;

use super::super::client::{Client, NewSecret};
use super::super::removal::Removal;
use super::super::{ApplicationId, Tenants, check_text};
use super::{Application, ApplicationChange, ApplicationForm, ApplicationView};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::{Page, Tx, TxResult};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::tenant::permission::{Grant, Manage};

impl Tenants {
    /// Creates an application with its first client. The client's secret is returned only here.
    pub async fn create_application(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        form: ApplicationForm,
    ) -> Result<(ApplicationView, NewSecret), Error> {
        check_text("app_name", &form.name)?;
        let now = self.now();
        let tenant = grant.tenant();
        self.conclude(move |hub, tx| {
            let mut form = form.clone();
            let first = std::mem::take(&mut form.first_client);
            let roles = allowed!(hub.wanted_roles(tx, tenant, &first.roles)?);
            let place = Place::at(hub.rows.fresh::<Application>())
                .of(hub.applications_row(tenant))
                .ranked(now.millis());
            let application = Application::of_form(tenant, form, now);
            let stored = hub.rows.create(tx, tenant.scope(), place, application)?;
            let new = hub.add_client(tx, now, &stored, first, &roles)?;
            let id = ApplicationId::of(stored.key());
            let event = grant.event(surface, now, "application.create", &id);
            hub.record(tx, event.fact("first_client", new.client.to_string()))?;
            Ok(Verdict::Done((ApplicationView::of(stored), new)))
        })
        .await
    }

    /// The tenant's applications, oldest first, without the management application.
    pub async fn list_applications(
        self: &Arc<Self>,
        grant: Grant<Manage>,
    ) -> Result<Vec<ApplicationView>, Error> {
        self.read(move |hub, tx| {
            let owner = hub.applications_row(grant.tenant());
            let all = hub.rows.children(tx, &owner, Page::ALL)?;
            Ok(all.into_iter().map(ApplicationView::of).collect())
        })
        .await
    }

    /// One application of the tenant. `UnknownSubject` for one of another tenant and for the management application.
    pub async fn read_application(
        self: &Arc<Self>,
        grant: Grant<Manage>,
        id: ApplicationId,
    ) -> Result<ApplicationView, Error> {
        self.find(move |hub, tx| {
            let found = hub.rows.peek(tx, id)?;
            let own = found.filter(|found| found.is_ordinary_of(grant.tenant()));
            Ok(own
                .map(ApplicationView::of)
                .ok_or(Refusal::UnknownSubject)
                .into())
        })
        .await
    }

    /// Changes an application, and in the same transaction the copies of its values in the rows of its clients.
    pub async fn change_application(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        id: ApplicationId,
        change: ApplicationChange,
    ) -> Result<ApplicationView, Error> {
        if let Some(name) = &change.name {
            check_text("app_name", name)?;
        }
        let now = self.now();
        self.conclude(move |hub, tx| {
            let mut application = allowed!(hub.own_application(tx, grant.tenant(), id)?);
            application.change(change.clone(), now);
            hub.rows.put(tx, &mut application)?;
            for mut client in hub.rows.children::<Client>(tx, &id.row(), Page::ALL)? {
                client.copy_from(&application);
                hub.rows.put(tx, &mut client)?;
            }
            hub.record(tx, grant.event(surface, now, "application.change", &id))?;
            Ok(Verdict::Done(ApplicationView::of(application)))
        })
        .await
    }

    /// Deletes an application with its clients, at once. From then on nobody can reach its memberships and device
    /// keys; a job removes them.
    pub async fn delete_application(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        id: ApplicationId,
    ) -> Result<(), Error> {
        let now = self.now();
        self.conclude(move |hub, tx| {
            allowed!(hub.own_application(tx, grant.tenant(), id)?);
            hub.drop_application(tx, now, id)?;
            hub.record(tx, grant.event(surface, now, "application.delete", &id))?;
            Ok(Verdict::Done(()))
        })
        .await?;
        self.work.notify_one();
        Ok(())
    }

    /// Removes an application with its clients, and leaves its memberships to a job.
    pub(crate) fn drop_application(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ApplicationId,
    ) -> TxResult<()> {
        for client in self.rows.children::<Client>(tx, &id.row(), Page::ALL)? {
            self.drop_client(tx, &client)?;
        }
        self.rows.remove(tx, id)?;
        let place = Place::at(self.rows.fresh::<Removal>()).due(now);
        self.rows
            .create(tx, self.tenant(), place, Removal { application: id })?;
        Ok(())
    }
}
