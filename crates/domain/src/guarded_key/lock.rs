//! Time locks: a recovery that the owner hears of and can stop, and that nobody can shorten.
//!
//! A lock belongs to the proof that armed it. It opens when its whole delay has passed *and* an alert to
//! the owner was accepted by a provider at least the whole delay ago. Opened and not used, it becomes
//! void. Its moments are stored when it is armed: no later configuration moves them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::time::Timestamp;

/// A running lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryLock {
    /// Names this lock among all that the same proof ever armed.
    pub id: u64,
    pub armed: Timestamp,
    /// The earliest moment of opening.
    pub opens: Timestamp,
    /// The end of its use.
    pub void: Timestamp,
    /// When a provider first accepted an alert to the owner.
    pub alerted: Option<Timestamp>,
}

/// Whether owners can be alerted at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alerts {
    Needed,
    /// The operator stores no addresses, so nobody can be told.
    Impossible,
}

/// What a right proof meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockState {
    /// No lock was running: this one is armed now.
    Armed(RecoveryLock),
    /// Still locked until then.
    Locked { until: Timestamp },
    /// The delay has passed.
    Open,
}

impl RecoveryLock {
    fn arm(now: Timestamp, delay: Duration, usable: Duration, id: u64) -> Self {
        let opens = now.plus(delay);
        Self {
            id,
            armed: now,
            opens,
            void: opens.plus(usable),
            alerted: None,
        }
    }

    /// The moment of opening as things stand at `now`.
    pub fn opens_at(&self, now: Timestamp, alerts: Alerts) -> Timestamp {
        let delay = self.opens.since(self.armed);
        match (alerts, self.alerted) {
            (Alerts::Impossible, _) => self.opens,
            (Alerts::Needed, Some(alerted)) => self.opens.max(alerted.plus(delay)),
            (Alerts::Needed, None) => self.opens.max(now.plus(delay)),
        }
    }

    /// Whether the lock still means anything at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.void
    }

    /// The alert was accepted; only the first counts.
    pub fn alert_accepted(&mut self, now: Timestamp) {
        self.alerted.get_or_insert(now);
    }
}

/// A right proof arrives at `now` and finds `lock`.
pub fn proved(
    lock: Option<&RecoveryLock>,
    now: Timestamp,
    (delay, usable): (Duration, Duration),
    alerts: Alerts,
    id: u64,
) -> LockState {
    match lock.filter(|lock| lock.is_live(now)) {
        None => LockState::Armed(RecoveryLock::arm(now, delay, usable, id)),
        Some(lock) => {
            let opens = lock.opens_at(now, alerts);
            // What is shown before the delay is over is the moment that was first named.
            let shown = if now < lock.opens && lock.alerted.is_none() {
                lock.opens
            } else {
                opens
            };
            if now < opens {
                LockState::Locked { until: shown }
            } else {
                LockState::Open
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::days;
    use proptest::prelude::*;

    const SPANS: (Duration, Duration) = (days(30), days(30));

    fn at(day: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + day * 86_400_000)
    }

    fn armed(now: Timestamp) -> RecoveryLock {
        match proved(None, now, SPANS, Alerts::Needed, 1) {
            LockState::Armed(lock) => lock,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn thirty_days_minus_a_millisecond_is_locked_and_thirty_days_is_open() {
        let mut lock = armed(at(0));
        lock.alert_accepted(at(0));
        let early = Timestamp::from_millis(at(30).millis() - 1);
        assert_eq!(
            proved(Some(&lock), early, SPANS, Alerts::Needed, 2),
            LockState::Locked { until: at(30) }
        );
        assert_eq!(
            proved(Some(&lock), at(30), SPANS, Alerts::Needed, 2),
            LockState::Open
        );
    }

    #[test]
    fn an_unused_lock_is_void_thirty_days_after_it_opened() {
        let mut lock = armed(at(0));
        lock.alert_accepted(at(0));
        let last = Timestamp::from_millis(at(60).millis() - 1);
        assert_eq!(
            proved(Some(&lock), last, SPANS, Alerts::Needed, 2),
            LockState::Open
        );
        assert!(matches!(
            proved(Some(&lock), at(60), SPANS, Alerts::Needed, 2),
            LockState::Armed(_)
        ));
    }

    #[test]
    fn a_late_alert_moves_the_opening_and_no_alert_holds_it() {
        let mut lock = armed(at(0));
        assert_eq!(
            proved(Some(&lock), at(5), SPANS, Alerts::Needed, 2),
            LockState::Locked { until: at(30) }
        );
        assert_eq!(
            proved(Some(&lock), at(31), SPANS, Alerts::Needed, 2),
            LockState::Locked { until: at(61) }
        );
        assert_eq!(
            proved(Some(&lock), at(30), SPANS, Alerts::Impossible, 2),
            LockState::Open
        );
        lock.alert_accepted(at(3));
        lock.alert_accepted(at(9));
        assert_eq!(
            proved(Some(&lock), at(31), SPANS, Alerts::Needed, 2),
            LockState::Locked { until: at(33) }
        );
        assert_eq!(
            proved(Some(&lock), at(33), SPANS, Alerts::Needed, 2),
            LockState::Open
        );
    }

    #[test]
    fn a_lock_stores_its_moments_when_it_is_armed() {
        let lock = armed(at(0));
        assert_eq!((lock.armed, lock.opens, lock.void), (at(0), at(30), at(60)));
        assert_eq!((lock.id, lock.alerted), (1, None));
    }

    #[test]
    fn a_later_configuration_moves_no_lock() {
        let mut lock = armed(at(0));
        lock.alert_accepted(at(0));
        for other in [(days(0), days(0)), (days(1), days(1)), (days(90), days(90))] {
            let early = proved(Some(&lock), at(29), other, Alerts::Needed, 2);
            assert_eq!(early, LockState::Locked { until: at(30) }, "{other:?}");
            let open = proved(Some(&lock), at(30), other, Alerts::Needed, 2);
            assert_eq!(open, LockState::Open, "{other:?}");
        }
    }

    #[test]
    fn a_lock_without_a_delay_opens_at_the_next_proof() {
        let spans = (Duration::ZERO, days(1));
        let LockState::Armed(lock) = proved(None, at(0), spans, Alerts::Needed, 1) else {
            panic!("the first proof only arms");
        };
        let next = proved(Some(&lock), at(0), spans, Alerts::Needed, 2);
        assert_eq!(next, LockState::Open);
    }

    #[test]
    fn a_lock_lives_until_the_millisecond_before_it_is_void() {
        let lock = armed(at(0));
        assert!(lock.is_live(at(0)));
        assert!(lock.is_live(Timestamp::from_millis(at(60).millis() - 1)));
        assert!(!lock.is_live(at(60)));
    }

    #[test]
    fn only_the_first_accepted_alert_counts() {
        let mut lock = armed(at(0));
        lock.alert_accepted(at(2));
        lock.alert_accepted(at(1));
        lock.alert_accepted(at(5));
        assert_eq!(lock.alerted, Some(at(2)));
        assert_eq!(lock.opens_at(at(2), Alerts::Needed), at(32));
    }

    #[test]
    fn an_alert_so_late_that_the_delay_passes_the_end_of_its_use_leaves_the_lock_void() {
        let mut lock = armed(at(0));
        lock.alert_accepted(at(35));
        let before = proved(Some(&lock), at(59), SPANS, Alerts::Needed, 2);
        assert_eq!(before, LockState::Locked { until: at(65) });
        let after = proved(Some(&lock), at(60), SPANS, Alerts::Needed, 2);
        assert!(matches!(after, LockState::Armed(new) if new.id == 2));
    }

    proptest! {
        /// What a page shows as the opening is never before the moment that was named first.
        #[test]
        fn the_opening_never_moves_forward_in_time(alerted in proptest::option::of(0_i64..90), now in 0_i64..90) {
            let mut lock = armed(at(0));
            if let Some(alerted) = alerted {
                lock.alert_accepted(at(alerted));
            }
            let needed = lock.opens_at(at(now), Alerts::Needed);
            prop_assert!(needed >= lock.opens);
            prop_assert_eq!(lock.opens_at(at(now), Alerts::Impossible), lock.opens);
            if let Some(alerted) = alerted {
                prop_assert_eq!(needed, at(30).max(at(alerted + 30)));
            }
        }

        /// However proofs, alerts and configured delays come: never open before the delay that was in
        /// force at arming has passed since arming and since the first accepted alert.
        #[test]
        fn never_early(steps in proptest::collection::vec((0_i64..20, 0_u64..60, any::<bool>()), 1..60)) {
            let mut now = at(0);
            let mut lock: Option<RecoveryLock> = None;
            let mut promised: Option<(Timestamp, Duration)> = None;
            for (days_on, delay_days, alert) in steps {
                now = now.plus(days(u64::try_from(days_on).unwrap()));
                if alert && let Some(lock) = lock.as_mut() {
                    lock.alert_accepted(now);
                }
                match proved(lock.as_ref(), now, (days(delay_days), days(30)), Alerts::Needed, 1) {
                    LockState::Armed(new) => { promised = Some((now, days(delay_days))); lock = Some(new); }
                    LockState::Open => {
                        let (armed, delay) = promised.unwrap();
                        let alerted = lock.as_ref().unwrap().alerted;
                        prop_assert!(now >= armed.plus(delay));
                        prop_assert!(alerted.is_some_and(|alerted| now >= alerted.plus(delay)) || delay.is_zero());
                        lock = None;
                    }
                    LockState::Locked { .. } => {}
                }
            }
        }
    }
}
