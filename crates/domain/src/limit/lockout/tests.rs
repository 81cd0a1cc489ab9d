use proptest::prelude::*;

use super::*;
use crate::limit::counter::laws::{self, Promise};

const MINUTE: u64 = 60_000;
const CODES: LockRules = LockRules {
    first: 10,
    every: 5,
    lock: Duration::from_secs(900),
    growth: Growth::Doubling {
        longest: Duration::from_secs(86_400),
    },
    hard_stop: 100,
    within: None,
};

fn at(minutes: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(minutes * MINUTE).unwrap())
}

fn failed(count: u32, rules: &LockRules) -> Lockout {
    let mut lockout = Lockout::default();
    for _ in 0..count {
        lockout.count(at(0), rules);
    }
    lockout
}

#[test]
fn after_a_rollback_a_lockout_has_one_try_before_its_next_lock_once_for_each_era() {
    let lost = |era: u64, hours: u64| Lost {
        era,
        span: Some(Duration::from_secs(hours * 3_600)),
    };
    let mut lockout = Lockout::default();
    lockout.limit_to_one_try(&CODES, lost(1, 0));
    assert_eq!(lockout.reserve(at(0), &CODES, TryId(1)), Reserve::Granted);
    assert_eq!(lockout.reserve(at(0), &CODES, TryId(2)), Reserve::Wait);
    lockout.fail(at(0), &CODES, TryId(1));
    assert!(lockout.locked(at(0), &CODES).is_some());
    let spent = lockout.clone();
    lockout.limit_to_one_try(&CODES, lost(1, 0));
    assert_eq!(lockout, spent);
    let mut lockout = Lockout::default();
    lockout.limit_to_one_try(&CODES, lost(1, 0));
    assert_eq!(lockout.reserve(at(0), &CODES, TryId(1)), Reserve::Granted);
    lockout.succeed(TryId(1));
    assert_eq!(lockout.left(at(0), &CODES), Some(10));
    // What the locks let anybody fail in a day, and never the last.
    let mut day = Lockout::default();
    day.limit_to_one_try(&CODES, lost(1, 24));
    assert!((30..60).contains(&day.in_a_row()), "{}", day.in_a_row());
    let mut years = Lockout::default();
    years.limit_to_one_try(&CODES, lost(1, 24 * 1_000));
    assert_eq!(years.in_a_row(), 99);
    let mut untold = Lockout::default();
    untold.limit_to_one_try(&CODES, Lost { era: 1, span: None });
    assert_eq!(untold.in_a_row(), 99);
}

#[test]
fn locks_double_from_the_tenth_failure_to_a_day_and_the_hundredth_is_the_last() {
    assert_eq!(failed(9, &CODES).locked(at(0), &CODES), None);
    for (failures, minutes) in [
        (10, 15),
        (14, 15),
        (15, 30),
        (20, 60),
        (45, 1440),
        (99, 1440),
    ] {
        let lockout = failed(failures, &CODES);
        assert_eq!(
            lockout.locked(at(0), &CODES),
            Some(at(minutes)),
            "{failures}"
        );
        assert_eq!(lockout.locked(at(minutes), &CODES), None);
    }
    assert_eq!(
        failed(100, &CODES).locked(at(9999), &CODES),
        Some(Timestamp::NEVER)
    );
}

#[test]
fn a_success_forgets_and_a_lost_try_counts() {
    let mut lockout = failed(8, &CODES);
    assert_eq!(lockout.reserve(at(0), &CODES, TryId(1)), Reserve::Granted);
    assert_eq!(lockout.reserve(at(0), &CODES, TryId(2)), Reserve::Granted);
    assert_eq!(lockout.reserve(at(0), &CODES, TryId(3)), Reserve::Wait);
    assert_eq!(
        lockout.reserve(at(1), &CODES, TryId(4)),
        Reserve::Exhausted { until: at(15) }
    );
    lockout.succeed(TryId(2));
    assert_eq!(lockout.in_a_row(), 0);
    assert_eq!(lockout.locked(at(1), &CODES), None);
}

#[test]
fn fifty_within_an_hour_lock_in_a_row_or_not() {
    let rules = LockRules {
        first: 0,
        every: 0,
        growth: Growth::Flat,
        within: Some((50, Duration::from_secs(3600))),
        ..CODES
    };
    let mut lockout = failed(49, &rules);
    assert_eq!(lockout.locked(at(0), &rules), None);
    lockout.count(at(60), &rules);
    assert_eq!(lockout.locked(at(60), &rules), None);
    assert_eq!(failed(50, &rules).locked(at(0), &rules), Some(at(15)));
}

#[test]
fn without_numbers_nothing_ever_locks() {
    let lockout = failed(1_000, &UNKNOWN_RULES);
    assert_eq!(lockout.locked(at(0), &UNKNOWN_RULES), None);
    assert_eq!(lockout.left(at(0), &UNKNOWN_RULES), None);
    let mut limited = Lockout::default();
    let lost = Lost { era: 1, span: None };
    limited.limit_to_one_try(&UNKNOWN_RULES, lost);
    limited.count(at(0), &UNKNOWN_RULES);
    assert_eq!(limited.locked(at(0), &UNKNOWN_RULES), None);
}

#[test]
fn failures_left_before_the_next_lock_are_those_of_the_strictest_rule() {
    for (failures, left) in [(0, 10), (9, 1), (10, 5), (14, 1), (15, 5), (97, 3), (99, 1)] {
        let lockout = failed(failures, &CODES);
        assert_eq!(lockout.left(at(0), &CODES), Some(left), "{failures}");
    }
    let hourly = LockRules {
        within: Some((4, Duration::from_secs(3600))),
        ..CODES
    };
    let lockout = failed(2, &hourly);
    assert_eq!(lockout.left(at(59), &hourly), Some(2));
    assert_eq!(lockout.left(at(60), &hourly), Some(4), "the hour is over");
}

#[test]
fn flat_locks_stay_as_long_as_the_first() {
    let flat = LockRules {
        growth: Growth::Flat,
        ..CODES
    };
    for failures in [10, 15, 50, 95] {
        let lockout = failed(failures, &flat);
        assert_eq!(lockout.locked(at(0), &flat), Some(at(15)), "{failures}");
    }
}

#[test]
fn a_lock_that_runs_is_never_shortened_by_a_later_failure() {
    let mut lockout = failed(45, &CODES);
    assert_eq!(lockout.locked(at(0), &CODES), Some(at(1440)));
    let flat = LockRules {
        growth: Growth::Flat,
        ..CODES
    };
    for _ in 0..5 {
        lockout.count(at(1), &flat);
    }
    assert_eq!(lockout.locked(at(1), &flat), Some(at(1440)));
}

#[test]
fn a_try_that_was_counted_when_it_expired_is_not_counted_again() {
    let mut lockout = Lockout::default();
    assert_eq!(lockout.reserve(at(0), &CODES, TryId(1)), Reserve::Granted);
    lockout.expire(at(1), &CODES);
    assert_eq!(lockout.failures(), 1);
    lockout.fail(at(1), &CODES, TryId(1));
    assert_eq!(lockout.failures(), 1);
}

#[test]
fn a_withdrawn_try_leaves_the_lockout_as_it_was() {
    let mut lockout = failed(3, &CODES);
    let before = lockout.clone();
    assert_eq!(lockout.reserve(at(0), &CODES, TryId(1)), Reserve::Granted);
    lockout.withdraw(TryId(2));
    assert_ne!(lockout, before, "another try's id withdraws nothing");
    lockout.withdraw(TryId(1));
    assert_eq!(lockout, before);
}

#[test]
fn a_lockout_is_stored_under_the_names_that_older_releases_know() {
    let mut lockout = Lockout::default();
    let stored = |lockout: &Lockout| serde_json::to_value(lockout).unwrap();
    let plain = serde_json::json!({
        "in_a_row": 0, "recent": [], "locked_until": null, "in_flight": [],
    });
    assert_eq!(stored(&lockout), plain);
    lockout.limit_to_one_try(&UNKNOWN_RULES, Lost { era: 3, span: None });
    let limited = stored(&lockout);
    assert_eq!(limited["burned"], 3);
    assert_eq!(limited["last_try"], true);
    assert_eq!(serde_json::from_value::<Lockout>(limited).unwrap(), lockout);
}

/// Tries that were lost count from the moment when they were reserved, and so does the lock that they bring.
fn promises(rules: &LockRules) -> [Promise; 2] {
    [
        Promise {
            failures: rules.first.max(rules.every) as usize,
            span: rules.lock.saturating_sub(RESERVATION_LIFE),
        },
        Promise {
            failures: rules.hard_stop as usize,
            span: days(36_500),
        },
    ]
}

/// Until when nothing may be checked, worked out from the whole history.
fn model(wrong: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
    if wrong.len() >= 100 {
        return Some(Timestamp::NEVER);
    }
    let locks = wrong.iter().skip(9).step_by(5).zip(0..);
    locks
        .map(|(moment, earlier)| {
            let length = CODES.lock * 2_u32.pow(std::cmp::min(earlier, 10));
            moment.plus(length.min(Duration::from_hours(24)))
        })
        .filter(|until| *until > now)
        .max()
}

proptest! {
    #[test]
    fn the_lockout_agrees_with_a_replay_of_its_history(answers in laws::answers(20_000)) {
        laws::agrees_with::<Lockout>(&CODES, model, &answers)?;
    }

    #[test]
    fn no_schedule_judges_more_than_lead_to_the_next_lock(schedule in laws::schedule(4_000)) {
        laws::keeps::<Lockout>(&CODES, &promises(&CODES), &schedule)?;
    }

    #[test]
    fn a_try_that_is_given_back_leaves_no_trace(schedule in laws::schedule(4_000)) {
        laws::withdrawing_leaves_no_trace::<Lockout>(&CODES, &schedule)?;
    }

    #[test]
    fn a_right_try_forgets_the_wrong_ones(schedule in laws::schedule(4_000)) {
        laws::a_success_forgets::<Lockout>(&CODES, &schedule)?;
    }
}
