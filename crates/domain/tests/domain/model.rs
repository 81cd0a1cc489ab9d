//! What the rules say, written down a second time and as plainly as possible: no reservations, no rows, no
//! transactions.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::policy::GuardedKeyPolicy;
use domain::time::days;
use domain::{Refusal, Timestamp};

use crate::owner::Outcome;

/// A try that nobody settled counts as wrong after so long.
pub(crate) const LOST_AFTER: Duration = Duration::from_secs(15);

const WRONG: Outcome = Outcome::Refused(Refusal::BadProof { left: None });
const UNKNOWN: Outcome = Outcome::Refused(Refusal::UnknownSubject);
const OTHER_STATE: Outcome = Outcome::Refused(Refusal::WrongState);
const WANTS_PIN: Outcome = Outcome::Refused(Refusal::Invalid {
    field: "new_pin",
    why: "missing or malformed",
});

/// Wrong tries: at most so many in a window that begins with the first, and so many in a row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tries {
    /// The wrong ones of the running window.
    wrong: Vec<Timestamp>,
    in_a_row: u32,
    /// Those that nobody settled yet.
    lost: Vec<Timestamp>,
    /// All wrong ones of this secret, whatever was right since.
    all: Vec<Timestamp>,
}

/// How many limits of wrong tries are judged within a window, whatever was right in between.
const CLEARED: usize = 3;

/// What is left after the last wrong try in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtTheEnd {
    Recovery,
    /// One try in thirty days.
    Rest,
}

impl Tries {
    fn count(&mut self, at: Timestamp, policy: &GuardedKeyPolicy) {
        if self
            .wrong
            .first()
            .is_some_and(|first| first.plus(policy.guesses.window) <= at)
        {
            self.wrong.clear();
        }
        self.wrong.push(at);
        self.all.push(at);
        self.in_a_row += 1;
    }

    /// Brings the count up to `now`: lost tries are wrong ones, windows end.
    fn settle(&mut self, now: Timestamp, policy: &GuardedKeyPolicy) {
        let (over, live) = self
            .lost
            .drain(..)
            .partition(|at: &Timestamp| at.plus(LOST_AFTER) <= now);
        self.lost = live;
        let over: Vec<Timestamp> = over;
        for at in over {
            self.count(at, policy);
        }
        if self
            .wrong
            .first()
            .is_some_and(|first| first.plus(policy.guesses.window) <= now)
        {
            self.wrong.clear();
        }
    }

    /// `None` when a try may be judged at `now`.
    fn closed(
        &mut self,
        now: Timestamp,
        policy: &GuardedKeyPolicy,
        at_the_end: AtTheEnd,
    ) -> Option<Outcome> {
        self.settle(now, policy);
        let limits = policy.guesses;
        let failures = limits.failures as usize;
        let exhausted = |until| Some(Outcome::Refused(Refusal::Exhausted { until }));
        let held = self.lost.len();
        if self.in_a_row >= limits.in_a_row {
            let last = self.all.iter().max().copied();
            let rested = last.filter(|_| at_the_end == AtTheEnd::Rest);
            let until = rested.map_or(Timestamp::NEVER, |last| last.plus(days(30)));
            if now < until {
                return exhausted(until);
            }
            return (held > 0).then_some(Outcome::Busy);
        }
        let mut live = self.all.clone();
        live.retain(|at| now < at.plus(limits.window));
        live.sort();
        let often = live.len().checked_sub(CLEARED * failures);
        let often = often.map(|first| live[first].plus(limits.window));
        let full = (self.wrong.len() >= failures).then(|| self.wrong[0].plus(limits.window));
        if let Some(until) = full.max(often) {
            return exhausted(until);
        }
        let full = self.wrong.len() + held >= failures
            || live.len() + held >= CLEARED * failures
            || self.in_a_row as usize + held >= limits.in_a_row as usize;
        full.then_some(Outcome::Busy)
    }

    fn forget(&mut self) {
        self.wrong.clear();
        self.in_a_row = 0;
    }

    /// Another secret.
    fn replaced(&mut self) {
        self.forget();
        self.all.clear();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    Proof,
    Reset,
}

#[derive(Debug, Clone)]
struct Lock {
    /// Which of all locks there ever were.
    number: usize,
    opens: Timestamp,
    void: Timestamp,
}

#[derive(Debug, Clone, Default)]
struct Contact {
    verified: bool,
    /// The code that is waited for: what for, which, until when.
    waiting: Option<(For, String, Timestamp)>,
    tries: Tries,
    lock: Option<Lock>,
}

/// One key as the rules see it.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    policy: GuardedKeyPolicy,
    pub(crate) pin: String,
    pins: Tries,
    contacts: BTreeMap<&'static str, Contact>,
    /// Wrong codes of contacts that were removed.
    gone: BTreeMap<&'static str, Tries>,
    /// Locks that were ever armed.
    pub(crate) armed: usize,
    /// News sent to each contact.
    pub(crate) told: BTreeMap<&'static str, Vec<&'static str>>,
    /// When the owner's network was last noted as familiar.
    pub(crate) seen: Timestamp,
    /// Wrong tries that were judged, for looking at them another way.
    pub(crate) judged: Vec<Timestamp>,
}

impl Model {
    pub(crate) fn new(pin: &str, policy: &GuardedKeyPolicy, now: Timestamp) -> Self {
        Self {
            policy: policy.clone(),
            pin: pin.to_owned(),
            pins: Tries::default(),
            contacts: BTreeMap::new(),
            gone: BTreeMap::new(),
            armed: 0,
            told: BTreeMap::new(),
            seen: now,
            judged: Vec::new(),
        }
    }

    /// A try at the PIN; `Err` is its answer.
    fn pin(&mut self, now: Timestamp, pin: &str) -> Result<(), Outcome> {
        let at_the_end = self.at_the_end();
        if let Some(closed) = self.pins.closed(now, &self.policy, at_the_end) {
            return Err(closed);
        }
        if pin == self.pin {
            if self.seen.plus(days(1)) <= now {
                self.seen = now;
            }
            self.pins.forget();
            self.judged.clear();
            return Ok(());
        }
        self.pins.count(now, &self.policy);
        self.judged.push(now);
        Err(WRONG)
    }

    fn at_the_end(&self) -> AtTheEnd {
        if self.contacts.values().any(|contact| contact.verified) {
            AtTheEnd::Recovery
        } else {
            AtTheEnd::Rest
        }
    }

    /// A try at the PIN by a process that dies before it knows.
    pub(crate) fn die_guessing(&mut self, now: Timestamp) -> Outcome {
        let at_the_end = self.at_the_end();
        match self.pins.closed(now, &self.policy, at_the_end) {
            // It was still waiting for its turn.
            Some(Outcome::Busy) => Outcome::Unavailable,
            Some(closed) => closed,
            None => {
                self.pins.lost.push(now);
                Outcome::Unavailable
            }
        }
    }

    pub(crate) fn open(&mut self, now: Timestamp, pin: &str) -> Outcome {
        self.pin(now, pin).err().unwrap_or(Outcome::Done)
    }

    pub(crate) fn change(&mut self, now: Timestamp, pin: &str, new: &str) -> Outcome {
        if let Err(answer) = self.pin(now, pin) {
            return answer;
        }
        if new != self.pin {
            self.pins.replaced();
            self.seen = now;
        }
        new.clone_into(&mut self.pin);
        self.end_resets();
        self.tell("pin_changed", None);
        Outcome::Done
    }

    pub(crate) fn add(
        &mut self,
        now: Timestamp,
        pin: &str,
        contact: &'static str,
        code: Option<&str>,
    ) -> Outcome {
        if let Err(answer) = self.pin(now, pin) {
            return answer;
        }
        if self
            .contacts
            .get(contact)
            .is_some_and(|known| known.verified)
        {
            return Outcome::Refused(Refusal::Conflict);
        }
        let known = self.contacts.get(contact);
        let tries = known.map(|known| &known.tries);
        let tries = tries.or(self.gone.get(contact)).cloned();
        let mut tries = tries.unwrap_or_default();
        if let Some(closed) = tries.closed(now, &self.policy, AtTheEnd::Recovery) {
            return closed;
        }
        let known = self.contacts.entry(contact).or_default();
        known.tries = tries;
        known.waiting = Some((
            For::Proof,
            code.unwrap().to_owned(),
            now.plus(self.policy.code_life),
        ));
        self.sent(contact, "verify_contact");
        Outcome::Done
    }

    pub(crate) fn remove(&mut self, now: Timestamp, pin: &str, contact: &'static str) -> Outcome {
        if let Err(answer) = self.pin(now, pin) {
            return answer;
        }
        match self.contacts.remove(contact) {
            None => UNKNOWN,
            Some(removed) => {
                self.gone.insert(contact, removed.tries);
                if removed.verified {
                    self.tell("contact_removed", None);
                }
                Outcome::Done
            }
        }
    }

    pub(crate) fn confirm(&mut self, now: Timestamp, contact: &'static str, code: &str) -> Outcome {
        if let Err(answer) = self.code(now, contact, For::Proof, code) {
            return answer;
        }
        self.spend(contact);
        self.contacts.entry(contact).or_default().verified = true;
        self.tell("contact_added", Some(contact));
        Outcome::Done
    }

    pub(crate) fn start(
        &mut self,
        now: Timestamp,
        contact: &'static str,
        code: Option<&str>,
    ) -> Outcome {
        let life = self.policy.code_life;
        let Some(known) = self
            .contacts
            .get_mut(contact)
            .filter(|contact| contact.verified)
        else {
            return UNKNOWN;
        };
        if let Some(closed) = known.tries.closed(now, &self.policy, AtTheEnd::Recovery) {
            return closed;
        }
        known.waiting = Some((For::Reset, code.unwrap().to_owned(), now.plus(life)));
        self.sent(contact, "reset_pin");
        Outcome::Done
    }

    pub(crate) fn recover(
        &mut self,
        now: Timestamp,
        contact: &'static str,
        code: &str,
        new: Option<&str>,
    ) -> Outcome {
        let policy = self.policy.clone();
        let lock = self
            .contacts
            .get(contact)
            .and_then(|contact| contact.lock.clone());
        let lock = lock.filter(|lock| now < lock.void);
        let open = lock.as_ref().is_some_and(|lock| lock.opens <= now);
        let before = self.clone();
        if let Err(answer) = self.code(now, contact, For::Reset, code) {
            return answer;
        }
        match (lock, new) {
            (_, None) if open => {
                // Nothing was spent and nothing counted.
                *self = before;
                WANTS_PIN
            }
            (_, Some(new)) if open => {
                new.clone_into(&mut self.pin);
                self.pins.replaced();
                self.seen = now;
                self.judged.clear();
                self.end_resets();
                self.tell("pin_reset", None);
                Outcome::Done
            }
            (Some(lock), _) => {
                self.spend(contact);
                Outcome::Refused(Refusal::TimeLocked { until: lock.opens })
            }
            (None, _) => {
                self.spend(contact);
                let opens = now.plus(policy.lock);
                self.armed += 1;
                let lock = Lock {
                    number: self.armed,
                    opens,
                    void: opens.plus(policy.lock_use),
                };
                self.contacts.entry(contact).or_default().lock = Some(lock);
                self.tell("recovery_started", None);
                Outcome::Refused(Refusal::TimeLocked { until: opens })
            }
        }
    }

    /// By a link about the lock of that number.
    pub(crate) fn cancel(&mut self, now: Timestamp, number: usize) -> Outcome {
        let mut contacts = self.contacts.values_mut();
        let live = |lock: &mut Lock| lock.number == number && now < lock.void;
        let Some(known) =
            contacts.find_map(|contact| contact.lock.take_if(live).and(Some(contact)))
        else {
            return UNKNOWN;
        };
        known.waiting.take_if(|(what, ..)| *what == For::Reset);
        self.tell("recovery_cancelled", None);
        Outcome::Done
    }

    /// The code that a contact waits for.
    pub(crate) fn waits_for(&self, contact: &str) -> Option<&str> {
        self.contacts
            .get(contact)?
            .waiting
            .as_ref()
            .map(|(_, code, _)| code.as_str())
    }

    /// Judges a code without spending it; a right one clears the count.
    fn code(
        &mut self,
        now: Timestamp,
        contact: &str,
        what: For,
        code: &str,
    ) -> Result<(), Outcome> {
        let Some(known) = self.contacts.get_mut(contact) else {
            return Err(UNKNOWN);
        };
        let Some((waited, right, until)) =
            known.waiting.clone().filter(|(waited, ..)| *waited == what)
        else {
            return Err(OTHER_STATE);
        };
        if let Some(closed) = known.tries.closed(now, &self.policy, AtTheEnd::Recovery) {
            return Err(closed);
        }
        assert_eq!(waited, what);
        if code != right {
            known.tries.count(now, &self.policy);
            return Err(WRONG);
        }
        if until <= now {
            known.tries.count(now, &self.policy);
            return Err(Outcome::Refused(Refusal::Expired));
        }
        known.tries.forget();
        Ok(())
    }

    fn spend(&mut self, contact: &'static str) {
        self.contacts.entry(contact).or_default().waiting = None;
    }

    fn end_resets(&mut self) {
        for contact in self.contacts.values_mut() {
            contact.lock = None;
            contact.waiting = None;
        }
    }

    fn tell(&mut self, what: &'static str, except: Option<&str>) {
        let verified = self.contacts.iter().filter(|(_, contact)| contact.verified);
        let names: Vec<_> = verified
            .map(|(name, _)| *name)
            .filter(|name| Some(*name) != except)
            .collect();
        for name in names {
            self.sent(name, what);
        }
    }

    fn sent(&mut self, contact: &'static str, what: &'static str) {
        self.told.entry(contact).or_default().push(what);
    }
}
