//! How people enter a tenant and its applications.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Member, MemberForm, MemberView, Membership, UserId};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::random::bytes;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::core::verdict::{Verdict, allowed};
use crate::tenant::permission::{CreateUsers, Grant, Manage};
use crate::tenant::{ApplicationId, Tenants};

impl Tenants {
    /// Creates a person in the caller's application. `Conflict` if a name is taken.
    pub async fn create_member(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<CreateUsers>,
        form: MemberForm,
    ) -> Result<MemberView, Error> {
        let now = self.now();
        self.conclude(move |hub, tx| {
            let application = grant.application();
            let user = UserId(URL_SAFE_NO_PAD.encode(bytes::<16>(hub.random.as_ref())));
            let (member, membership) = form.clone().enter(user, grant.tenant(), application, now);
            allowed!(hub.reserve_names(tx, application, &member, &membership)?);
            hub.add_member(tx, &member)?;
            hub.add_membership(tx, now, application, &membership)?;
            let event = grant.event(surface, now, "member.create", &member.user);
            hub.record(tx, event.fact("application", application.to_string()))?;
            let view = MemberView::of(member, membership, grant.application_name());
            Ok(Verdict::Done(view))
        })
        .await
    }

    /// Lets a person of the tenant into one more application. Changes nothing if the person is a member already.
    pub async fn admit_member(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<Manage>,
        user: UserId,
        application: ApplicationId,
    ) -> Result<(), Error> {
        let now = self.now();
        self.conclude(move |hub, tx| {
            allowed!(hub.own_application(tx, grant.tenant(), application)?);
            let id = hub.member_id(grant.tenant(), &user);
            let Some(mut member) = hub.rows.get(tx, id)? else {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            };
            let tie = hub.membership_id(application, &user);
            if hub.rows.peek(tx, tie)?.is_some() {
                return Ok(Verdict::Done(()));
            }
            let membership = member.join(application, now);
            hub.add_membership(tx, now, application, &membership)?;
            hub.rows.put(tx, &mut member)?;
            let event = grant.event(surface, now, "member.admit", &user);
            hub.record(tx, event.fact("application", application.to_string()))?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    fn add_member(&self, tx: &mut dyn Tx, member: &Member) -> TxResult<()> {
        let place = Place::at(self.member_id(member.tenant, &member.user))
            .of(self.members_row(member.tenant))
            .ranked(member.created.millis());
        self.rows
            .create(tx, member.tenant.scope(), place, member.clone())?;
        Ok(())
    }

    fn add_membership(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        application: ApplicationId,
        membership: &Membership,
    ) -> TxResult<()> {
        let place = Place::at(self.membership_id(application, &membership.user))
            .of(application)
            .ranked(now.millis());
        self.rows
            .create(tx, membership.tenant.scope(), place, membership.clone())?;
        Ok(())
    }
}
