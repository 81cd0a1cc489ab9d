//! The budgets that a send of a one-time token draws on.

use crate::core::caller::Caller;
use crate::core::error::Refusal;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::time::{Timestamp, days, hours};
use crate::limit::policy::SharedLimits;
use crate::limit::rate::{Rate, RateLog};
use crate::proof::Proofs;
use crate::proof::way::{Way, WayKind};

use super::issue::TokenIssue;
use super::{Operation, TokenPolicy};

/// A budget that a send draws on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SendBudget<'a> {
    /// The pause between two sends to one address in one slot.
    Pause,
    /// Sends for one operation to one address.
    Operation,
    /// Tokens that one network asks for.
    Network,
    /// Tokens to one address, whatever they are for.
    Address,
    /// Messages of all surfaces that one network asks for.
    NetworkMessages,
    /// Messages of all surfaces to phones of one country.
    CountryMessages(&'a str),
    /// Messages of all surfaces.
    AllMessages,
}

/// What a send draws on.
#[derive(Debug, PartialEq, Eq)]
struct SendBudgets<'a> {
    /// A full one is answered with a refusal.
    answered: Vec<SendBudget<'a>>,
    /// A full one only keeps the message back: an answer would tell whether the address has an account.
    silent: Vec<SendBudget<'a>>,
}

/// Whether a message leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Sends,
    KeepsSilent,
}

/// The budgets of a send for `operation` to `way`, in the order in which their rows are held.
fn budgets_of(operation: Operation, way: &Way) -> SendBudgets<'_> {
    let unproved = operation.address_is_unproved();
    // A number of no country is counted as one of "nowhere", in a row like the others.
    let country = (way.kind == WayKind::Phone)
        .then(|| SendBudget::CountryMessages(way.country().unwrap_or("nowhere")));
    // The code of a recovery goes where the account says, so the country would tell something about the account.
    let country_is_silent = operation == Operation::PasswordRecovery;
    let mut answered = vec![
        SendBudget::Pause,
        SendBudget::Operation,
        SendBudget::Network,
    ];
    answered.extend((!unproved).then_some(SendBudget::Address));
    answered.push(SendBudget::NetworkMessages);
    answered.extend(country.filter(|_| !country_is_silent));
    answered.push(SendBudget::AllMessages);
    let mut silent = Vec::new();
    silent.extend(unproved.then_some(SendBudget::Address));
    silent.extend(country.filter(|_| country_is_silent));
    SendBudgets { answered, silent }
}

impl SendBudget<'_> {
    fn rates(self, tokens: &TokenPolicy, shared: &SharedLimits) -> Vec<Rate> {
        match self {
            Self::Pause => {
                let once = u32::from(!tokens.pause.is_zero());
                vec![Rate::per(once, tokens.pause)]
            }
            Self::Operation => vec![Rate::per(tokens.sends_per_operation_hour, hours(1))],
            Self::Network => vec![Rate::per(tokens.sends_per_network_hour, hours(1))],
            Self::Address => vec![
                Rate::per(tokens.sends_per_address_hour, hours(1)),
                Rate::per(tokens.sends_per_address_day, days(1)),
            ],
            Self::NetworkMessages => vec![shared.network_messages],
            Self::CountryMessages(_) => vec![shared.country_messages],
            Self::AllMessages => vec![shared.day_messages],
        }
    }
}

impl Proofs {
    /// Draws on the budgets of a send. The refusal of a full one has changed nothing.
    pub(super) fn spend_token_sends(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        request: &TokenIssue<'_>,
    ) -> TxResult<Result<Reach, Refusal>> {
        let budgets = budgets_of(request.operation, request.way);
        let mut spend = |budgets: &[SendBudget<'_>]| {
            let spent: Vec<(RowId, Vec<Rate>)> = budgets
                .iter()
                .flat_map(|budget| self.drawn_for(*budget, caller, request))
                .collect();
            let spent: Vec<(RowId, &[Rate])> = spent
                .iter()
                .map(|(row, rates)| (*row, rates.as_slice()))
                .collect();
            self.spend_rates(tx, now, &spent)
        };
        if let Err(refusal) = spend(&budgets.answered)? {
            return Ok(Err(refusal));
        }
        Ok(Ok(match spend(&budgets.silent)? {
            Ok(()) => Reach::Sends,
            Err(_) => Reach::KeepsSilent,
        }))
    }

    /// The rows of a budget, and what each allows: one, but for the networks around a caller.
    fn drawn_for(
        &self,
        budget: SendBudget<'_>,
        caller: &Caller,
        request: &TokenIssue<'_>,
    ) -> Vec<(RowId, Vec<Rate>)> {
        let rates = budget.rates(&self.policy.tokens, &self.shared);
        let name = match budget {
            SendBudget::Network => "tokens for network",
            SendBudget::NetworkMessages => "messages for network",
            _ => return vec![(self.budget_row(budget, &caller.network, request), rates)],
        };
        let networks = rates
            .into_iter()
            .flat_map(|rate| self.network_rates(name, caller, rate));
        networks.map(|(row, [rate])| (row, vec![rate])).collect()
    }

    fn budget_row(&self, budget: SendBudget<'_>, network: &str, request: &TokenIssue<'_>) -> RowId {
        let norm = request.way.norm.as_bytes();
        let named = |parts: &[&[u8]]| self.rows.named::<RateLog>(parts).row();
        match budget {
            SendBudget::Pause => named(&[b"token pause", request.slot.as_bytes(), norm]),
            SendBudget::Operation => named(&[
                b"token sends",
                request.operation.name().as_bytes(),
                request.counted_as.as_bytes(),
            ]),
            SendBudget::Network => named(&[b"tokens for network", network.as_bytes()]),
            SendBudget::Address => named(&[b"tokens to", norm]),
            SendBudget::NetworkMessages => named(&[b"messages for network", network.as_bytes()]),
            SendBudget::CountryMessages(code) => named(&[b"messages to country", code.as_bytes()]),
            SendBudget::AllMessages => named(&[b"messages", b""]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn policy() -> TokenPolicy {
        TokenPolicy {
            life_email: Duration::from_secs(1_800),
            life_phone: Duration::from_secs(600),
            tries: 5,
            pause: Duration::from_secs(60),
            sends_per_process: 5,
            sends_per_operation_hour: 5,
            sends_per_address_hour: 20,
            sends_per_address_day: 50,
            sends_per_network_hour: 60,
        }
    }

    fn shared() -> SharedLimits {
        SharedLimits {
            queue_per_subject: 64,
            wait: Duration::from_secs(20),
            network_messages: Rate::per(1, hours(1)),
            country_messages: Rate::per(2, days(1)),
            day_messages: Rate::per(3, days(1)),
        }
    }

    #[test]
    fn an_address_that_the_caller_has_proved_answers_with_its_own_limit() {
        let way = Way::email("anna@example.com");
        let budgets = budgets_of(Operation::Login, &way).answered;
        assert_eq!(
            budgets,
            [
                SendBudget::Pause,
                SendBudget::Operation,
                SendBudget::Network,
                SendBudget::Address,
                SendBudget::NetworkMessages,
                SendBudget::AllMessages,
            ]
        );
    }

    #[test]
    fn the_limit_of_an_unproved_address_is_never_answered() {
        let way = Way::phone("+4915112345678");
        for operation in Operation::ALL {
            let budgets = budgets_of(operation, &way);
            let unproved = operation.address_is_unproved();
            assert_eq!(
                budgets.silent.contains(&SendBudget::Address),
                unproved,
                "{operation:?}"
            );
            assert_ne!(
                budgets.answered.contains(&SendBudget::Address),
                unproved,
                "{operation:?}"
            );
        }
    }

    #[test]
    fn the_country_of_the_phone_of_a_recovery_is_not_told() {
        let way = Way::phone("+4915112345678");
        let country = SendBudget::CountryMessages("+49");
        assert!(
            budgets_of(Operation::PasswordRecovery, &way)
                .silent
                .contains(&country)
        );
        for operation in Operation::ALL {
            let answered = budgets_of(operation, &way).answered.contains(&country);
            assert_eq!(answered, operation != Operation::PasswordRecovery);
        }
    }

    #[test]
    fn a_number_of_no_country_is_counted_like_the_others() {
        let (phone, email) = (Way::phone(""), Way::email("a@example.com"));
        let budgets = budgets_of(Operation::Login, &phone).answered;
        assert!(budgets.contains(&SendBudget::CountryMessages("nowhere")));
        let email = budgets_of(Operation::Login, &email).answered;
        assert!(
            !email
                .iter()
                .any(|budget| matches!(budget, SendBudget::CountryMessages(_)))
        );
    }

    #[test]
    fn a_pause_of_zero_is_off() {
        let policy = policy();
        let shared = shared();
        assert_eq!(
            SendBudget::Pause.rates(&policy, &shared),
            [Rate::per(1, Duration::from_secs(60))]
        );
        let none = TokenPolicy {
            pause: Duration::ZERO,
            ..policy
        };
        assert_eq!(
            SendBudget::Pause.rates(&none, &shared),
            [Rate::per(0, Duration::ZERO)]
        );
    }

    #[test]
    fn an_address_is_counted_by_the_hour_and_by_the_day() {
        let policy = policy();
        let shared = shared();
        assert_eq!(
            SendBudget::Address.rates(&policy, &shared),
            [Rate::per(20, hours(1)), Rate::per(50, days(1))]
        );
        assert_eq!(
            SendBudget::Operation.rates(&policy, &shared),
            [Rate::per(5, hours(1))]
        );
        assert_eq!(
            SendBudget::Network.rates(&policy, &shared),
            [Rate::per(60, hours(1))]
        );
    }

    #[test]
    fn messages_of_all_surfaces_are_counted_together() {
        let (policy, shared) = (policy(), shared());
        for (budget, count) in [
            (SendBudget::NetworkMessages, 1),
            (SendBudget::CountryMessages("+49"), 2),
            (SendBudget::AllMessages, 3),
        ] {
            let [rate] = budget.rates(&policy, &shared)[..] else {
                panic!("{budget:?} has one rate");
            };
            assert_eq!(rate.count, count, "{budget:?}");
        }
    }
}
