use super::*;
use crate::core::time::days;
use crate::limit::counter::laws::{self, Promise};
use proptest::prelude::*;

const LIMITS: GuessLimits = GuessLimits {
    failures: 3,
    window: days(7),
    in_a_row: 8,
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)
}

fn granted(budget: &mut GuessBudget, now: Timestamp, id: u64) -> TryId {
    let id = TryId(id);
    assert_eq!(budget.reserve(now, &LIMITS, id), Reserve::Granted);
    id
}

#[test]
fn in_flight_is_not_failed() {
    let mut budget = GuessBudget::default();
    let all: Vec<_> = (0..3).map(|id| granted(&mut budget, at(0), id)).collect();
    assert_eq!(budget.reserve(at(0), &LIMITS, TryId(9)), Reserve::Wait);
    budget.succeed(all[0]);
    granted(&mut budget, at(0), 10);
    assert_eq!(budget.failed(), 0);
}

#[test]
fn exhausted_names_first_failure_plus_window_and_ends_exactly_then() {
    let mut budget = GuessBudget::default();
    for id in 0..3_u32 {
        let now = at(id.into());
        let try_ = granted(&mut budget, now, id.into());
        budget.fail(now, &LIMITS, try_);
    }
    let until = at(0).plus(LIMITS.window);
    assert_eq!(
        budget.reserve(at(100), &LIMITS, TryId(7)),
        Reserve::Exhausted { until }
    );
    let just_before = Timestamp::from_millis(until.millis() - 1);
    assert_eq!(
        budget.reserve(just_before, &LIMITS, TryId(7)),
        Reserve::Exhausted { until }
    );
    granted(&mut budget, until, 8);
}

#[test]
fn tries_while_exhausted_do_not_prolong_it() {
    let mut budget = GuessBudget::default();
    for id in 0..3 {
        let try_ = granted(&mut budget, at(0), id);
        budget.fail(at(0), &LIMITS, try_);
    }
    let before = budget.clone();
    budget.reserve(at(500), &LIMITS, TryId(9));
    assert_eq!(budget, before);
}

#[test]
fn an_unsettled_try_counts_as_failed_and_a_late_settlement_does_not_count_twice() {
    let mut budget = GuessBudget::default();
    let lost = granted(&mut budget, at(0), 1);
    let next = granted(&mut budget, at(16), 2);
    assert_eq!(budget.failed(), 1);
    budget.fail(at(17), &LIMITS, lost);
    assert_eq!(budget.failed(), 1);
    budget.succeed(next);
    assert_eq!((budget.failed(), budget.failed_in_a_row()), (0, 0));
}

#[test]
fn a_success_clears_and_a_fresh_window_counts_from_one() {
    let mut budget = GuessBudget::default();
    let first = granted(&mut budget, at(0), 1);
    budget.fail(at(0), &LIMITS, first);
    let late = at(8 * 86_400);
    let second = granted(&mut budget, late, 2);
    budget.fail(late, &LIMITS, second);
    assert_eq!((budget.failed(), budget.failed_in_a_row()), (1, 2));
}

#[test]
fn failures_in_a_row_end_in_recovery_only_over_all_windows() {
    let mut budget = GuessBudget::default();
    for id in 0..8 {
        let now = at(i64::try_from(id).unwrap() * 4 * 86_400);
        let try_ = granted(&mut budget, now, id);
        budget.fail(now, &LIMITS, try_);
    }
    let never = Reserve::Exhausted {
        until: Timestamp::NEVER,
    };
    assert_eq!(budget.reserve(at(400 * 86_400), &LIMITS, TryId(99)), never);
    budget.clear();
    granted(&mut budget, at(400 * 86_400), 100);
}

#[test]
fn no_later_configuration_gives_a_guess_back() {
    let mut budget = GuessBudget::default();
    for id in 0..3 {
        let try_ = granted(&mut budget, at(0), id);
        budget.fail(at(0), &LIMITS, try_);
    }
    let softer = GuessLimits {
        failures: 30,
        window: days(1),
        in_a_row: 0,
    };
    let until = at(0).plus(LIMITS.window);
    assert_eq!(
        budget.reserve(at(2 * 86_400), &softer, TryId(7)),
        Reserve::Exhausted { until }
    );
}

#[test]
fn zero_switches_a_number_off() {
    let off = GuessLimits {
        failures: 0,
        window: days(7),
        in_a_row: 0,
    };
    let mut budget = GuessBudget::default();
    for id in 0..500 {
        let id = TryId(id);
        assert_eq!(budget.reserve(at(0), &off, id), Reserve::Granted);
        budget.fail(at(0), &off, id);
    }
}

/// Until when nothing is left, worked out from the whole history.
fn model(wrong: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
    if wrong.len() >= 8 {
        return Some(Timestamp::NEVER);
    }
    let (mut ends, mut failed) = (at(0), 0);
    for moment in wrong {
        if ends <= *moment {
            (ends, failed) = (moment.plus(LIMITS.window), 0);
        }
        failed += 1;
    }
    (failed >= 3 && now < ends).then_some(ends)
}

proptest! {
    #[test]
    fn the_budget_agrees_with_a_replay_of_its_history(answers in laws::answers(400_000)) {
        laws::agrees_with::<GuessBudget>(&LIMITS, model, &answers)?;
    }

    /// Two neighbouring windows can meet inside one span of a window's length.
    #[test]
    fn no_schedule_judges_more_than_the_limit(schedule in laws::schedule(200_000)) {
        let promises = [
            Promise { failures: 2 * 3 - 1, span: LIMITS.window },
            Promise { failures: 8, span: days(36_500) },
        ];
        laws::keeps::<GuessBudget>(&LIMITS, &promises, &schedule)?;
    }

    #[test]
    fn a_try_that_is_given_back_leaves_no_trace(schedule in laws::schedule(200_000)) {
        laws::withdrawing_leaves_no_trace::<GuessBudget>(&LIMITS, &schedule)?;
    }

    #[test]
    fn a_right_try_forgets_the_wrong_ones(schedule in laws::schedule(200_000)) {
        laws::a_success_forgets::<GuessBudget>(&LIMITS, &schedule)?;
    }
}

fn lost(era: u64, windows: u32) -> Lost {
    let span = LIMITS.window.saturating_mul(windows);
    Lost {
        era,
        span: Some(span),
    }
}

#[test]
fn after_a_rollback_a_budget_has_one_try_at_a_time_and_one_failure() {
    let mut budget = GuessBudget::default();
    budget.limit_to_one_try(at(10), &LIMITS, lost(1, 0));
    let only = granted(&mut budget, at(10), 7);
    assert_eq!(budget.reserve(at(10), &LIMITS, TryId(8)), Reserve::Wait);
    budget.withdraw(only);
    let only = granted(&mut budget, at(10), 9);
    budget.fail(at(11), &LIMITS, only);
    let until = at(11).plus(LIMITS.window);
    assert_eq!(
        budget.reserve(at(12), &LIMITS, TryId(10)),
        Reserve::Exhausted { until }
    );
    // It is over when it says so.
    granted(&mut budget, until, 20);
}

#[test]
fn after_a_rollback_a_try_that_is_never_settled_is_the_last_one() {
    let mut budget = GuessBudget::default();
    budget.limit_to_one_try(at(0), &LIMITS, lost(1, 0));
    granted(&mut budget, at(0), 1);
    let later = at(0).plus(RESERVATION_LIFE);
    assert!(matches!(
        budget.reserve(later, &LIMITS, TryId(2)),
        Reserve::Exhausted { .. }
    ));
}

#[test]
fn a_budget_is_limited_once_for_each_era_and_a_success_ends_it() {
    let mut budget = GuessBudget::default();
    budget.limit_to_one_try(at(0), &LIMITS, lost(1, 0));
    assert_eq!(budget.failed_in_a_row(), 6);
    let try_ = granted(&mut budget, at(0), 1);
    budget.fail(at(0), &LIMITS, try_);
    let spent = budget.clone();
    budget.limit_to_one_try(at(1), &LIMITS, lost(1, 0));
    assert_eq!(budget, spent, "the same era gives no second try");
    budget.limit_to_one_try(at(1), &LIMITS, lost(2, 1));
    let still = budget.reserve(at(1), &LIMITS, TryId(2));
    assert!(matches!(still, Reserve::Exhausted { .. }), "{still:?}");
    let mut budget = GuessBudget::default();
    budget.limit_to_one_try(at(0), &LIMITS, lost(1, 0));
    let right = granted(&mut budget, at(0), 3);
    budget.succeed(right);
    for id in 4..6 {
        let try_ = granted(&mut budget, at(0), id);
        budget.fail(at(0), &LIMITS, try_);
    }
    assert_eq!(budget.exhausted(at(0), &LIMITS), None);
}

#[test]
fn failures_in_a_row_that_may_be_forgotten_are_counted_up_to_the_last() {
    let long = GuessLimits {
        in_a_row: 100,
        ..LIMITS
    };
    for (windows, failures) in [(0, 6), (1, 9), (10, 36), (40, 99)] {
        let mut budget = GuessBudget::default();
        budget.limit_to_one_try(at(0), &long, lost(1, windows));
        assert_eq!(budget.failed_in_a_row(), failures);
    }
    let mut budget = GuessBudget::default();
    let untold = Lost { era: 1, span: None };
    budget.limit_to_one_try(at(0), &LIMITS, untold);
    assert_eq!(budget.failed_in_a_row(), LIMITS.in_a_row - 1);
    let try_ = granted(&mut budget, at(0), 1);
    budget.fail(at(0), &LIMITS, try_);
    assert_eq!(
        budget.exhausted(at(0).plus(days(70)), &LIMITS),
        Some(Timestamp::NEVER)
    );
}

#[test]
fn a_limit_that_is_off_stays_off_after_a_rollback() {
    let off = GuessLimits {
        failures: 0,
        ..LIMITS
    };
    let mut budget = GuessBudget::default();
    budget.limit_to_one_try(at(0), &off, lost(1, 0));
    for id in 0..4 {
        let reserve = budget.reserve(at(0), &off, TryId(id));
        assert_eq!(reserve, Reserve::Granted);
    }
}

#[test]
fn a_budget_is_stored_under_the_names_that_older_releases_know() {
    let stored = |budget: &GuessBudget| serde_json::to_value(budget).unwrap();
    let mut budget = GuessBudget::default();
    let plain = serde_json::json!({
        "failed": 0, "in_a_row": 0, "window_ends": null, "exhausted_until": null, "in_flight": [],
    });
    assert_eq!(stored(&budget), plain);
    budget.limit_to_one_try(at(0), &LIMITS, lost(3, 0));
    let limited = stored(&budget);
    assert_eq!(limited["burned"], 3);
    assert_eq!(limited["last_try"], true);
    let read = serde_json::from_value::<GuessBudget>(limited).unwrap();
    assert_eq!(read, budget);
}
