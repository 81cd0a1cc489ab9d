//! Removing what may be large: the rows of a deleted application or tenant, in small transactions.
//!
//! Whoever deletes an application removes its clients at once, so nobody reaches what is below it from
//! then on. The rest is the work of a job, which begins again where it stopped.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::application::Application;
use super::member::{Member, MemberName, Membership};
use super::role::Role;
use super::{ApplicationId, Tenant, TenantId};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::port::store::{Order, Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
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

impl Tenants {
    /// Deletes a tenant. Its clients are gone at once; its data key goes too, so that what is left of
    /// its rows, here or in a backup of this database, can never be read again.
    pub async fn delete_tenant(
        self: &Arc<Self>,
        operator: &Operator,
        tenant: TenantId,
    ) -> Result<(), Error> {
        operator.may(OperatorRight::Manage)?;
        let operator = operator.clone();
        let now = self.now();
        let own = TenantId(self.tenant().0);
        if tenant == own {
            return Err(Refusal::Invalid {
                field: "tenant_id",
                why: "the server's own tenant stays",
            }
            .into());
        }
        self.write(move |hub, tx| {
            let Some(record) = hub.rows.take::<Tenant>(tx, &tenant.0)? else {
                return Err(Refusal::UnknownSubject.into());
            };
            for application in
                hub.rows
                    .children::<Application>(tx, &hub.applications_row(tenant), Page::ALL)?
            {
                hub.drop_application(tx, now, ApplicationId(application.id()))?;
            }
            hub.drop_application(tx, now, record.management)?;
            for role in tx.children(Role::KIND, &hub.roles_row(tenant), Page::ALL)? {
                tx.remove(Role::KIND, &role.id)?;
            }
            hub.rows.shred(tx, tenant.scope())?;
            hub.record(tx, operator.event(now, "tenant.delete", tenant.to_string()))
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
            let ties = tx.children(Membership::KIND, &removal.application.0, BATCH)?;
            for tie in &ties {
                Self::drop_membership(tx, tie.id)?;
            }
            if ties.len() < BATCH.limit {
                hub.rows.remove::<Removal>(tx, &removal.id())?;
            }
            Ok(true)
        })
        .await
    }

    /// Removes a membership with everything below it, without reading any of it.
    pub(crate) fn drop_membership(tx: &mut dyn Tx, tie: RowId) -> TxResult<()> {
        for key in tx.children(DeviceKey::KIND, &tie, Page::ALL)? {
            tx.remove_children(KeyPrint::KIND, &key.id)?;
            tx.remove_children(DeviceChallenge::KIND, &key.id)?;
            tx.remove(DeviceKey::KIND, &key.id)?;
        }
        tx.remove_children(MemberName::KIND, &tie)?;
        tx.remove(Membership::KIND, &tie)?;
        Ok(())
    }

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
            if removed < BATCH.limit {
                return Ok(());
            }
        }
    }
}
