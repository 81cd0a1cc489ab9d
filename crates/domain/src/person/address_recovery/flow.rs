//! How far the recovery of a lost address is, and which address each of its two codes goes to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::error::{Condition, Refusal};
use crate::core::time::Timestamp;
use crate::person::process::ProcessStep;
use crate::person::{Way, WayKind};
use crate::proof::account::{Account, Bound};

/// A recovery that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AddressRecoveryFlow {
    pub(crate) bound: Bound,
    pub(crate) lost: WayKind,
    pub(crate) step: ProcessStep,
}

impl AddressRecoveryFlow {
    /// The address that the first code goes to. `to`: what the caller thinks it goes to.
    pub(super) fn kept_way(&self, account: &Account, to: Option<WayKind>) -> Result<Way, Refusal> {
        if to == Some(self.lost) {
            return Err(Refusal::Unmet(Condition::OtherWay));
        }
        account.way(self.lost.other())
    }

    /// Refuses a new address that does not replace the lost one.
    pub(super) fn may_recover_to(&self, account: &Account, new: &Way) -> Result<(), Refusal> {
        if self.step == ProcessStep::Open {
            return Err(Refusal::WrongState);
        }
        if new.kind != self.lost || account.way(self.lost)?.same(new) {
            return Err(Refusal::Invalid {
                field: "address",
                why: "not a new address of the lost kind",
            });
        }
        Ok(())
    }

    /// The address that the second code went to.
    pub(super) fn sent_to(&self) -> Option<&Way> {
        match &self.step {
            ProcessStep::NewAddressSent { way } => Some(way),
            ProcessStep::Open | ProcessStep::Verified { .. } => None,
        }
    }
}

impl Account {
    /// Refuses the recovery of an address that the account does not have, or that is its only one.
    pub(super) fn may_recover(&self, lost: WayKind) -> Result<(), Refusal> {
        self.way(lost)?;
        match self.own(lost.other()) {
            Some(_) => Ok(()),
            None => Err(Refusal::Unmet(Condition::SpareAddress)),
        }
    }

    /// Refuses during a cool-down, and while the address that is kept is too new to prove anything.
    pub(super) fn may_prove_with(
        &self,
        kept: WayKind,
        now: Timestamp,
        span: Duration,
    ) -> Result<(), Refusal> {
        self.unrestricted(now)?;
        match self.proves_after(kept, now, span) {
            Some(until) => Err(Refusal::Unmet(Condition::CooledDown { until })),
            None => Ok(()),
        }
    }

    /// Puts a proved address in the place of the one of its kind, whose second step it keeps. Returns the old one.
    pub(super) fn replace(&mut self, new: Way, now: Timestamp) -> Result<Way, Refusal> {
        let own = self.own_mut(new.kind).as_mut();
        let own = own.ok_or(Refusal::Unmet(Condition::HasAddress))?;
        let old = std::mem::replace(&mut own.way, new);
        own.verified = now;
        self.has_changed();
        Ok(old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::Id;
    use crate::core::port::store::RowId;
    use crate::person::process::tests::steps;
    use crate::proof::account::tests::{EMAIL, PHONE, anna, anna_with_phone, at};

    /// The recovery of a lost phone number.
    fn flow(step: ProcessStep) -> AddressRecoveryFlow {
        AddressRecoveryFlow {
            bound: Bound {
                account: Id::new(RowId([1; 16])),
                epoch: 0,
            },
            lost: WayKind::Phone,
            step,
        }
    }

    #[test]
    fn an_address_is_recovered_over_another_one() {
        assert_eq!(anna_with_phone().may_recover(WayKind::Phone), Ok(()));
        assert_eq!(
            anna().may_recover(WayKind::Phone),
            Err(Refusal::Unmet(Condition::HasAddress))
        );
        assert_eq!(
            anna().may_recover(WayKind::Email),
            Err(Refusal::Unmet(Condition::SpareAddress))
        );
    }

    #[test]
    fn the_first_code_never_goes_to_the_lost_address() {
        let (flow, account) = (flow(ProcessStep::Open), anna_with_phone());
        for to in [None, Some(WayKind::Email)] {
            assert_eq!(flow.kept_way(&account, to), Ok(Way::email(EMAIL)));
        }
        assert_eq!(
            flow.kept_way(&account, Some(WayKind::Phone)),
            Err(Refusal::Unmet(Condition::OtherWay))
        );
    }

    #[test]
    fn a_new_address_follows_the_first_code_and_may_be_corrected() {
        let account = anna_with_phone();
        let new = Way::phone("+4915187654321");
        let allowed: Vec<_> = steps()
            .into_iter()
            .map(|step| flow(step).may_recover_to(&account, &new))
            .collect();
        assert_eq!(allowed, [Err(Refusal::WrongState), Ok(()), Ok(())]);
    }

    #[test]
    fn a_new_address_is_another_one_of_the_lost_kind() {
        let account = anna_with_phone();
        let flow = flow(ProcessStep::Verified { until: at(1) });
        for bad in [Way::email("new@example.com"), Way::phone(PHONE)] {
            assert_eq!(
                flow.may_recover_to(&account, &bad),
                Err(Refusal::Invalid {
                    field: "address",
                    why: "not a new address of the lost kind",
                }),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn the_second_code_is_for_the_address_that_was_named_last() {
        let sent_to: Vec<_> = steps()
            .into_iter()
            .map(|step| flow(step).sent_to().cloned())
            .collect();
        assert_eq!(sent_to, [None, None, Some(Way::email(EMAIL))]);
    }

    #[test]
    fn a_recovered_address_keeps_its_second_step() {
        let mut account = anna_with_phone();
        account.phone.as_mut().unwrap().second_step = true;
        let new = Way::phone("+4915187654321");
        assert_eq!(account.replace(new.clone(), at(9)), Ok(Way::phone(PHONE)));
        let own = account.phone.clone().unwrap();
        assert_eq!((own.way, own.second_step), (new, true));
        assert_eq!((own.verified, account.epoch), (at(9), 1));
        account.email = None;
        assert_eq!(
            account.replace(Way::email(EMAIL), at(9)),
            Err(Refusal::Unmet(Condition::HasAddress))
        );
    }
}
