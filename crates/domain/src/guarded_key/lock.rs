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

    proptest! {
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
