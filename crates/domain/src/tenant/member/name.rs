//! The names of a person that only one person may have.

use super::{Member, MemberName, Membership};
use crate::core::error::Refusal;
use crate::core::id::Id;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::rows::Place;
use crate::tenant::{ApplicationId, TenantId, Tenants};

/// A name, and where no other person may have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// In the tenant, without regard to case.
    Email(&'a str),
    /// In the tenant.
    Phone(&'a str),
    /// In the tenant.
    External(&'a str),
    /// In the application.
    Username(ApplicationId, &'a str),
}

impl Name<'_> {
    /// What the row's id is made from: where the name is unique, its kind, and its normal form.
    fn parts(self, tenant: TenantId) -> ([u8; 16], &'static [u8], String) {
        let tenant = *tenant.as_bytes();
        match self {
            Self::Email(email) => (tenant, b"email", email.to_lowercase()),
            Self::Phone(phone) => (tenant, b"phone", phone.to_owned()),
            Self::External(id) => (tenant, b"external", id.to_owned()),
            Self::Username(application, name) => {
                (*application.as_bytes(), b"username", name.to_owned())
            }
        }
    }
}

/// The names of a person who enters an application, in the order in which they are reserved.
fn names_of<'a>(
    application: ApplicationId,
    member: &'a Member,
    membership: &'a Membership,
) -> Vec<Name<'a>> {
    let username = membership.username.as_deref();
    let names = [
        member.email.as_deref().map(Name::Email),
        member.phone.as_deref().map(Name::Phone),
        member.external_id.as_deref().map(Name::External),
        username.map(|name| Name::Username(application, name)),
    ];
    names.into_iter().flatten().collect()
}

impl Tenants {
    /// Reserves every name of a person who enters an application. `Conflict` if one is taken; then it reserves none.
    /// The membership owns the username, the person owns the other names.
    pub(super) fn reserve_names(
        &self,
        tx: &mut dyn Tx,
        application: ApplicationId,
        member: &Member,
        membership: &Membership,
    ) -> TxResult<Result<(), Refusal>> {
        let names = names_of(application, member, membership);
        for name in &names {
            let id = self.name_id(member.tenant, *name);
            if self.rows.peek(tx, id)?.is_some() {
                return Ok(Err(Refusal::Conflict));
            }
        }
        for name in names {
            let owner: RowId = match name {
                Name::Username(..) => self.membership_id(application, &member.user).row(),
                _ => self.member_id(member.tenant, &member.user).row(),
            };
            let place = Place::at(self.name_id(member.tenant, name)).of(owner);
            let user = member.user.clone();
            let scope = member.tenant.scope();
            self.rows.create(tx, scope, place, MemberName { user })?;
        }
        Ok(Ok(()))
    }

    pub(super) fn name_id(&self, tenant: TenantId, name: Name<'_>) -> Id<MemberName> {
        let (place, kind, text) = name.parts(tenant);
        self.rows.named(&[&place, kind, text.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MemberForm, UserId};
    use super::*;
    use crate::core::time::Timestamp;

    fn tenant(digit: &str) -> TenantId {
        TenantId::parse(&digit.repeat(32)).unwrap()
    }

    fn shop() -> ApplicationId {
        ApplicationId::parse(&"5".repeat(32)).unwrap()
    }

    fn names(form: MemberForm) -> Vec<String> {
        let user = UserId::new("a".to_owned());
        let (member, tie) = form.enter(user, tenant("1"), shop(), Timestamp::from_millis(1));
        let names = names_of(shop(), &member, &tie);
        names.iter().map(|name| format!("{name:?}")).collect()
    }

    #[test]
    fn only_the_names_that_are_given_are_reserved() {
        assert!(names(MemberForm::default()).is_empty());
        let form = MemberForm {
            email: Some("a@example.org".to_owned()),
            external_id: Some("4711".to_owned()),
            ..MemberForm::default()
        };
        assert_eq!(
            names(form),
            ["Email(\"a@example.org\")", "External(\"4711\")"]
        );
    }

    #[test]
    fn an_address_is_the_same_in_upper_and_lower_case_and_other_names_are_not() {
        let same =
            |one: Name<'_>, other: Name<'_>| one.parts(tenant("1")) == other.parts(tenant("1"));
        assert!(same(
            Name::Email("Ann@Example.org"),
            Name::Email("ann@example.ORG")
        ));
        assert!(!same(Name::External("Ann"), Name::External("ann")));
        assert!(!same(Name::Phone("+43 1"), Name::Phone("+431")));
        assert!(!same(
            Name::Username(shop(), "Ann"),
            Name::Username(shop(), "ann")
        ));
    }

    #[test]
    fn a_text_may_be_one_person_s_phone_and_another_s_external_id() {
        let parts = |name: Name<'_>| name.parts(tenant("1"));
        assert_ne!(parts(Name::Phone("1")), parts(Name::External("1")));
        assert_ne!(parts(Name::Phone("1")), parts(Name::Email("1")));
    }

    #[test]
    fn names_of_the_person_are_unique_in_the_tenant_and_usernames_in_the_application() {
        let email = Name::Email("a@example.org");
        assert_ne!(email.parts(tenant("1")), email.parts(tenant("2")));
        let username = Name::Username(shop(), "ann");
        assert_eq!(username.parts(tenant("1")), username.parts(tenant("2")));
        let elsewhere = ApplicationId::parse(&"6".repeat(32)).unwrap();
        let other = Name::Username(elsewhere, "ann");
        assert_ne!(username.parts(tenant("1")), other.parts(tenant("1")));
    }
}
