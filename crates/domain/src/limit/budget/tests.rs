use super::*;
use crate::core::time::days;
use crate::limit::counter::laws::{self, Promise};
use proptest::prelude::*;

const LIMITS: GuessLimits = GuessLimits {
    failures: 3,
    window: days(7),
    in_a_row: 8,
};

const RULES: GuessRules = LIMITS.by(CallerStanding::Familiar);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)
}

fn granted(budget: &mut GuessBudget, now: Timestamp, id: u64) -> TryId {
    let id = TryId(id);
    assert_eq!(budget.reserve(now, &RULES, id), Reserve::Granted);
    id
}

#[test]
fn in_flight_is_not_failed() {
    let mut budget = GuessBudget::default();
    let all: Vec<_> = (0..3).map(|id| granted(&mut budget, at(0), id)).collect();
    assert_eq!(budget.reserve(at(0), &RULES, TryId(9)), Reserve::Wait);
    budget.succeed(all[0]);
    granted(&mut budget, at(0), 10);
    assert_eq!(budget.failed(at(0), &LIMITS), 0);
}

#[test]
fn exhausted_names_first_failure_plus_window_and_ends_exactly_then() {
    let mut budget = GuessBudget::default();
    for id in 0..3_u32 {
        let now = at(id.into());
        let try_ = granted(&mut budget, now, id.into());
        budget.fail(now, &RULES, try_);
    }
    let until = at(0).plus(LIMITS.window);
    assert_eq!(
        budget.reserve(at(100), &RULES, TryId(7)),
        Reserve::Exhausted { until }
    );
    let just_before = Timestamp::from_millis(until.millis() - 1);
    assert_eq!(
        budget.reserve(just_before, &RULES, TryId(7)),
        Reserve::Exhausted { until }
    );
    granted(&mut budget, until, 8);
}

#[test]
fn tries_while_exhausted_do_not_prolong_it() {
    let mut budget = GuessBudget::default();
    for id in 0..3 {
        let try_ = granted(&mut budget, at(0), id);
        budget.fail(at(0), &RULES, try_);
    }
    let before = budget.clone();
    budget.reserve(at(500), &RULES, TryId(9));
    assert_eq!(budget, before);
}

#[test]
fn an_unsettled_try_counts_as_failed_and_a_late_settlement_does_not_count_twice() {
    let mut budget = GuessBudget::default();
    let lost = granted(&mut budget, at(0), 1);
    let next = granted(&mut budget, at(16), 2);
    assert_eq!(budget.failed(at(17), &LIMITS), 1);
    budget.fail(at(17), &RULES, lost);
    assert_eq!(budget.failed(at(17), &LIMITS), 1);
    budget.succeed(next);
    assert_eq!(
        (budget.failed(at(17), &LIMITS), budget.failed_in_a_row()),
        (0, 0)
    );
}

#[test]
fn a_success_clears_and_a_fresh_window_counts_from_one() {
    let mut budget = GuessBudget::default();
    let first = granted(&mut budget, at(0), 1);
    budget.fail(at(0), &RULES, first);
    let late = at(8 * 86_400);
    let second = granted(&mut budget, late, 2);
    budget.fail(late, &RULES, second);
    assert_eq!(
        (budget.failed(late, &LIMITS), budget.failed_in_a_row()),
        (1, 2)
    );
}

#[test]
fn failures_in_a_row_end_in_recovery_only_over_all_windows() {
    let mut budget = GuessBudget::default();
    for id in 0..8 {
        let now = at(i64::try_from(id).unwrap() * 4 * 86_400);
        let try_ = granted(&mut budget, now, id);
        budget.fail(now, &RULES, try_);
    }
    let never = Reserve::Exhausted {
        until: Timestamp::NEVER,
    };
    assert_eq!(budget.reserve(at(400 * 86_400), &RULES, TryId(99)), never);
    budget.clear();
    granted(&mut budget, at(400 * 86_400), 100);
}

#[test]
fn no_later_configuration_gives_a_guess_back() {
    let mut budget = GuessBudget::default();
    for id in 0..3 {
        let try_ = granted(&mut budget, at(0), id);
        budget.fail(at(0), &RULES, try_);
    }
    let softer = GuessLimits {
        failures: 30,
        window: days(1),
        in_a_row: 0,
    };
    let until = at(0).plus(LIMITS.window);
    assert_eq!(
        budget.reserve(
            at(2 * 86_400),
            &softer.by(CallerStanding::Familiar),
            TryId(7)
        ),
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
        assert_eq!(
            budget.reserve(at(0), &off.by(CallerStanding::Familiar), id),
            Reserve::Granted
        );
        budget.fail(at(0), &off.by(CallerStanding::Familiar), id);
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
    /// Without right answers, whose number is limited too.
    #[test]
    fn the_budget_agrees_with_a_replay_of_its_history(answers in laws::answers(400_000)) {
        let wrong = |answered: &laws::Answered| !matches!(answered, laws::Answered::Right);
        let answers: Vec<_> = answers.into_iter().filter(wrong).collect();
        laws::agrees_with::<GuessBudget>(&RULES, model, &answers)?;
    }

    /// Two neighbouring windows can meet inside one span of a window's length.
    #[test]
    fn no_schedule_judges_more_than_the_limit(schedule in laws::schedule(200_000)) {
        let promises = [
            Promise { failures: 2 * 3 - 1, span: LIMITS.window },
            Promise { failures: 8, span: days(36_500) },
        ];
        laws::keeps::<GuessBudget>(&RULES, &promises, &schedule)?;
    }

    #[test]
    fn a_try_that_is_given_back_leaves_no_trace(schedule in laws::schedule(200_000)) {
        laws::withdrawing_leaves_no_trace::<GuessBudget>(&RULES, &schedule)?;
    }

    #[test]
    fn a_right_try_forgets_the_wrong_ones(schedule in laws::schedule(200_000)) {
        laws::a_success_forgets::<GuessBudget>(&RULES, &schedule)?;
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
    assert_eq!(budget.reserve(at(10), &RULES, TryId(8)), Reserve::Wait);
    budget.withdraw(only);
    let only = granted(&mut budget, at(10), 9);
    budget.fail(at(11), &RULES, only);
    let until = at(11).plus(LIMITS.window);
    assert_eq!(
        budget.reserve(at(12), &RULES, TryId(10)),
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
        budget.reserve(later, &RULES, TryId(2)),
        Reserve::Exhausted { .. }
    ));
}

#[test]
fn a_budget_is_limited_once_for_each_era_and_a_success_ends_it() {
    let mut budget = GuessBudget::default();
    budget.limit_to_one_try(at(0), &LIMITS, lost(1, 0));
    assert_eq!(budget.failed_in_a_row(), 6);
    let try_ = granted(&mut budget, at(0), 1);
    budget.fail(at(0), &RULES, try_);
    let spent = budget.clone();
    budget.limit_to_one_try(at(1), &LIMITS, lost(1, 0));
    assert_eq!(budget, spent, "the same era gives no second try");
    budget.limit_to_one_try(at(1), &LIMITS, lost(2, 1));
    let still = budget.reserve(at(1), &RULES, TryId(2));
    assert!(matches!(still, Reserve::Exhausted { .. }), "{still:?}");
    let mut budget = GuessBudget::default();
    budget.limit_to_one_try(at(0), &LIMITS, lost(1, 0));
    let right = granted(&mut budget, at(0), 3);
    budget.succeed(right);
    for id in 4..6 {
        let try_ = granted(&mut budget, at(0), id);
        budget.fail(at(0), &RULES, try_);
    }
    assert_eq!(budget.exhausted(at(0), &RULES), None);
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
    budget.fail(at(0), &RULES, try_);
    assert_eq!(
        budget.exhausted(at(0).plus(days(70)), &RULES),
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
        let reserve = budget.reserve(at(0), &off.by(CallerStanding::Familiar), TryId(id));
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

const PIN: GuessLimits = GuessLimits {
    failures: 10,
    window: days(7),
    in_a_row: 100,
};
const STRANGER: GuessRules = PIN.by(CallerStanding::Stranger);
const OWNER: GuessRules = PIN.by(CallerStanding::Familiar);

/// As many wrong guesses at `now` as are judged, up to `at_most`.
fn wrong(budget: &mut GuessBudget, now: Timestamp, rules: &GuessRules, at_most: u64) -> u64 {
    for id in 0..at_most {
        if budget.reserve(now, rules, TryId(id)) != Reserve::Granted {
            return id;
        }
        budget.fail(now, rules, TryId(id));
    }
    at_most
}

fn right(budget: &mut GuessBudget, now: Timestamp, rules: &GuessRules) -> bool {
    let id = TryId(u64::MAX);
    let granted = budget.reserve(now, rules, id) == Reserve::Granted;
    if granted {
        budget.succeed(id);
    }
    granted
}

fn day(number: i64) -> Timestamp {
    at(number * 86_400)
}

#[test]
fn strangers_spend_seven_of_ten_and_the_owner_has_the_rest() {
    let mut budget = GuessBudget::default();
    assert_eq!(wrong(&mut budget, at(0), &STRANGER, 50), 7);
    assert_eq!(
        budget.exhausted(at(1), &STRANGER),
        Some(at(0).plus(PIN.window))
    );
    assert_eq!(wrong(&mut budget, at(1), &OWNER, 50), 3);
    let mut budget = GuessBudget::default();
    assert_eq!(wrong(&mut budget, at(0), &OWNER, 8), 8);
    assert_eq!(wrong(&mut budget, at(0), &STRANGER, 50), 2, "ten in all");
    assert_eq!(wrong(&mut budget, at(0), &OWNER, 50), 0);
}

#[test]
fn an_owner_who_opens_every_day_gives_strangers_nothing() {
    let mut budget = GuessBudget::default();
    let mut judged = 0;
    for number in 0..7 {
        judged += wrong(&mut budget, day(number), &STRANGER, 50);
        assert!(right(&mut budget, day(number), &OWNER));
    }
    assert_eq!(judged, 7);
    assert_eq!(wrong(&mut budget, day(7), &STRANGER, 50), 7);
}

#[test]
fn behind_the_owners_own_network_thirty_wrong_guesses_are_judged_in_a_window() {
    let mut budget = GuessBudget::default();
    let mut judged = 0;
    for minute in 0..200 {
        judged += wrong(&mut budget, at(minute * 60), &OWNER, 9);
        right(&mut budget, at(minute * 60), &OWNER);
    }
    assert_eq!(judged, 30);
    let until = at(0).plus(PIN.window);
    assert_eq!(budget.exhausted(at(20_000), &OWNER), Some(until));
    assert!(right(&mut budget, until, &OWNER));
}

#[test]
fn strangers_are_closed_out_at_seventy_until_the_owner_shows_the_secret() {
    let mut budget = GuessBudget::default();
    let judged: u64 = (0..30)
        .map(|week| wrong(&mut budget, day(week * 7), &STRANGER, 50))
        .sum();
    assert_eq!(judged, 70);
    let later = day(30 * 7);
    assert_eq!(budget.exhausted(later, &STRANGER), Some(Timestamp::NEVER));
    assert_eq!(wrong(&mut budget, later, &OWNER, 3), 3, "the owner goes on");
    assert!(right(&mut budget, later, &OWNER));
    assert_eq!(wrong(&mut budget, later, &STRANGER, 50), 7);
}

#[test]
fn below_seventy_a_right_secret_does_not_begin_the_count_of_strangers_again() {
    let mut budget = GuessBudget::default();
    for week in 0..5 {
        wrong(&mut budget, day(week * 7), &STRANGER, 50);
        right(&mut budget, day(week * 7), &OWNER);
    }
    assert_eq!(budget.failed_by_strangers(), 35);
    budget.secret_replaced();
    assert_eq!(budget.failed_by_strangers(), 0);
    assert_eq!(
        wrong(&mut budget, day(29), &STRANGER, 50),
        0,
        "their window goes on"
    );
}

#[test]
fn a_hundred_failures_in_a_row_are_the_sum_of_both_parts() {
    let mut budget = GuessBudget::default();
    let mut judged = 0;
    for week in 0..40 {
        judged += wrong(&mut budget, day(week * 7), &STRANGER, 50);
        judged += wrong(&mut budget, day(week * 7), &OWNER, 50);
    }
    assert_eq!(judged, 100);
    assert_eq!(budget.exhausted(day(3_000), &OWNER), Some(Timestamp::NEVER));
}

#[test]
fn without_a_recovery_the_owner_has_one_guess_in_thirty_days() {
    let spent = || {
        let mut budget = GuessBudget::default();
        let judged: u64 = (0..10)
            .map(|week| wrong(&mut budget, day(week * 7), &OWNER, 50))
            .sum();
        assert_eq!(judged, 100);
        budget
    };
    for (way_back, owner, stranger) in [
        (WayBack::Recovery, false, false),
        (WayBack::Familiar, true, false),
        (WayBack::Anybody, true, true),
    ] {
        for (rules, has_one) in [(OWNER, owner), (STRANGER, stranger)] {
            let rules = GuessRules { way_back, ..rules };
            let mut budget = spent();
            assert_eq!(
                wrong(&mut budget, day(63 + 29), &rules, 5),
                0,
                "{way_back:?}"
            );
            let one = u64::from(has_one);
            assert_eq!(
                wrong(&mut budget, day(63 + 30), &rules, 5),
                one,
                "{way_back:?}"
            );
            assert_eq!(wrong(&mut budget, day(63 + 59), &rules, 5), 0);
            if has_one {
                assert!(right(&mut budget, day(63 + 60), &rules));
                assert_eq!(wrong(&mut budget, day(63 + 60), &OWNER, 50), 10);
            }
        }
    }
}

#[test]
fn a_limit_that_was_lowered_below_what_was_counted_is_exhausted() {
    let mut budget = GuessBudget::default();
    let twenty = GuessLimits {
        failures: 20,
        ..PIN
    };
    wrong(&mut budget, at(0), &twenty.by(CallerStanding::Familiar), 12);
    let until = at(0).plus(PIN.window);
    assert_eq!(
        budget.reserve(at(9), &OWNER, TryId(99)),
        Reserve::Exhausted { until }
    );
}

#[test]
fn a_limit_of_one_leaves_one_to_whoever_comes_first() {
    let one = GuessLimits { failures: 1, ..PIN };
    for (first, second) in [
        (CallerStanding::Stranger, CallerStanding::Familiar),
        (CallerStanding::Familiar, CallerStanding::Stranger),
    ] {
        let mut budget = GuessBudget::default();
        assert_eq!(wrong(&mut budget, at(0), &one.by(first), 9), 1);
        assert_eq!(wrong(&mut budget, at(0), &one.by(second), 9), 0);
    }
}

proptest! {
    /// However strangers and the owner take turns, and however often the owner is right: strangers have seven in any
    /// window, the owner thirty, and both together ten between two right answers of the owner.
    #[test]
    fn the_parts_and_the_sum_hold_for_any_schedule(
        moves in proptest::collection::vec((0_u8..8, 0_i64..200_000), 1..300)
    ) {
        let (mut budget, mut now) = (GuessBudget::default(), 0);
        let (mut strange, mut own) = (Vec::new(), Vec::new());
        let mut since_right = Vec::new();
        for (number, (what, pause)) in (0_u64..).zip(moves) {
            let id = TryId(number);
            match what {
                0 => now += pause,
                1 => {
                    if right(&mut budget, at(now), &OWNER) {
                        since_right.clear();
                    }
                }
                _ => {
                    let rules = if what < 5 { STRANGER } else { OWNER };
                    if budget.reserve(at(now), &rules, id) == Reserve::Granted {
                        budget.fail(at(now), &rules, id);
                        if what < 5 { strange.push(now) } else { own.push(now) }
                        since_right.push(now);
                    }
                }
            }
            let within = |moments: &[i64]| {
                let first = now - 7 * 86_400;
                moments.iter().filter(|moment| **moment > first).count()
            };
            prop_assert!(within(&strange) <= 7);
            prop_assert!(within(&own) <= 30);
            // Two neighbouring windows of the owner can meet in one span.
            prop_assert!(within(&since_right) <= 7 + 2 * 10);
        }
    }
}
