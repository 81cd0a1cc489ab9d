//! Who is familiar with a subject: callers from a network from which its right secret was shown lately.
//!
//! Every limit that strangers can use up is one exact sum with two parts: what strangers may spend, and what familiar
//! callers may spend. So strangers cannot shut an owner out who calls from a network as usual, and whoever shares
//! that network still meets the limit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::caller::Caller;
use crate::core::id::Id;
use crate::core::port::store::{Kind, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::{Timestamp, days};
use crate::limit::Limits;

/// How a caller stands to a subject before anything was proved in the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerStanding {
    /// Nothing is known of the caller.
    Stranger,
    /// The right secret was shown from the caller's network lately.
    Familiar,
}

/// What is known about who is familiar with a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Familiarity {
    /// How the caller stands to it.
    pub(crate) standing: CallerStanding,
    /// Whether there is a network whose callers are familiar with it.
    pub(crate) anybody: bool,
}

/// How long a network stays familiar after the right secret was shown from it.
const KEPT: Duration = days(90);
/// Networks that one subject has.
const MOST: usize = 8;
/// A network that was seen so lately is not written again.
const FRESH: Duration = days(1);

/// The networks from which the right secret of a subject was shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Familiar {
    networks: Vec<FamiliarNetwork>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FamiliarNetwork {
    network: String,
    at: Timestamp,
}

impl Record for Familiar {
    const KIND: Kind = "familiar";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    // The older database may list a network that a new secret has made strange since.
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

impl Familiar {
    /// How a caller from `network` stands at `now`.
    fn standing(&self, now: Timestamp, network: &str) -> CallerStanding {
        let known = self.live(now).any(|seen| seen.network == network);
        if known {
            CallerStanding::Familiar
        } else {
            CallerStanding::Stranger
        }
    }

    fn live(&self, now: Timestamp) -> impl Iterator<Item = &FamiliarNetwork> {
        self.networks
            .iter()
            .filter(move |seen| now < seen.at.plus(KEPT))
    }

    /// Notes that the right secret was shown from `network`. The network that was seen least lately makes room.
    /// Returns whether anything changed that is worth a write.
    fn see(&mut self, now: Timestamp, network: &str) -> bool {
        let fresh = |seen: &FamiliarNetwork| seen.network == network && now < seen.at.plus(FRESH);
        if self.networks.iter().any(fresh) {
            return false;
        }
        let mut live: Vec<FamiliarNetwork> = self.live(now).cloned().collect();
        live.retain(|seen| seen.network != network);
        live.sort_by_key(|seen| seen.at);
        let room = live.len().saturating_sub(MOST - 1);
        live.drain(..room);
        live.push(FamiliarNetwork {
            network: network.to_owned(),
            at: now,
        });
        self.networks = live;
        true
    }

    /// Forgets every network but `network`, from which a new secret was set.
    fn only(now: Timestamp, network: &str) -> Self {
        let mut familiar = Self::default();
        familiar.see(now, network);
        familiar
    }
}

impl Limits {
    fn familiar_row(&self, subject: RowId) -> Id<Familiar> {
        self.rows.named(&[&subject.0])
    }

    /// How a caller stands to a subject, and whether anybody is familiar with it.
    pub(crate) fn familiarity(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        subject: RowId,
        caller: &Caller,
    ) -> TxResult<Familiarity> {
        let familiar = self.rows.peek(tx, self.familiar_row(subject))?;
        let familiar = familiar.map(|familiar| familiar.value).unwrap_or_default();
        Ok(Familiarity {
            standing: familiar.standing(now, &caller.usual_network()),
            anybody: familiar.live(now).next().is_some(),
        })
    }

    /// How a caller stands to a subject.
    pub(crate) fn standing(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        subject: RowId,
        caller: &Caller,
    ) -> TxResult<CallerStanding> {
        Ok(self.familiarity(tx, now, subject, caller)?.standing)
    }

    /// Notes that the right secret of a subject was shown by `caller`.
    pub(crate) fn make_familiar(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        subject: RowId,
        caller: &Caller,
    ) -> TxResult<()> {
        let row = self.familiar_row(subject);
        let network = caller.usual_network();
        let Some(mut familiar) = self.rows.get(tx, row)? else {
            let place = Place::at(row).due(now.plus(KEPT));
            self.rows
                .create(tx, self.tenant(), place, Familiar::only(now, &network))?;
            return Ok(());
        };
        if familiar.value.see(now, &network) {
            familiar.place.due = Some(now.plus(KEPT));
            self.rows.put(tx, &mut familiar)?;
        }
        Ok(())
    }

    /// A new secret was set by `caller`: whoever knew the old one is a stranger now.
    pub(crate) fn make_others_strangers(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        subject: RowId,
        caller: &Caller,
    ) -> TxResult<()> {
        self.forget_familiar(tx, subject)?;
        self.make_familiar(tx, now, subject, caller)
    }

    /// Forgets every network of a subject, with the subject or with its secret.
    pub(crate) fn forget_familiar(&self, tx: &mut dyn Tx, subject: RowId) -> TxResult<()> {
        tx.remove(Familiar::KIND, &self.familiar_row(subject).row())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).plus(days(day))
    }

    #[test]
    fn a_network_is_familiar_for_ninety_days_after_the_right_secret() {
        let mut familiar = Familiar::default();
        assert_eq!(familiar.standing(at(0), "a"), CallerStanding::Stranger);
        assert!(familiar.see(at(0), "a"));
        assert_eq!(familiar.standing(at(89), "a"), CallerStanding::Familiar);
        assert_eq!(familiar.standing(at(90), "a"), CallerStanding::Stranger);
        assert_eq!(familiar.standing(at(0), "b"), CallerStanding::Stranger);
    }

    #[test]
    fn a_network_that_is_seen_every_day_stays_familiar() {
        let mut familiar = Familiar::default();
        for day in 0..400 {
            familiar.see(at(day), "a");
        }
        assert_eq!(familiar.standing(at(400), "a"), CallerStanding::Familiar);
        assert_eq!(familiar.networks.len(), 1);
    }

    #[test]
    fn a_second_sight_within_a_day_is_not_written() {
        let mut familiar = Familiar::only(at(0), "a");
        let just_before = Timestamp::from_millis(at(1).millis() - 1);
        assert!(!familiar.see(just_before, "a"));
        assert!(familiar.see(at(1), "a"));
        assert!(familiar.see(at(1), "b"));
    }

    #[test]
    fn eight_networks_are_remembered_and_the_oldest_makes_room() {
        let mut familiar = Familiar::default();
        for number in 0..MOST as u64 {
            familiar.see(at(number), &number.to_string());
        }
        // FamiliarNetwork again: now "1" is the oldest.
        familiar.see(at(8), "0");
        familiar.see(at(9), "new");
        assert_eq!(familiar.networks.len(), MOST);
        assert_eq!(familiar.standing(at(9), "1"), CallerStanding::Stranger);
        for known in ["0", "2", "7", "new"] {
            assert_eq!(
                familiar.standing(at(9), known),
                CallerStanding::Familiar,
                "{known}"
            );
        }
    }

    #[test]
    fn networks_that_are_familiar_no_more_are_forgotten_first() {
        let mut familiar = Familiar::only(at(0), "old");
        familiar.see(at(100), "new");
        assert_eq!(familiar.networks.len(), 1);
    }

    #[test]
    fn a_new_secret_leaves_the_network_that_set_it() {
        let familiar = Familiar::only(at(5), "a");
        assert_eq!(familiar.standing(at(5), "a"), CallerStanding::Familiar);
        assert_eq!(familiar.standing(at(5), "b"), CallerStanding::Stranger);
    }
}
