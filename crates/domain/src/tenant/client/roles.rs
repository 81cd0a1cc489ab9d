//! The roles of clients.

use super::Client;
use crate::core::error::{Error, Refusal};
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::{Place, Stored};
use crate::tenant::role::{Role, RoleUse};
use crate::tenant::{ClientId, RoleId, TenantId, Tenants};

/// The roles that are asked for, each once, in the order of their ids.
fn each_once(roles: &[RoleId]) -> Vec<RoleId> {
    let mut wanted = roles.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

/// Checks whether a client may have these roles at all. `Invalid` if a management client is to have one.
pub(super) fn check_roles(client: &Client, roles: &[RoleId]) -> Result<(), Refusal> {
    if client.manager && !roles.is_empty() {
        return Err(Refusal::Invalid {
            field: "role_ids",
            why: "a management client has no roles",
        });
    }
    Ok(())
}

impl Tenants {
    /// Loads the roles that a client is to have and holds them, so that a change of one of them comes before or
    /// after, never between. `Invalid` if one is unknown or of another tenant.
    pub(crate) fn wanted_roles(
        &self,
        tx: &mut dyn Tx,
        tenant: TenantId,
        roles: &[RoleId],
    ) -> TxResult<Result<Vec<Stored<Role>>, Refusal>> {
        let mut found = Vec::new();
        for role in each_once(roles) {
            let known = self.rows.get(tx, role)?;
            let Some(known) = known.filter(|known: &Stored<Role>| known.tenant == tenant) else {
                return Ok(Err(Refusal::Invalid {
                    field: "role_ids",
                    why: "names an unknown role",
                }));
            };
            found.push(known);
        }
        Ok(Ok(found))
    }

    /// Gives a loaded client these roles instead of those before. The caller saves the client.
    pub(super) fn give_roles(
        &self,
        tx: &mut dyn Tx,
        client: &mut Stored<Client>,
        roles: &[Stored<Role>],
    ) -> TxResult<()> {
        self.remove_role_uses(tx, client)?;
        let id = ClientId::of(client.key());
        for role in roles {
            let row = self.role_use_id(RoleId::of(role.key()), id);
            let place = Place::at(row).of(role.id());
            self.rows
                .create(tx, client.scope(), place, RoleUse { client: id })?;
        }
        client.set_roles(roles);
        Ok(())
    }

    /// Repeats the client's roles as they are now in its loaded row. The caller saves the client.
    pub(crate) fn refresh_roles(
        &self,
        tx: &mut dyn Tx,
        client: &mut Stored<Client>,
    ) -> TxResult<()> {
        let mut roles = Vec::new();
        for role in &client.roles {
            let Some(role) = self.rows.peek(tx, *role)? else {
                return Err(Error::bug("a client has a role that is gone").into());
            };
            roles.push(role);
        }
        client.set_roles(&roles);
        Ok(())
    }

    /// Removes a client with its ties to roles.
    pub(crate) fn drop_client(&self, tx: &mut dyn Tx, client: &Stored<Client>) -> TxResult<()> {
        self.remove_role_uses(tx, client)?;
        self.rows.remove(tx, client.key())?;
        Ok(())
    }

    fn remove_role_uses(&self, tx: &mut dyn Tx, client: &Stored<Client>) -> TxResult<()> {
        let id = ClientId::of(client.key());
        for role in &client.roles {
            self.rows.remove(tx, self.role_use_id(*role, id))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::client;
    use super::*;

    fn role(digit: &str) -> RoleId {
        RoleId::parse(&digit.repeat(32)).unwrap()
    }

    #[test]
    fn a_role_that_is_named_twice_counts_once() {
        let wanted = each_once(&[role("3"), role("1"), role("3"), role("2")]);
        assert_eq!(wanted, [role("1"), role("2"), role("3")]);
        assert!(each_once(&[]).is_empty());
    }

    #[test]
    fn only_a_management_client_may_have_no_roles() {
        let mut known = client();
        assert_eq!(check_roles(&known, &[role("1")]), Ok(()));
        known.manager = true;
        assert_eq!(check_roles(&known, &[]), Ok(()));
        let refused = check_roles(&known, &[role("1")]);
        assert!(matches!(
            refused,
            Err(Refusal::Invalid {
                field: "role_ids",
                ..
            })
        ));
    }
}
