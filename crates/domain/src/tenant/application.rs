//! Applications: what a tenant's clients and members belong to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::client::{Client, ClientForm, NewSecret};
use super::removal::Removal;
use super::{ApplicationId, TenantId, check_text};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::port::store::{Page, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::tenant::Tenants;
use crate::tenant::permission::{Grant, Manage};
use crate::trail::audit::Event;

/// The record of an application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Application {
    pub(crate) tenant: TenantId,
    pub(crate) name: String,
    pub(crate) display_name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    /// Its clients manage the tenant, and it has no members.
    pub(crate) management: bool,
    /// Signatures count only over challenges that this server made.
    pub(crate) server_challenges_only: bool,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

impl Record for Application {
    const KIND: Kind = "application";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

impl Application {
    pub(crate) fn new(tenant: TenantId, name: String, now: Timestamp) -> Self {
        Self {
            tenant,
            name,
            display_name: None,
            description: None,
            redirect_uris: Vec::new(),
            management: false,
            server_challenges_only: false,
            created: now,
            updated: now,
        }
    }

    pub(crate) fn management(tenant: TenantId, now: Timestamp) -> Self {
        Self {
            management: true,
            ..Self::new(tenant, "Management".to_owned(), now)
        }
    }
}

/// A new application with its first client.
#[derive(Debug, Clone, Default)]
pub struct ApplicationForm {
    pub name: String,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub redirect_uris: Vec<String>,
    pub server_challenges_only: bool,
    pub first_client: ClientForm,
}

/// What to change; absent stays as it is.
#[derive(Debug, Clone, Default)]
pub struct ApplicationChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub server_challenges_only: Option<bool>,
}

/// An application as its manager sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationView {
    pub id: ApplicationId,
    pub tenant: TenantId,
    pub name: String,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub redirect_uris: Vec<String>,
    pub server_challenges_only: bool,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl ApplicationView {
    fn of(stored: Stored<Application>) -> Self {
        let id = ApplicationId(stored.id());
        let Application {
            tenant,
            name,
            display_name,
            description,
            redirect_uris,
            server_challenges_only,
            created,
            updated,
            management: _,
        } = stored.value;
        Self {
            id,
            tenant,
            name,
            display_name,
            description,
            redirect_uris,
            server_challenges_only,
            created,
            updated,
        }
    }
}

impl Tenants {
    /// Makes an application with its first client, whose secret is shown this once.
    pub async fn create_application(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        form: ApplicationForm,
    ) -> Result<(ApplicationView, NewSecret), Error> {
        check_text("app_name", &form.name)?;
        let now = self.now();
        let tenant = grant.tenant();
        self.write(move |hub, tx| {
            let application = Application {
                display_name: form.display_name.clone(),
                description: form.description.clone(),
                redirect_uris: form.redirect_uris.clone(),
                server_challenges_only: form.server_challenges_only,
                ..Application::new(tenant, form.name.clone(), now)
            };
            let place = Place::at(hub.rows.random_id())
                .of(hub.applications_row(tenant))
                .ranked(now.millis());
            let stored = hub.rows.create(tx, tenant.scope(), place, application)?;
            let new = hub.add_client(tx, now, &stored, form.first_client.clone())?;
            let event = Event::new(
                surface,
                now,
                "application.create",
                ApplicationId(stored.id()).to_string(),
            );
            let event = event.fact("by", grant.actor());
            hub.record(tx, event.fact("first_client", new.client.to_string()))?;
            Ok((ApplicationView::of(stored), new))
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
            let all = hub.rows.children::<Application>(tx, &owner, Page::ALL)?;
            Ok(all.into_iter().map(ApplicationView::of).collect())
        })
        .await
    }

    pub async fn read_application(
        self: &Arc<Self>,
        grant: Grant<Manage>,
        id: ApplicationId,
    ) -> Result<ApplicationView, Error> {
        self.read(move |hub, tx| {
            let found = hub.rows.peek::<Application>(tx, &id.0)?;
            let own = found.filter(|found| found.tenant == grant.tenant() && !found.management);
            own.map(ApplicationView::of)
                .ok_or_else(|| Refusal::UnknownSubject.into())
        })
        .await
    }

    /// Changes an application, and in the same transaction what its clients' rows repeat of it.
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
        self.write(move |hub, tx| {
            let mut application = hub.own_application(tx, grant.tenant(), id)?;
            let change = change.clone();
            application.name = change.name.unwrap_or(application.value.name.clone());
            application.description = change.description.or(application.value.description.clone());
            let only = change
                .server_challenges_only
                .unwrap_or(application.server_challenges_only);
            application.server_challenges_only = only;
            application.updated = now;
            hub.rows.put(tx, &mut application)?;
            for mut client in hub.rows.children::<Client>(tx, &id.0, Page::ALL)? {
                client.application_name.clone_from(&application.name);
                client.server_challenges_only = only;
                hub.rows.put(tx, &mut client)?;
            }
            let event = Event::new(surface, now, "application.change", id.to_string());
            hub.record(tx, event.fact("by", grant.actor()))?;
            Ok(ApplicationView::of(application))
        })
        .await
    }

    /// Deletes an application with its clients, at once; memberships and device keys can be reached by
    /// nobody from then on, and a job removes them.
    pub async fn delete_application(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        id: ApplicationId,
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            hub.own_application(tx, grant.tenant(), id)?;
            hub.drop_application(tx, now, id)?;
            let event = Event::new(surface, now, "application.delete", id.to_string());
            hub.record(tx, event.fact("by", grant.actor()))
        })
        .await?;
        self.work.notify_one();
        Ok(())
    }

    pub(crate) fn drop_application(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        id: ApplicationId,
    ) -> TxResult<()> {
        for client in self.rows.children::<Client>(tx, &id.0, Page::ALL)? {
            self.drop_client(tx, &client)?;
        }
        self.rows.remove::<Application>(tx, &id.0)?;
        let place = Place::at(self.rows.random_id()).due(now);
        self.rows
            .create(tx, self.tenant(), place, Removal { application: id })?;
        Ok(())
    }

    /// An ordinary application of this tenant, held.
    pub(crate) fn own_application(
        &self,
        tx: &mut dyn Tx,
        tenant: TenantId,
        id: ApplicationId,
    ) -> TxResult<Stored<Application>> {
        let application = self.application_in(tx, tenant, id)?;
        if application.management {
            return Err(Refusal::UnknownSubject.into());
        }
        Ok(application)
    }

    /// Any application of this tenant, held.
    pub(crate) fn application_in(
        &self,
        tx: &mut dyn Tx,
        tenant: TenantId,
        id: ApplicationId,
    ) -> TxResult<Stored<Application>> {
        let found = self.rows.get::<Application>(tx, &id.0)?;
        found
            .filter(|found| found.tenant == tenant)
            .ok_or_else(|| Refusal::UnknownSubject.into())
    }
}
