//! Plans: how much an account may keep and do. Set by the operator, by name.

use std::collections::BTreeMap;

/// The numbers of a plan. A shrinking plan never deletes or hides anything; it refuses additions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a plan is a list of what is allowed"
)]
pub struct Plan {
    pub name: String,
    /// Calls in an hour; 0 is no limit.
    pub calls_per_hour: u32,
    pub entries: u64,
    /// Slots for readers, slots of receivers and open requests of an entry, together.
    pub slots_per_entry: usize,
    /// UTF-8 bytes of an entry's two texts together.
    pub entry_bytes: usize,
    pub sharing: bool,
    pub notify_on_use: bool,
    pub approve_use: bool,
    /// Shown to the account; nothing else follows from it.
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

/// All plans and the one that counts where none, or one that is gone, is named.
#[derive(Debug, Clone)]
pub struct Plans {
    pub by_name: BTreeMap<String, Plan>,
    pub default: String,
}

impl Plans {
    pub fn named(&self, name: Option<&str>) -> Plan {
        let named = name.and_then(|name| self.by_name.get(name));
        named
            .or_else(|| self.by_name.get(&self.default))
            .cloned()
            .unwrap_or_default()
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
