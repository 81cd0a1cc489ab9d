//! The numbers that PIN-guarded keys work with.

use std::time::Duration;

use crate::limit::budget::GuessLimits;
use crate::limit::rate::Rate;

/// PIN-guarded keys and their recovery.
#[derive(Debug, Clone)]
pub struct GuardedKeyPolicy {
    pub guesses: GuessLimits,
    /// The delay of a recovery.
    pub lock: Duration,
    /// How long an opened lock may be used.
    pub lock_use: Duration,
    pub code_life: Duration,
    pub contacts_per_key: u64,
    pub sends_per_contact: [Rate; 2],
    pub sends_per_address: Rate,
    pub sends_per_network: Rate,
    pub sends_in_all: Rate,
    pub new_keys_per_network: Rate,
    /// Probes for unknown contacts, per key.
    pub unknown_contacts_per_key: Rate,
    /// Without stored addresses there are no notices, and locks open without an alert.
    pub store_addresses: bool,
}

impl GuardedKeyPolicy {
    /// The numbers for a contact's codes: the same window, and no end after so many in a row. A code is
    /// recovery itself, so there is nothing to send its owner to, and strangers must not be able to
    /// close it for good.
    pub(crate) fn code_guesses(&self) -> GuessLimits {
        GuessLimits {
            in_a_row: 0,
            ..self.guesses
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::Policy;

    #[test]
    fn codes_have_the_window_of_pins_and_no_end_after_so_many_in_a_row() {
        for failures in [0, 1, 10] {
            let mut policy = Policy::default().guarded_key;
            policy.guesses.failures = failures;
            let codes = policy.code_guesses();
            assert_eq!(codes.failures, failures);
            assert_eq!(codes.window, policy.guesses.window);
            assert_eq!(codes.in_a_row, 0);
            assert_ne!(policy.guesses.in_a_row, 0, "a PIN ends for good");
        }
    }
}
