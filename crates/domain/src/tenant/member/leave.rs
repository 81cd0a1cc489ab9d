//! How people leave an application or the tenant.

use std::sync::Arc;

use super::{Member, MemberName, UserId};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::record::Record as _;
use crate::core::rows::Stored;
use crate::core::verdict::Verdict;
use crate::tenant::Tenants;
use crate::tenant::permission::{EditUsers, Grant, Manage};

impl Tenants {
    /// Removes a person from the caller's application, with the device keys and the username there.
    pub async fn expel_member(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<EditUsers>,
        user: UserId,
    ) -> Result<(), Error> {
        let now = self.now();
        self.conclude(move |hub, tx| {
            let application = grant.application();
            let tie = hub.membership_id(application, &user);
            if hub.rows.get(tx, tie)?.is_none() {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            }
            Self::drop_membership(tx, tie)?;
            let id = hub.member_id(grant.tenant(), &user);
            if let Some(mut member) = hub.rows.get(tx, id)? {
                member.leave(application, now);
                hub.rows.put(tx, &mut member)?;
            }
            let event = grant.event(surface, now, "member.expel", &user);
            hub.record(tx, event.fact("application", application.to_string()))?;
            Ok(Verdict::Done(()))
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
        self.conclude(move |hub, tx| {
            let id = hub.member_id(grant.tenant(), &user);
            let taken: Option<Stored<Member>> = hub.rows.take(tx, id)?;
            let Some(member) = taken else {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            };
            for application in &member.applications {
                Self::drop_membership(tx, hub.membership_id(*application, &user))?;
            }
            tx.remove_children(MemberName::KIND, &id.row())?;
            hub.record(tx, grant.event(surface, now, "member.delete", &user))?;
            Ok(Verdict::Done(()))
        })
        .await
    }
}
