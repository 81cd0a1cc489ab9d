//! Removes the rows of a deleted application or tenant, which may be many, in small transactions.
//!
//! 1. Deleting an application removes its clients at once, so that nobody can reach its other rows from then on.
//! 2. A [`Removal`] remembers the application, and a job removes its memberships in batches.
//! 3. If the job stops, it starts again with the memberships that are left.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::application::Application;
use super::member::{Member, MemberName, Membership};
use super::role::Role;
use super::tenancy::Tenant;
use super::{ApplicationId, TenantId};
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Kind, Order, Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Stored;
use crate::core::verdict::Verdict;
use crate::proof::operator::{Operator, OperatorRight};
use crate::tenant::Tenants;
use crate::tenant::device_key::{DeviceChallenge, DeviceKey, KeyPrint};

/// An application whose memberships are still to be removed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Removal {
    pub(crate) application: ApplicationId,
}

impl Record for Removal {
    const KIND: Kind = "removal";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

/// Memberships removed in one transaction.
const BATCH: Page = Page {
    order: Order::Ascending,
    after: None,
    limit: 50,
};

/// Whether a batch that found so many rows found the last of them.
fn is_last(found: usize) -> bool {
    found < BATCH.limit
}

impl Tenants {
    /// Deletes a tenant. Its clients and its data key are gone at once, so that the rest of its rows, here or in a
    /// backup of this database, can never be read again. `Invalid` for the server's own tenant.
    pub async fn delete_tenant(
        self: &Arc<Self>,
        operator: &Operator,
        tenant: TenantId,
    ) -> Result<(), Error> {
        operator.may(OperatorRight::Manage)?;
        let operator = operator.clone();
        let now = self.now();
        if tenant == self.default_tenant() {
            return Err(Error::Refused(Refusal::Invalid {
                field: "tenant_id",
                why: "the server's own tenant stays",
            }));
        }
        self.conclude(move |hub, tx| {
            let taken: Option<Stored<Tenant>> = hub.rows.take(tx, tenant)?;
            let Some(record) = taken else {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            };
            let owner = hub.applications_row(tenant);
            for application in hub.rows.children::<Application>(tx, &owner, Page::ALL)? {
                hub.drop_application(tx, now, ApplicationId::of(application.key()))?;
            }
            hub.drop_application(tx, now, record.management)?;
            for role in tx.children(Role::KIND, &hub.roles_row(tenant), Page::ALL)? {
                tx.remove(Role::KIND, &role.id)?;
            }
            hub.rows.shred(tx, tenant.scope())?;
            hub.record(tx, operator.event(now, "tenant.delete", tenant.to_string()))?;
            Ok(Verdict::Done(()))
        })
        .await?;
        self.work.notify_one();
        self.remove_people(tenant).await
    }

    /// Removes what deleted applications left behind. Returns whether there is more to do.
    pub(crate) async fn remove_leftovers(self: &Arc<Self>) -> Result<bool, Error> {
        let now = self.now();
        if !self.any_due(Removal::KIND, now).await? {
            return Ok(false);
        }
        self.write(move |hub, tx| {
            let Some(removal) = hub.rows.due::<Removal>(tx, now, 1)?.pop() else {
                return Ok(false);
            };
            let ties = tx.children(Membership::KIND, &removal.application.row(), BATCH)?;
            for tie in &ties {
                Self::drop_membership(tx, Id::new(tie.id))?;
            }
            if is_last(ties.len()) {
                hub.rows.remove(tx, removal.key())?;
            }
            Ok(true)
        })
        .await
    }

    /// Removes a membership with everything below it, without reading any of it.
    pub(crate) fn drop_membership(tx: &mut dyn Tx, tie: Id<Membership>) -> TxResult<()> {
        let tie: RowId = tie.row();
        for key in tx.children(DeviceKey::KIND, &tie, Page::ALL)? {
            tx.remove_children(KeyPrint::KIND, &key.id)?;
            tx.remove_children(DeviceChallenge::KIND, &key.id)?;
            tx.remove(DeviceKey::KIND, &key.id)?;
        }
        tx.remove_children(MemberName::KIND, &tie)?;
        tx.remove(Membership::KIND, &tie)?;
        Ok(())
    }

    /// Removes the people of a deleted tenant.
    async fn remove_people(self: &Arc<Self>, tenant: TenantId) -> Result<(), Error> {
        loop {
            let removed = self
                .write(move |hub, tx| {
                    let people = tx.children(Member::KIND, &hub.members_row(tenant), BATCH)?;
                    for person in &people {
                        tx.remove_children(MemberName::KIND, &person.id)?;
                        tx.remove(Member::KIND, &person.id)?;
                    }
                    Ok(people.len())
                })
                .await?;
            if is_last(removed) {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_batch_may_not_have_been_the_last() {
        assert!(is_last(0));
        assert!(is_last(BATCH.limit - 1));
        assert!(!is_last(BATCH.limit));
    }
}
