//! Roles: named lists of permissions that a tenant gives to its clients.

mod manage;

use serde::{Deserialize, Serialize};

use super::permission::Permission;
use super::{ClientId, RoleId, TenantId, check_text};
use crate::core::error::Refusal;
use crate::core::port::store::Kind;
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Stored;
use crate::core::time::Timestamp;

/// The record of a role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Role {
    pub(crate) tenant: TenantId,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) permissions: Vec<Permission>,
    pub(crate) created: Timestamp,
}

impl Record for Role {
    const KIND: Kind = "role";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// Says that a client has a role. The role owns the row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RoleUse {
    pub(crate) client: ClientId,
}

impl Record for RoleUse {
    const KIND: Kind = "role_use";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// Reserves a role's name within its tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RoleName {
    role: RoleId,
}

impl Record for RoleName {
    const KIND: Kind = "role_name";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// A role to create, or what to change about one. `None` leaves a value as it is.
#[derive(Debug, Clone, Default)]
pub struct RoleForm {
    pub name: Option<String>,
    pub description: Option<String>,
    pub permissions: Option<Vec<Permission>>,
}

/// A role as its manager sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleView {
    pub id: RoleId,
    pub name: String,
    pub description: Option<String>,
    pub permissions: Vec<Permission>,
}

impl RoleView {
    fn of(stored: Stored<Role>) -> Self {
        let id = RoleId::of(stored.key());
        let Role {
            name,
            description,
            permissions,
            ..
        } = stored.value;
        Self {
            id,
            name,
            description,
            permissions,
        }
    }
}

impl RoleForm {
    /// The name of a role that is to be created. `Invalid` if there is none, or a wrong one.
    fn new_name(&self) -> Result<String, Refusal> {
        let name = self.name.clone().ok_or(Refusal::Invalid {
            field: "role_name",
            why: "must be given",
        })?;
        check_text("role_name", &name)?;
        Ok(name)
    }

    fn check_change(&self) -> Result<(), Refusal> {
        match &self.name {
            Some(name) => check_text("role_name", name),
            None => Ok(()),
        }
    }
}

impl Role {
    fn new(tenant: TenantId, name: String, form: RoleForm, now: Timestamp) -> Self {
        Self {
            tenant,
            name,
            description: form.description,
            permissions: form.permissions.unwrap_or_default(),
            created: now,
        }
    }

    /// Changes everything but the name.
    fn change(&mut self, form: RoleForm) {
        if let Some(description) = form.description {
            self.description = Some(description);
        }
        if let Some(permissions) = form.permissions {
            self.permissions = permissions;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn permissions(texts: &[&str]) -> Vec<Permission> {
        let parse = |text: &&str| Permission::parse(text).unwrap();
        texts.iter().map(parse).collect()
    }

    fn role() -> Role {
        let form = RoleForm {
            name: None,
            description: Some("At the counter".to_owned()),
            permissions: Some(permissions(&["users:read"])),
        };
        let tenant = TenantId::parse(&"1".repeat(32)).unwrap();
        Role::new(tenant, "desk".to_owned(), form, NOW)
    }

    fn named(name: Option<&str>) -> RoleForm {
        RoleForm {
            name: name.map(str::to_owned),
            ..RoleForm::default()
        }
    }

    #[test]
    fn a_new_role_must_have_a_name() {
        assert_eq!(named(Some("desk")).new_name().unwrap(), "desk");
        let why = |name| match named(name).new_name() {
            Err(Refusal::Invalid {
                field: "role_name",
                why,
            }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(why(None), "must be given");
        assert!(why(Some("")).contains("1 to 255"));
    }

    #[test]
    fn a_change_may_leave_the_name_out_but_not_empty() {
        assert_eq!(named(None).check_change(), Ok(()));
        assert_eq!(named(Some("desk")).check_change(), Ok(()));
        assert!(named(Some("")).check_change().is_err());
    }

    #[test]
    fn a_role_without_permissions_is_a_role() {
        let tenant = TenantId::parse(&"1".repeat(32)).unwrap();
        let made = Role::new(tenant, "guest".to_owned(), RoleForm::default(), NOW);
        assert!(made.permissions.is_empty());
        assert_eq!((made.description, made.created), (None, NOW));
    }

    #[test]
    fn a_change_replaces_what_it_names_and_nothing_else() {
        let mut changed = role();
        changed.change(RoleForm::default());
        assert_eq!(changed.description.as_deref(), Some("At the counter"));
        assert_eq!(changed.permissions, permissions(&["users:read"]));
        changed.change(RoleForm {
            permissions: Some(permissions(&["users:list", "users:edit"])),
            ..RoleForm::default()
        });
        assert_eq!(changed.description.as_deref(), Some("At the counter"));
        assert_eq!(
            changed.permissions,
            permissions(&["users:list", "users:edit"])
        );
        changed.change(RoleForm {
            description: Some(String::new()),
            permissions: Some(Vec::new()),
            name: None,
        });
        assert_eq!(changed.description.as_deref(), Some(""));
        assert!(changed.permissions.is_empty());
    }
}
