//! Members: the people of a tenant, and the applications they belong to.
//!
//! A person belongs to the tenant; a membership ties the person to one application and owns the device
//! keys there. An application sees only its own members, whoever else lives in the tenant.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{ApplicationId, TenantId};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::random::bytes;
use crate::core::port::store::Kind;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::tenant::Tenants;
use crate::tenant::permission::{CreateUsers, EditUsers, Grant, Manage, ReadUsers};
use crate::trail::audit::Event;

/// Names a person within a tenant. Opaque: ours have 128 random bits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UserId(String);

impl UserId {
    /// Takes any text; one that names nobody is unknown.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The record of a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Member {
    user: UserId,
    tenant: TenantId,
    email: Option<String>,
    phone: Option<String>,
    external_id: Option<String>,
    /// What else the application told of the person, as JSON: kept, never judged.
    attributes: String,
    applications: Vec<ApplicationId>,
    created: Timestamp,
    updated: Timestamp,
}

impl Record for Member {
    const KIND: Kind = "member";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// The record of a membership. It owns the person's device keys in the application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Membership {
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    username: Option<String>,
    /// What only this application told of the person, as JSON.
    attributes: String,
}

impl Record for Membership {
    const KIND: Kind = "membership";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// Holds a name that only one person may have.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MemberName {
    user: UserId,
}

impl Record for MemberName {
    const KIND: Kind = "member_name";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// A person to make.
#[derive(Debug, Clone, Default)]
pub struct MemberForm {
    pub email: Option<String>,
    pub phone: Option<String>,
    pub external_id: Option<String>,
    pub username: Option<String>,
    /// JSON objects, kept as they are.
    pub attributes: String,
    pub application_attributes: String,
}

/// A person as an application sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    pub user: UserId,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub external_id: Option<String>,
    pub username: Option<String>,
    pub attributes: String,
    pub application_attributes: String,
    pub application_name: String,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl MemberView {
    fn of(member: Member, membership: Membership, application_name: &str) -> Self {
        Self {
            user: member.user,
            email: member.email,
            phone: member.phone,
            external_id: member.external_id,
            username: membership.username,
            attributes: member.attributes,
            application_attributes: membership.attributes,
            application_name: application_name.to_owned(),
            created: member.created,
            updated: member.updated,
        }
    }
}

/// Which names are unique, and where.
#[derive(Clone, Copy)]
enum Name<'a> {
    /// In the tenant, without regard to case.
    Email(&'a str),
    Phone(&'a str),
    External(&'a str),
    /// In the application.
    Username(ApplicationId, &'a str),
}

impl Tenants {
    /// Makes a person and lets them into the caller's application. `Conflict` if a name is taken.
    pub async fn create_member(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<CreateUsers>,
        form: MemberForm,
    ) -> Result<MemberView, Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let (tenant, application) = (grant.tenant(), grant.application());
            let user = UserId(URL_SAFE_NO_PAD.encode(bytes::<16>(hub.random.as_ref())));
            let form = form.clone();
            let member = Member {
                user: user.clone(),
                tenant,
                email: form.email,
                phone: form.phone,
                external_id: form.external_id,
                attributes: form.attributes,
                applications: vec![application],
                created: now,
                updated: now,
            };
            let membership = Membership {
                tenant,
                user,
                username: form.username,
                attributes: form.application_attributes,
            };
            hub.admit_person(tx, now, application, &member, &membership)?;
            let event = Event::new(surface, now, "member.create", member.user.to_string());
            let event = event.fact("application", application.to_string());
            hub.record(tx, event.fact("by", grant.actor()))?;
            Ok(MemberView::of(member, membership, grant.application_name()))
        })
        .await
    }

    fn admit_person(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        application: ApplicationId,
        member: &Member,
        membership: &Membership,
    ) -> TxResult<()> {
        let row = self.member_row(member.tenant, &member.user);
        let tie = self.membership_row(application, &member.user);
        let names = [
            member.email.as_deref().map(Name::Email),
            member.phone.as_deref().map(Name::Phone),
            member.external_id.as_deref().map(Name::External),
        ];
        for name in names.into_iter().flatten() {
            self.take_name(tx, member.tenant, name, row, &member.user)?;
        }
        if let Some(username) = &membership.username {
            self.take_name(
                tx,
                member.tenant,
                Name::Username(application, username),
                tie,
                &member.user,
            )?;
        }
        let scope = member.tenant.scope();
        let place = Place::at(row)
            .of(self.members_row(member.tenant))
            .ranked(now.millis());
        self.rows.create(tx, scope, place, member.clone())?;
        self.rows.create(
            tx,
            scope,
            Place::at(tie).of(application.0).ranked(now.millis()),
            membership.clone(),
        )?;
        Ok(())
    }

    pub async fn read_member(
        self: &Arc<Self>,
        grant: Grant<ReadUsers>,
        user: UserId,
    ) -> Result<MemberView, Error> {
        self.read(move |hub, tx| hub.member_in(tx, &grant, &user))
            .await
    }

    pub async fn read_member_by_email(
        self: &Arc<Self>,
        grant: Grant<ReadUsers>,
        email: String,
    ) -> Result<MemberView, Error> {
        self.read(move |hub, tx| {
            let row = hub.name_row(grant.tenant(), Name::Email(&email));
            match hub.rows.peek::<MemberName>(tx, &row)? {
                Some(name) => hub.member_in(tx, &grant, &name.user),
                None => Err(Refusal::UnknownSubject.into()),
            }
        })
        .await
    }

    /// Takes a person out of the caller's application; device keys and username there go, too.
    pub async fn expel_member(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<EditUsers>,
        user: UserId,
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let application = grant.application();
            let tie = hub.membership_row(application, &user);
            if hub.rows.get::<Membership>(tx, &tie)?.is_none() {
                return Err(Refusal::UnknownSubject.into());
            }
            Self::drop_membership(tx, tie)?;
            if let Some(mut member) = hub
                .rows
                .get::<Member>(tx, &hub.member_row(grant.tenant(), &user))?
            {
                member.applications.retain(|known| *known != application);
                member.updated = now;
                hub.rows.put(tx, &mut member)?;
            }
            let event = Event::new(surface, now, "member.expel", user.to_string());
            let event = event.fact("application", application.to_string());
            hub.record(tx, event.fact("by", grant.actor()))
        })
        .await
    }

    /// Removes a person from the tenant, with every membership and device key.
    pub async fn delete_member(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        user: UserId,
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            let row = hub.member_row(grant.tenant(), &user);
            let Some(member) = hub.rows.take::<Member>(tx, &row)? else {
                return Err(Refusal::UnknownSubject.into());
            };
            for application in &member.applications {
                Self::drop_membership(tx, hub.membership_row(*application, &user))?;
            }
            tx.remove_children(MemberName::KIND, &row)?;
            let event = Event::new(surface, now, "member.delete", user.to_string());
            hub.record(tx, event.fact("by", grant.actor()))
        })
        .await
    }

    /// Lets a person of the tenant into one more application; once in, nothing changes.
    pub async fn admit_member(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        user: UserId,
        application: ApplicationId,
    ) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            hub.own_application(tx, grant.tenant(), application)?;
            let row = hub.member_row(grant.tenant(), &user);
            let Some(mut member) = hub.rows.get::<Member>(tx, &row)? else {
                return Err(Refusal::UnknownSubject.into());
            };
            let tie = hub.membership_row(application, &user);
            if hub.rows.peek::<Membership>(tx, &tie)?.is_some() {
                return Ok(());
            }
            let tenant = grant.tenant();
            let membership = Membership {
                tenant,
                user: user.clone(),
                username: None,
                attributes: "{}".to_owned(),
            };
            let place = Place::at(tie).of(application.0).ranked(now.millis());
            hub.rows.create(tx, tenant.scope(), place, membership)?;
            member.applications.push(application);
            member.updated = now;
            hub.rows.put(tx, &mut member)?;
            let event = Event::new(surface, now, "member.admit", user.to_string());
            let event = event.fact("application", application.to_string());
            hub.record(tx, event.fact("by", grant.actor()))
        })
        .await
    }

    /// Makes an account of another surface a member of the server's own tenant and its first
    /// application, so that a back end may bind devices to it. In the transaction that makes the account.
    pub fn adopt_account(&self, tx: &mut dyn Tx, now: Timestamp, user: UserId) -> TxResult<()> {
        let tenant = TenantId(self.tenant().0);
        let application = self.default_application();
        let member = Member {
            user: user.clone(),
            tenant,
            email: None,
            phone: None,
            external_id: None,
            attributes: "{}".to_owned(),
            applications: vec![application],
            created: now,
            updated: now,
        };
        let membership = Membership {
            tenant,
            user,
            username: None,
            attributes: "{}".to_owned(),
        };
        self.admit_person(tx, now, application, &member, &membership)
    }

    fn member_in(
        &self,
        tx: &mut dyn Tx,
        grant: &Grant<ReadUsers>,
        user: &UserId,
    ) -> TxResult<MemberView> {
        let tie = self.membership_row(grant.application(), user);
        let membership = self.rows.peek::<Membership>(tx, &tie)?;
        let member = self
            .rows
            .peek::<Member>(tx, &self.member_row(grant.tenant(), user))?;
        match (member, membership) {
            (Some(member), Some(membership)) => Ok(MemberView::of(
                member.value,
                membership.value,
                grant.application_name(),
            )),
            _ => Err(Refusal::UnknownSubject.into()),
        }
    }

    fn take_name(
        &self,
        tx: &mut dyn Tx,
        tenant: TenantId,
        name: Name<'_>,
        owner: RowId,
        user: &UserId,
    ) -> TxResult<Stored<MemberName>> {
        let row = self.name_row(tenant, name);
        if self.rows.peek::<MemberName>(tx, &row)?.is_some() {
            return Err(Refusal::Conflict.into());
        }
        self.rows.create(
            tx,
            tenant.scope(),
            Place::at(row).of(owner),
            MemberName { user: user.clone() },
        )
    }

    fn name_row(&self, tenant: TenantId, name: Name<'_>) -> RowId {
        let tenant = &tenant.0.0;
        match name {
            Name::Email(email) => self.rows.id(
                MemberName::KIND,
                &[tenant, b"email", email.to_lowercase().as_bytes()],
            ),
            Name::Phone(phone) => self
                .rows
                .id(MemberName::KIND, &[tenant, b"phone", phone.as_bytes()]),
            Name::External(id) => self
                .rows
                .id(MemberName::KIND, &[tenant, b"external", id.as_bytes()]),
            Name::Username(application, name) => self.rows.id(
                MemberName::KIND,
                &[&application.0.0, b"username", name.as_bytes()],
            ),
        }
    }

    fn member_row(&self, tenant: TenantId, user: &UserId) -> RowId {
        self.rows
            .id(Member::KIND, &[&tenant.0.0, user.0.as_bytes()])
    }

    pub(crate) fn members_row(&self, tenant: TenantId) -> RowId {
        self.rows.id(Member::KIND, &[b"of tenant", &tenant.0.0])
    }

    pub(crate) fn membership_row(&self, application: ApplicationId, user: &UserId) -> RowId {
        self.rows
            .id(Membership::KIND, &[&application.0.0, user.0.as_bytes()])
    }
}
