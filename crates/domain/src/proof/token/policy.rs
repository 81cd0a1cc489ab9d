//! The numbers of one-time tokens.

use std::time::Duration;

use crate::proof::way::WayKind;

/// The numbers of one-time tokens. A pause or limit of zero is off.
#[derive(Debug, Clone)]
pub struct TokenPolicy {
    pub life_email: Duration,
    pub life_phone: Duration,
    /// Wrong codes that a token takes.
    pub tries: u32,
    /// The least time between two sends to one address for one purpose.
    pub pause: Duration,
    pub sends_per_process: u32,
    pub sends_per_operation_hour: u32,
    pub sends_per_address_hour: u32,
    pub sends_per_address_day: u32,
    pub sends_per_network_hour: u32,
}

impl TokenPolicy {
    /// How long a token that goes to this kind of address lives.
    pub fn life(&self, kind: WayKind) -> Duration {
        match kind {
            WayKind::Email => self.life_email,
            WayKind::Phone => self.life_phone,
        }
    }
}
