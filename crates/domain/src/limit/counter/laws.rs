//! What holds for every counter, whatever the order of calls. Each counter's tests call these laws.

use std::time::Duration;

use proptest::prelude::*;

use super::{Counter, Reserve, TryId};
use crate::core::time::Timestamp;

/// One thing that can happen to a counter.
#[derive(Debug, Clone)]
pub(crate) enum Move {
    /// So many seconds pass.
    Pass(u32),
    Reserve,
    /// Settles the nth open try.
    Fail(usize),
    Succeed(usize),
    Withdraw(usize),
    /// The process that held the nth open try died.
    Crash(usize),
}

/// A schedule of up to 200 events, with pauses of up to `longest` seconds.
pub(crate) fn schedule(longest: u32) -> impl Strategy<Value = Vec<Move>> {
    let event = prop_oneof![
        3 => (0_u32..30).prop_map(Move::Pass),
        1 => (0..longest).prop_map(Move::Pass),
        8 => Just(Move::Reserve),
        5 => (0_usize..4).prop_map(Move::Fail),
        1 => (0_usize..20).prop_map(Move::Succeed),
        1 => (0_usize..8).prop_map(Move::Withdraw),
        1 => (0_usize..8).prop_map(Move::Crash),
    ];
    proptest::collection::vec(event, 1..200)
}

/// When a schedule begins.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// At most `failures` may be judged wrong within each `span`, between two successes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promise {
    pub(crate) failures: usize,
    pub(crate) span: Duration,
}

struct Open {
    id: TryId,
    since: Timestamp,
}

/// What is known from outside about one counter while a schedule runs.
struct Run<'a, C: Counter> {
    counter: C,
    rules: &'a C::Rules,
    now: Timestamp,
    open: Vec<Open>,
    /// When tries were judged wrong, or lost, since the last success.
    wrong: Vec<Timestamp>,
}

impl<C: Counter> Run<'_, C> {
    fn step(&mut self, number: u64, event: &Move) {
        self.lose();
        match *event {
            Move::Pass(seconds) => {
                self.now = self.now.plus(Duration::from_secs(seconds.into()));
                self.lose();
            }
            Move::Reserve => {
                let id = TryId(number);
                if self.counter.reserve(self.now, self.rules, id) == Reserve::Granted {
                    self.open.push(Open {
                        id,
                        since: self.now,
                    });
                }
            }
            Move::Fail(nth) => {
                if let Some(open) = self.take(nth) {
                    self.counter.fail(self.now, self.rules, open.id);
                    self.wrong.push(self.now);
                }
            }
            Move::Succeed(nth) => {
                if let Some(open) = self.take(nth) {
                    self.counter.succeed(open.id);
                    self.wrong.clear();
                }
            }
            Move::Withdraw(nth) => {
                if let Some(open) = self.take(nth) {
                    self.counter.withdraw(open.id);
                }
            }
            // The counter is not told; the try stays open until its life is over.
            Move::Crash(nth) => {
                if nth < self.open.len() {
                    self.open[nth].id = TryId(u64::MAX);
                }
            }
        }
    }

    /// The nth open try of a process that is alive.
    fn take(&mut self, nth: usize) -> Option<Open> {
        let alive = self.open.get(nth).is_some_and(|open| open.id.0 != u64::MAX);
        alive.then(|| self.open.remove(nth))
    }

    /// Tries whose life is over count as failed from the moment when they were reserved. The counter may settle
    /// them no more.
    fn lose(&mut self) {
        let now = self.now;
        let (lost, live) = std::mem::take(&mut self.open)
            .into_iter()
            .partition::<Vec<_>, _>(|open| open.since.plus(C::LIFE) <= now);
        self.open = live;
        self.wrong.extend(lost.iter().map(|open| open.since));
    }

    /// The most that was, or may yet be, judged wrong within any span.
    fn most_within(&self, span: Duration) -> usize {
        let mut moments = self.wrong.clone();
        moments.extend(self.open.iter().map(|_| self.now));
        moments.sort_unstable();
        let within = |first: &Timestamp| {
            moments
                .iter()
                .filter(|later| *first <= **later && **later < first.plus(span))
                .count()
        };
        moments.iter().map(within).max().unwrap_or_default()
    }
}

/// No schedule makes the counter judge more wrong tries than it promises.
pub(crate) fn keeps<C: Counter>(
    rules: &C::Rules,
    promises: &[Promise],
    schedule: &[Move],
) -> Result<(), TestCaseError> {
    let mut run = Run::<C> {
        counter: C::default(),
        rules,
        now: START,
        open: Vec::new(),
        wrong: Vec::new(),
    };
    for (number, event) in (0_u64..).zip(schedule) {
        run.step(number, event);
        for promise in promises {
            let most = run.most_within(promise.span);
            prop_assert!(
                most <= promise.failures,
                "{most} within {promise:?} after event {number}"
            );
        }
    }
    Ok(())
}

/// Taking a try and giving it back leaves no trace but what time would have done anyway.
pub(crate) fn withdrawing_leaves_no_trace<C: Counter + std::fmt::Debug>(
    rules: &C::Rules,
    schedule: &[Move],
) -> Result<(), TestCaseError> {
    let mut run = Run::<C> {
        counter: C::default(),
        rules,
        now: START,
        open: Vec::new(),
        wrong: Vec::new(),
    };
    for (number, event) in (0_u64..).zip(schedule) {
        run.step(number, event);
        let mut tried = run.counter.clone();
        let id = TryId(u64::MAX - 1);
        let _granted = tried.reserve(run.now, rules, id);
        tried.withdraw(id);
        let mut waited = run.counter.clone();
        waited.expire(run.now, rules);
        prop_assert_eq!(tried, waited);
    }
    Ok(())
}

/// A success forgets the failures and gives its own try back, and every other open try stays counted.
pub(crate) fn a_success_forgets<C: Counter>(
    rules: &C::Rules,
    schedule: &[Move],
) -> Result<(), TestCaseError> {
    let mut run = Run::<C> {
        counter: C::default(),
        rules,
        now: START,
        open: Vec::new(),
        wrong: Vec::new(),
    };
    for (number, event) in (0_u64..).zip(schedule) {
        let right = matches!(event, Move::Succeed(nth) if *nth < run.open.len());
        let before = run.open.len();
        run.step(number, event);
        if right && run.open.len() < before {
            prop_assert_eq!(run.counter.failures(), 0);
        }
    }
    Ok(())
}

/// One thing that happens where every try is judged at once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answered {
    /// So many seconds pass.
    Pass(u32),
    Wrong,
    Right,
}

/// Up to 200 tries, most of them wrong, with pauses of up to `longest` seconds.
pub(crate) fn answers(longest: u32) -> impl Strategy<Value = Vec<Answered>> {
    let answered = prop_oneof![
        2 => (0..longest).prop_map(Answered::Pass),
        12 => Just(Answered::Wrong),
        1 => Just(Answered::Right),
    ];
    proptest::collection::vec(answered, 1..200)
}

/// The counter refuses exactly when `model` does, which is told when tries were judged wrong since the last
/// success, and what time it is, and answers until when nothing is left.
pub(crate) fn agrees_with<C: Counter>(
    rules: &C::Rules,
    model: impl Fn(&[Timestamp], Timestamp) -> Option<Timestamp>,
    answers: &[Answered],
) -> Result<(), TestCaseError> {
    let (mut counter, mut now, mut wrong) = (C::default(), START, Vec::new());
    for (number, answered) in (0_u64..).zip(answers) {
        if let Answered::Pass(seconds) = answered {
            now = now.plus(Duration::from_secs((*seconds).into()));
            continue;
        }
        let id = TryId(number);
        let expected = match model(&wrong, now) {
            Some(until) => Reserve::Exhausted { until },
            None => Reserve::Granted,
        };
        prop_assert_eq!(counter.reserve(now, rules, id), expected, "try {}", number);
        match (expected, answered) {
            (Reserve::Granted, Answered::Right) => {
                counter.succeed(id);
                wrong.clear();
            }
            (Reserve::Granted, _) => {
                counter.fail(now, rules, id);
                wrong.push(now);
            }
            _ => {}
        }
    }
    Ok(())
}
