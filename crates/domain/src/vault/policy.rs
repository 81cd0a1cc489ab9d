//! The settings of vaults: how long things live, and how often they may happen.

use std::time::Duration;

use super::plan::Plans;
use crate::core::time::{days, hours};
use crate::limit::budget::GuessLimits;
use crate::limit::rate::Rate;

/// What an operator sets for accounts with encrypted vaults.
#[derive(Debug, Clone)]
pub struct VaultPolicy {
    /// The address below which the pages behind links are, without a slash at the end.
    pub base_url: String,
    pub session_life: Duration,
    pub handshake_life: Duration,
    pub approval_life: Duration,
    pub web_pass_life: Duration,
    /// Whether an address must be confirmed before it has an account.
    pub confirm_addresses: bool,
    pub confirm_life: Duration,
    pub confirmations_per_address: Rate,
    /// Messages to the owner of a name that others try to register.
    pub warnings_per_address: Rate,
    /// Calls without a session in each clock hour, for each network; 0 is no limit.
    pub network_calls_per_hour: u32,
    /// Wrong passwords for one name from one network.
    pub failures_from_network: GuessLimits,
    /// Wrong passwords for one name from all networks. Larger, so that a stranger cannot easily lock an owner out.
    pub failures_from_anywhere: GuessLimits,
    /// Requests to read one slot that wait for its owner; 0 is no limit.
    pub pending_approvals_per_slot: usize,
    pub notices_per_slot: Rate,
    pub plans: Plans,
}

impl Default for VaultPolicy {
    fn default() -> Self {
        let failures = |failures| GuessLimits {
            failures,
            window: Duration::from_secs(900),
            in_a_row: 0,
        };
        Self {
            base_url: "http://127.0.0.1:8080/api/v1".to_owned(),
            session_life: hours(1),
            handshake_life: Duration::from_secs(120),
            approval_life: Duration::from_secs(600),
            web_pass_life: Duration::from_secs(120),
            confirm_addresses: true,
            confirm_life: days(1),
            confirmations_per_address: Rate::per(5, days(1)),
            warnings_per_address: Rate::per(1, days(1)),
            network_calls_per_hour: 600,
            failures_from_network: failures(20),
            failures_from_anywhere: failures(200),
            pending_approvals_per_slot: 5,
            notices_per_slot: Rate::per(30, hours(1)),
            plans: Plans::default(),
        }
    }
}
