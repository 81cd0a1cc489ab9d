//! What an application may read about its members.

use std::sync::Arc;

use super::name::Name;
use super::{MemberView, UserId};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::{Tx, TxResult};
use crate::core::verdict::Verdict;
use crate::tenant::Tenants;
use crate::tenant::permission::{Grant, ReadUsers};

impl Tenants {
    /// A member of the caller's application. `UnknownSubject` for everybody else.
    pub async fn read_member(
        self: &Arc<Self>,
        grant: Grant<ReadUsers>,
        user: UserId,
    ) -> Result<MemberView, Error> {
        self.find(move |hub, tx| hub.member_in(tx, &grant, &user))
            .await
    }

    /// The same by e-mail address, without regard to case.
    pub async fn read_member_by_email(
        self: &Arc<Self>,
        grant: Grant<ReadUsers>,
        email: String,
    ) -> Result<MemberView, Error> {
        self.find(move |hub, tx| {
            let id = hub.name_id(grant.tenant(), Name::Email(&email));
            match hub.rows.peek(tx, id)? {
                Some(name) => hub.member_in(tx, &grant, &name.user),
                None => Ok(Verdict::Refused(Refusal::UnknownSubject)),
            }
        })
        .await
    }

    fn member_in(
        &self,
        tx: &mut dyn Tx,
        grant: &Grant<ReadUsers>,
        user: &UserId,
    ) -> TxResult<Verdict<MemberView>> {
        let tie = self.membership_id(grant.application(), user);
        let membership = self.rows.peek(tx, tie)?;
        let member = self.rows.peek(tx, self.member_id(grant.tenant(), user))?;
        Ok(match (member, membership) {
            (Some(member), Some(membership)) => Verdict::Done(MemberView::of(
                member.value,
                membership.value,
                grant.application_name(),
            )),
            _ => Verdict::Refused(Refusal::UnknownSubject),
        })
    }
}
