//! Plans: how much an account may store and do. The operator defines them by name.

use std::collections::BTreeMap;

use super::entry::Notify;
use crate::core::error::Refusal;

/// The numbers of a plan.
///
/// A smaller plan never deletes or hides what is already there; it only refuses additions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a plan is a list of what is allowed"
)]
pub struct Plan {
    pub name: String,
    /// Calls in each clock hour; 0 is no limit.
    pub calls_per_hour: u32,
    pub entries: u64,
    /// Slots for outside readers, slots of receivers and open share requests of one entry, together.
    pub slots_per_entry: usize,
    /// UTF-8 bytes of an entry's two texts together.
    pub entry_bytes: usize,
    pub sharing: bool,
    pub notify_on_use: bool,
    pub approve_use: bool,
    /// Shown to the account; nothing else depends on it.
    pub deprecated: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            name: "Default".to_owned(),
            calls_per_hour: 1000,
            entries: 1000,
            slots_per_entry: 10,
            entry_bytes: 16_384,
            sharing: true,
            notify_on_use: true,
            approve_use: true,
            deprecated: false,
        }
    }
}

/// A member of [`Plan`] that a call would need more of. Its name is that of the field.
const fn lacks(need: &'static str) -> Refusal {
    Refusal::Forbidden { need }
}

impl Plan {
    /// Whether one more entry may be added to `entries`.
    pub(super) fn allows_entry_beside(&self, entries: u64) -> Result<(), Refusal> {
        if entries < self.entries {
            Ok(())
        } else {
            Err(lacks("entries"))
        }
    }

    /// Whether an entry may have texts of `bytes` bytes in all.
    pub(super) fn allows_bytes(&self, bytes: usize) -> Result<(), Refusal> {
        if bytes <= self.entry_bytes {
            Ok(())
        } else {
            Err(lacks("entry_bytes"))
        }
    }

    /// Whether an entry of which `used` slots and requests exist may have one more.
    pub(super) fn allows_slot_beside(&self, used: usize) -> Result<(), Refusal> {
        if used < self.slots_per_entry {
            Ok(())
        } else {
            Err(lacks("slots_per_entry"))
        }
    }

    /// Whether a slot may tell or ask its owner in this way.
    pub(super) fn allows_notify(&self, notify: Notify) -> Result<(), Refusal> {
        match notify {
            Notify::OnUse if !self.notify_on_use => Err(lacks("notify_on_use")),
            Notify::Approve if !self.approve_use => Err(lacks("approve_use")),
            Notify::Never | Notify::OnUse | Notify::Approve => Ok(()),
        }
    }

    /// Whether entries may be shared with other accounts.
    pub(super) fn allows_sharing(&self) -> Result<(), Refusal> {
        if self.sharing {
            Ok(())
        } else {
            Err(lacks("sharing"))
        }
    }
}

/// All plans, and the name of the default.
#[derive(Debug, Clone)]
pub struct Plans {
    pub by_name: BTreeMap<String, Plan>,
    pub default: String,
}

impl Plans {
    /// The plan of that name. If there is no name, or no such plan any more: the default plan.
    pub fn named(&self, name: Option<&str>) -> Plan {
        let named = name.and_then(|name| self.by_name.get(name));
        named
            .or_else(|| self.by_name.get(&self.default))
            .cloned()
            .unwrap_or_default()
    }

    /// Whether an operator may give this plan to an account. `None` gives the default again.
    pub(super) fn may_give(&self, name: Option<&str>) -> Result<(), Refusal> {
        match name {
            Some(name) if !self.by_name.contains_key(name) => Err(Refusal::Invalid {
                field: "plan",
                why: "is not in the configuration",
            }),
            Some(_) | None => Ok(()),
        }
    }
}

impl Default for Plans {
    fn default() -> Self {
        let plan = Plan::default();
        let default = plan.name.clone();
        Self {
            by_name: BTreeMap::from([(default.clone(), plan)]),
            default,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(change: impl FnOnce(&mut Plan)) -> Plan {
        let mut plan = Plan::default();
        change(&mut plan);
        plan
    }

    #[test]
    fn the_last_free_entry_is_allowed_and_no_more() {
        let plan = plan(|plan| plan.entries = 3);
        assert_eq!(plan.allows_entry_beside(0), Ok(()));
        assert_eq!(plan.allows_entry_beside(2), Ok(()));
        assert_eq!(plan.allows_entry_beside(3), Err(lacks("entries")));
        assert_eq!(plan.allows_entry_beside(9), Err(lacks("entries")));
    }

    #[test]
    fn a_plan_without_entries_allows_none() {
        let plan = plan(|plan| plan.entries = 0);
        assert_eq!(plan.allows_entry_beside(0), Err(lacks("entries")));
    }

    #[test]
    fn an_entry_may_be_exactly_as_large_as_the_plan_says() {
        let plan = plan(|plan| plan.entry_bytes = 100);
        assert_eq!(plan.allows_bytes(0), Ok(()));
        assert_eq!(plan.allows_bytes(100), Ok(()));
        assert_eq!(plan.allows_bytes(101), Err(lacks("entry_bytes")));
    }

    #[test]
    fn the_last_free_slot_is_allowed_and_no_more() {
        let plan = plan(|plan| plan.slots_per_entry = 2);
        assert_eq!(plan.allows_slot_beside(1), Ok(()));
        assert_eq!(plan.allows_slot_beside(2), Err(lacks("slots_per_entry")));
        // A smaller plan may find more slots than it allows.
        assert_eq!(plan.allows_slot_beside(5), Err(lacks("slots_per_entry")));
    }

    #[test]
    fn each_way_to_notify_needs_its_own_feature() {
        let nothing = plan(|plan| {
            plan.notify_on_use = false;
            plan.approve_use = false;
        });
        assert_eq!(nothing.allows_notify(Notify::Never), Ok(()));
        assert_eq!(
            nothing.allows_notify(Notify::OnUse),
            Err(lacks("notify_on_use"))
        );
        assert_eq!(
            nothing.allows_notify(Notify::Approve),
            Err(lacks("approve_use"))
        );
        let only_notices = plan(|plan| plan.approve_use = false);
        assert_eq!(only_notices.allows_notify(Notify::OnUse), Ok(()));
        let only_approvals = plan(|plan| plan.notify_on_use = false);
        assert_eq!(only_approvals.allows_notify(Notify::Approve), Ok(()));
    }

    #[test]
    fn sharing_can_be_switched_off() {
        assert_eq!(Plan::default().allows_sharing(), Ok(()));
        let without = plan(|plan| plan.sharing = false);
        assert_eq!(without.allows_sharing(), Err(lacks("sharing")));
    }

    fn plans() -> Plans {
        let small = plan(|plan| plan.name = "Small".to_owned());
        let large = plan(|plan| plan.name = "Large".to_owned());
        Plans {
            by_name: [small, large].map(|plan| (plan.name.clone(), plan)).into(),
            default: "Small".to_owned(),
        }
    }

    #[test]
    fn a_named_plan_is_found_and_any_other_name_is_the_default() {
        let plans = plans();
        assert_eq!(plans.named(Some("Large")).name, "Large");
        assert_eq!(plans.named(Some("Gone")).name, "Small");
        assert_eq!(plans.named(None).name, "Small");
    }

    #[test]
    fn if_the_default_itself_is_gone_the_built_in_plan_counts() {
        let plans = Plans {
            default: "Gone".to_owned(),
            ..plans()
        };
        assert_eq!(plans.named(None), Plan::default());
    }

    #[test]
    fn an_operator_may_give_configured_plans_and_the_default() {
        let plans = plans();
        assert_eq!(plans.may_give(Some("Large")), Ok(()));
        assert_eq!(plans.may_give(None), Ok(()));
        assert_eq!(
            plans.may_give(Some("large")),
            Err(Refusal::Invalid {
                field: "plan",
                why: "is not in the configuration"
            })
        );
    }
}
