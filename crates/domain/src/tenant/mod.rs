//! Tenants and what lives in them: applications, their clients, roles, and members.
//!
//! ```text
//! tenant ──< application ──< client (secrets, roles, token life)
//!    │            └──< membership >── member (of the tenant; in one or more applications)
//!    ├──< role (a name and permissions, given to clients)
//!    └── management application ── client that manages the tenant
//! ```
//!
//! Each tenant has a data key of its own; deleting the tenant removes that key, and what is left of its
//! rows can never be read again. Nothing is found by an id alone: every look-up names the tenant or the
//! application too, and what belongs to another one is unknown.

pub mod access_token;
mod application;
mod chores;
mod client;
pub mod device_key;
mod member;
pub mod permission;
pub mod policy;
mod removal;
mod role;
mod service;
mod token_key;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use application::{Application, ApplicationChange, ApplicationForm, ApplicationView};
pub(crate) use client::Authentication;
pub use client::{AssertionKey, Client, ClientChange, ClientForm, ClientView, NewSecret};
pub(crate) use member::Membership;
pub use member::{MemberForm, MemberView, UserId};
pub use role::{RoleForm, RoleView};
pub(crate) use service::KINDS;
pub use service::Tenants;

use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::port::store::{Page, RowId};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Scope};
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::proof::operator::{Operator, OperatorRight};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub RowId);

        impl $name {
            /// Reads what `Display` gives: 32 lower-case hexadecimal digits.
            pub fn parse(text: &str) -> Option<Self> {
                let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                let mut bytes = [0; 16];
                let sound = lower && hex::decode_to_slice(text, &mut bytes).is_ok();
                sound.then_some(Self(RowId(bytes)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0.0))
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or("not an id")
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        })*
    };
}

ids! {
    /// Names a tenant; also the scope whose data key seals its rows.
    TenantId;
    /// Names an application.
    ApplicationId;
    /// Names a client: a program of a tenant's back end.
    ClientId;
    /// Names a role.
    RoleId;
}

impl TenantId {
    pub(crate) fn scope(self) -> Scope {
        Scope(self.0)
    }
}

/// The record of a tenant, sealed with the server's own data key so that all tenants can be listed.
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

/// A tenant as its operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TenantView {
    pub tenant_id: TenantId,
    pub name: String,
    pub created_at: String,
}

/// A new tenant's way in. The secret is shown this once.
#[derive(Debug)]
pub struct NewTenant {
    pub tenant: TenantId,
    pub client: ClientId,
    pub secret: SecretText,
}

impl Tenants {
    /// Makes a tenant with its data key, its management application and that application's client.
    pub async fn create_tenant(
        self: &Arc<Self>,
        operator: &Operator,
        name: String,
    ) -> Result<NewTenant, Error> {
        operator.may(OperatorRight::Manage)?;
        check_text("name", &name)?;
        let tenant = TenantId(self.rows.random_id());
        self.rows
            .ensure_scope(self.store.as_ref(), tenant.scope())
            .await?;
        self.found_tenant(operator.clone(), tenant, name).await
    }

    async fn found_tenant(
        self: &Arc<Self>,
        operator: Operator,
        tenant: TenantId,
        name: String,
    ) -> Result<NewTenant, Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let management = ApplicationId(hub.rows.random_id());
            let application = Application::management(tenant, now);
            let place = Place::at(management.0)
                .of(hub.management_row(tenant))
                .ranked(now.millis());
            let application = hub.rows.create(tx, tenant.scope(), place, application)?;
            let form = ClientForm {
                name: "Management".to_owned(),
                ..ClientForm::default()
            };
            let new = hub.add_client(tx, now, &application, form)?;
            let record = Tenant {
                name: name.clone(),
                management,
                created: now,
            };
            let place = Place::at(tenant.0)
                .of(hub.tenants_row())
                .ranked(now.millis());
            hub.rows.create(tx, hub.tenant(), place, record)?;
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

    /// Makes sure that the server's own tenant is there, with a first application for the surfaces
    /// that know no tenants. Made when an operator first looks at tenants; it has no management client until [`Tenants::add_manager`] makes one.
    pub(crate) async fn ensure_default_tenant(self: &Arc<Self>) -> Result<(), Error> {
        let now = self.now();
        let tenant = TenantId(self.tenant().0);
        let store = self.store.as_ref();
        if self.rows.read::<Tenant>(store, tenant.0).await?.is_some() {
            return Ok(());
        }
        self.write(move |hub, tx| {
            if hub.rows.peek::<Tenant>(tx, &tenant.0)?.is_some() {
                return Ok(());
            }
            let management = ApplicationId(hub.rows.random_id());
            let place = Place::at(management.0)
                .of(hub.management_row(tenant))
                .ranked(now.millis());
            hub.rows.create(
                tx,
                tenant.scope(),
                place,
                Application::management(tenant, now),
            )?;
            let first = Application::new(tenant, "default".to_owned(), now);
            let place = Place::at(hub.default_application().0).of(hub.applications_row(tenant));
            hub.rows
                .create(tx, tenant.scope(), place.ranked(now.millis()), first)?;
            let place = Place::at(tenant.0)
                .of(hub.tenants_row())
                .ranked(now.millis());
            let record = Tenant {
                name: "default".to_owned(),
                management,
                created: now,
            };
            hub.rows.create(tx, hub.tenant(), place, record)?;
            Ok(())
        })
        .await
    }

    /// One more client of the management application, for an operator who lost the first.
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
        self.write(move |hub, tx| {
            let Some(record) = hub.rows.peek::<Tenant>(tx, &tenant.0)? else {
                return Err(Refusal::UnknownSubject.into());
            };
            let application = hub.application_in(tx, tenant, record.management)?;
            let form = ClientForm {
                name: name.clone(),
                ..ClientForm::default()
            };
            let new = hub.add_client(tx, now, &application, form)?;
            let event = operator.event(now, "client.create", new.client.to_string());
            hub.record(tx, event.fact("tenant", tenant.to_string()))?;
            Ok(new)
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
            let tenants = hub
                .rows
                .children::<Tenant>(tx, &hub.tenants_row(), Page::ALL)?;
            Ok(tenants
                .into_iter()
                .map(|tenant| TenantView {
                    tenant_id: TenantId(tenant.id()),
                    created_at: tenant.created.rfc3339(),
                    name: tenant.value.name,
                })
                .collect())
        })
        .await
    }

    /// The application of the default tenant that surfaces without applications put their members in.
    pub fn default_application(&self) -> ApplicationId {
        ApplicationId(self.rows.id(Application::KIND, &[b"default"]))
    }

    pub(crate) fn tenants_row(&self) -> RowId {
        self.rows.id(Tenant::KIND, &[b"all"])
    }

    /// Owns the tenant's ordinary applications.
    pub(crate) fn applications_row(&self, tenant: TenantId) -> RowId {
        self.rows
            .id(Application::KIND, &[b"of tenant", &tenant.0.0])
    }

    /// Owns the tenant's management application.
    pub(crate) fn management_row(&self, tenant: TenantId) -> RowId {
        self.rows
            .id(Application::KIND, &[b"management of tenant", &tenant.0.0])
    }
}

/// A name or a description: 1 to 255 characters, no control characters.
pub(crate) fn check_text(field: &'static str, text: &str) -> Result<(), Refusal> {
    let length = text.chars().count();
    if !(1..=255).contains(&length) || text.chars().any(char::is_control) {
        return Err(Refusal::Invalid {
            field,
            why: "must be 1 to 255 characters without control characters",
        });
    }
    Ok(())
}
