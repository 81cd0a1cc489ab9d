//! Members: the people of a tenant, and the applications they belong to.
//!
//! A person belongs to the tenant. A membership ties the person to one application and owns the device keys there. An
//! application sees only its own members, whoever else belongs to the tenant.

mod enter;
mod leave;
mod name;
mod read;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ApplicationId, TenantId, Tenants};
use crate::core::id::Id;
use crate::core::port::store::{Kind, RowId};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::time::Timestamp;

/// The id of a person within a tenant. It is opaque: this server makes 128 random bits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UserId(String);

impl UserId {
    /// Takes any text. One that is nobody's id leads to an unknown subject.
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
    pub(crate) user: UserId,
    pub(crate) tenant: TenantId,
    email: Option<String>,
    phone: Option<String>,
    external_id: Option<String>,
    /// What else the application says about the person, as JSON. This server keeps it and reads none of it.
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
    /// What only this application says about the person, as JSON.
    attributes: String,
}

impl Record for Membership {
    const KIND: Kind = "membership";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// Reserves a name that only one person may have.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MemberName {
    user: UserId,
}

impl Record for MemberName {
    const KIND: Kind = "member_name";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// A person to create.
#[derive(Debug, Clone, Default)]
pub struct MemberForm {
    pub email: Option<String>,
    pub phone: Option<String>,
    pub external_id: Option<String>,
    pub username: Option<String>,
    /// A JSON object, kept as it is.
    pub attributes: String,
    /// A JSON object, kept as it is.
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

impl MemberForm {
    /// A person of the tenant who belongs to one application.
    fn enter(
        self,
        user: UserId,
        tenant: TenantId,
        application: ApplicationId,
        now: Timestamp,
    ) -> (Member, Membership) {
        let member = Member {
            user: user.clone(),
            tenant,
            email: self.email,
            phone: self.phone,
            external_id: self.external_id,
            attributes: self.attributes,
            applications: vec![application],
            created: now,
            updated: now,
        };
        let membership = Membership {
            tenant,
            user,
            username: self.username,
            attributes: self.application_attributes,
        };
        (member, membership)
    }
}

impl Member {
    /// Lets the person into one more application.
    fn join(&mut self, application: ApplicationId, now: Timestamp) -> Membership {
        self.applications.push(application);
        self.updated = now;
        Membership {
            tenant: self.tenant,
            user: self.user.clone(),
            username: None,
            attributes: "{}".to_owned(),
        }
    }

    fn leave(&mut self, application: ApplicationId, now: Timestamp) {
        self.applications.retain(|known| *known != application);
        self.updated = now;
    }
}

impl Tenants {
    pub(crate) fn member_id(&self, tenant: TenantId, user: &UserId) -> Id<Member> {
        self.rows.named(&[tenant.as_bytes(), user.0.as_bytes()])
    }

    /// The owner of the tenant's people.
    pub(crate) fn members_row(&self, tenant: TenantId) -> RowId {
        let parts: [&[u8]; 2] = [b"of tenant", tenant.as_bytes()];
        self.rows.id(Member::KIND, &parts)
    }

    pub(crate) fn membership_id(
        &self,
        application: ApplicationId,
        user: &UserId,
    ) -> Id<Membership> {
        self.rows
            .named(&[application.as_bytes(), user.0.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Timestamp = Timestamp::from_millis(1_000);
    const LATER: Timestamp = Timestamp::from_millis(2_000);

    fn application(digit: &str) -> ApplicationId {
        ApplicationId::parse(&digit.repeat(32)).unwrap()
    }

    fn ann() -> (Member, Membership) {
        let form = MemberForm {
            email: Some("ann@example.org".to_owned()),
            phone: Some("+431234".to_owned()),
            external_id: Some("4711".to_owned()),
            username: Some("ann".to_owned()),
            attributes: r#"{"age":40}"#.to_owned(),
            application_attributes: r#"{"desk":2}"#.to_owned(),
        };
        let tenant = TenantId::parse(&"1".repeat(32)).unwrap();
        form.enter(UserId::new("a".to_owned()), tenant, application("2"), BEGIN)
    }

    #[test]
    fn an_application_sees_what_it_said_about_a_person() {
        let (member, membership) = ann();
        let view = MemberView::of(member, membership, "Shop");
        let expected = MemberView {
            user: UserId::new("a".to_owned()),
            email: Some("ann@example.org".to_owned()),
            phone: Some("+431234".to_owned()),
            external_id: Some("4711".to_owned()),
            username: Some("ann".to_owned()),
            attributes: r#"{"age":40}"#.to_owned(),
            application_attributes: r#"{"desk":2}"#.to_owned(),
            application_name: "Shop".to_owned(),
            created: BEGIN,
            updated: BEGIN,
        };
        assert_eq!(view, expected);
    }

    #[test]
    fn username_and_attributes_of_one_application_are_not_in_the_person_s_row() {
        let (member, membership) = ann();
        let person = serde_json::to_string(&member).unwrap();
        assert!(!person.contains("desk") && !person.contains("username"));
        let tie = serde_json::to_string(&membership).unwrap();
        assert!(!tie.contains("example.org") && !tie.contains("age"));
    }

    #[test]
    fn a_person_enters_one_more_application_without_username_and_attributes() {
        let (mut member, _) = ann();
        let membership = member.join(application("3"), LATER);
        assert_eq!(member.applications, [application("2"), application("3")]);
        assert_eq!((member.created, member.updated), (BEGIN, LATER));
        assert_eq!(membership.user, member.user);
        assert_eq!(membership.username, None);
        assert_eq!(membership.attributes, "{}");
    }

    #[test]
    fn a_person_leaves_one_application_and_stays_in_the_others() {
        let (mut member, _) = ann();
        member.join(application("3"), BEGIN);
        member.leave(application("2"), LATER);
        assert_eq!(member.applications, [application("3")]);
        assert_eq!(member.updated, LATER);
        member.leave(application("9"), LATER);
        assert_eq!(member.applications, [application("3")]);
    }
}
