//! Applications: what a tenant's clients and members belong to.

mod manage;

use serde::{Deserialize, Serialize};

use super::client::ClientForm;
use super::{ApplicationId, TenantId, Tenants};
use crate::core::error::Refusal;
use crate::core::port::store::{Kind, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;

/// The record of an application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Application {
    pub(crate) tenant: TenantId,
    pub(crate) name: String,
    pub(crate) display_name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    /// Whether its clients manage the tenant. Such an application has no members.
    pub(crate) management: bool,
    /// Whether only signatures over challenges of this server count.
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

    /// An application of this form, not a management application.
    fn of_form(tenant: TenantId, form: ApplicationForm, now: Timestamp) -> Self {
        Self {
            display_name: form.display_name,
            description: form.description,
            redirect_uris: form.redirect_uris,
            server_challenges_only: form.server_challenges_only,
            ..Self::new(tenant, form.name, now)
        }
    }

    pub(crate) fn management(tenant: TenantId, now: Timestamp) -> Self {
        Self {
            management: true,
            ..Self::new(tenant, "Management".to_owned(), now)
        }
    }

    /// Whether this is an application of the tenant, but not its management application.
    fn is_ordinary_of(&self, tenant: TenantId) -> bool {
        self.tenant == tenant && !self.management
    }

    fn change(&mut self, change: ApplicationChange, now: Timestamp) {
        if let Some(name) = change.name {
            self.name = name;
        }
        if let Some(description) = change.description {
            self.description = Some(description);
        }
        if let Some(only) = change.server_challenges_only {
            self.server_challenges_only = only;
        }
        self.updated = now;
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

/// What to change. `None` leaves a value as it is.
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
        let id = ApplicationId::of(stored.key());
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
    /// Loads an application of this tenant and holds it until the transaction ends. A management application is an
    /// unknown subject.
    pub(crate) fn own_application(
        &self,
        tx: &mut dyn Tx,
        tenant: TenantId,
        id: ApplicationId,
    ) -> TxResult<Result<Stored<Application>, Refusal>> {
        let found = self.rows.get(tx, id)?;
        Ok(found
            .filter(|found| found.is_ordinary_of(tenant))
            .ok_or(Refusal::UnknownSubject))
    }

    /// The same for any application of this tenant, its management application too.
    pub(crate) fn application_in(
        &self,
        tx: &mut dyn Tx,
        tenant: TenantId,
        id: ApplicationId,
    ) -> TxResult<Result<Stored<Application>, Refusal>> {
        let found = self.rows.get(tx, id)?;
        Ok(found
            .filter(|found: &Stored<Application>| found.tenant == tenant)
            .ok_or(Refusal::UnknownSubject))
    }

    /// The owner of the tenant's applications, except its management application.
    pub(crate) fn applications_row(&self, tenant: TenantId) -> RowId {
        let parts: [&[u8]; 2] = [b"of tenant", tenant.as_bytes()];
        self.rows.id(Application::KIND, &parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Timestamp = Timestamp::from_millis(1_000);
    const LATER: Timestamp = Timestamp::from_millis(2_000);

    fn tenant(digit: &str) -> TenantId {
        TenantId::parse(&digit.repeat(32)).unwrap()
    }

    fn application() -> Application {
        let form = ApplicationForm {
            name: "Shop".to_owned(),
            display_name: Some("The shop".to_owned()),
            description: Some("Sells things".to_owned()),
            redirect_uris: vec!["https://shop.example/".to_owned()],
            server_challenges_only: true,
            ..ApplicationForm::default()
        };
        Application::of_form(tenant("1"), form, BEGIN)
    }

    #[test]
    fn a_form_becomes_an_application_that_does_not_manage_the_tenant() {
        let made = application();
        assert_eq!((made.tenant, made.management), (tenant("1"), false));
        assert_eq!((made.created, made.updated), (BEGIN, BEGIN));
        assert_eq!(made.name, "Shop");
        assert_eq!(made.display_name.as_deref(), Some("The shop"));
        assert_eq!(made.description.as_deref(), Some("Sells things"));
        assert_eq!(made.redirect_uris, ["https://shop.example/"]);
        assert!(made.server_challenges_only);
    }

    #[test]
    fn a_change_of_nothing_touches_only_the_time() {
        let mut changed = application();
        changed.change(ApplicationChange::default(), LATER);
        assert_eq!((changed.created, changed.updated), (BEGIN, LATER));
        changed.updated = BEGIN;
        assert_eq!(
            serde_json::to_value(changed).unwrap(),
            serde_json::to_value(application()).unwrap()
        );
    }

    #[test]
    fn each_value_of_a_change_replaces_the_one_before() {
        let mut changed = application();
        let change = ApplicationChange {
            name: Some("Kiosk".to_owned()),
            description: Some(String::new()),
            server_challenges_only: Some(false),
        };
        changed.change(change, LATER);
        assert_eq!(changed.name, "Kiosk");
        assert_eq!(changed.description.as_deref(), Some(""));
        assert!(!changed.server_challenges_only);
        assert_eq!(changed.display_name.as_deref(), Some("The shop"));
    }

    #[test]
    fn managers_see_the_ordinary_applications_of_their_own_tenant() {
        assert!(application().is_ordinary_of(tenant("1")));
        assert!(!application().is_ordinary_of(tenant("2")));
        let management = Application::management(tenant("1"), BEGIN);
        assert!(!management.is_ordinary_of(tenant("1")));
    }
}
