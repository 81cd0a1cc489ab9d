//! Three people who add, share and give up entries in any order see exactly what a plain model of the rules says.

use std::collections::BTreeMap;

use domain::policy::Policy;
use domain::vault::{Notify, ShareFault, Vault};
use domain::{Error, Refusal};
use proptest::prelude::*;

use crate::owner::{Outcome, outcome};
use crate::vault::{UNKNOWN, User, open_kit};
use crate::vault_entry::{ANN, BOB, forbidden, switch};

const NAMES: [&str; 3] = [ANN, BOB, "carl@example.org"];
/// What the plan of everybody allows.
const ENTRIES: usize = 3;
const SLOTS: usize = 3;

/// What somebody does. A number says which of the entries, requests or slots that ever were.
#[derive(Debug, Clone)]
enum Act {
    Add,
    Delete { entry: usize },
    Switch { entry: usize, on: bool },
    AddSlot { entry: usize },
    CloseSlot { slot: usize },
    Share { entry: usize, to: usize },
    Accept { request: usize },
    End { request: usize },
}

fn act() -> impl Strategy<Value = Act> {
    let which = 0..12_usize;
    prop_oneof![
        3 => Just(Act::Add),
        1 => which.clone().prop_map(|entry| Act::Delete { entry }),
        2 => (which.clone(), any::<bool>()).prop_map(|(entry, on)| Act::Switch { entry, on }),
        2 => which.clone().prop_map(|entry| Act::AddSlot { entry }),
        3 => which.clone().prop_map(|slot| Act::CloseSlot { slot }),
        6 => (which.clone(), 0..NAMES.len()).prop_map(|(entry, to)| Act::Share { entry, to }),
        4 => which.clone().prop_map(|request| Act::Accept { request }),
        2 => which.prop_map(|request| Act::End { request }),
    ]
}

/// An entry in the model. People are numbers, as in [`NAMES`].
#[derive(Debug, Clone)]
struct Held {
    owner: usize,
    enabled: bool,
    /// Slots and their receivers; `None` is an outside reader.
    slots: BTreeMap<u64, Option<usize>>,
    /// Open requests and their receivers.
    requests: BTreeMap<u64, usize>,
}

/// What a vault shows: entries with the numbers of their slots, and requests with their entries.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    entries: BTreeMap<u64, (bool, Vec<Option<u64>>)>,
    requests: BTreeMap<u64, u64>,
}

impl Seen {
    fn of(vault: Vault) -> Self {
        let entries = vault.entries.into_iter().map(|entry| {
            let slots = entry.slots.iter().map(|slot| slot.number).collect();
            (entry.number, (entry.enabled, slots))
        });
        let requests = vault.requests.into_iter();
        Self {
            entries: entries.collect(),
            requests: requests.map(|open| (open.number, open.entry)).collect(),
        }
    }
}

#[derive(Debug, Default)]
struct Model {
    entries: BTreeMap<u64, Held>,
    /// Everything that ever was, in the order in which it came.
    known_entries: Vec<u64>,
    known_requests: Vec<u64>,
    /// Slots with their entries.
    known_slots: Vec<(u64, u64)>,
}

impl Model {
    fn own(&mut self, who: usize, entry: u64) -> Option<&mut Held> {
        let held = self.entries.get_mut(&entry);
        held.filter(|held| held.owner == who)
    }

    fn seen_by(&self, who: usize) -> Seen {
        let mut seen = Seen::default();
        for (number, held) in &self.entries {
            if held.owner == who {
                let slots = held.slots.keys().map(|slot| Some(*slot));
                let slots = std::iter::once(None).chain(slots).collect();
                seen.entries.insert(*number, (held.enabled, slots));
            } else if held.enabled {
                let own = held.slots.iter().filter(|slot| *slot.1 == Some(who));
                let slots: Vec<_> = own.map(|slot| Some(*slot.0)).collect();
                if !slots.is_empty() {
                    seen.entries.insert(*number, (true, slots));
                }
            }
            for (request, to) in &held.requests {
                if held.owner == who || (held.enabled && *to == who) {
                    seen.requests.insert(*request, *number);
                }
            }
        }
        seen
    }

    /// The entry of an open request that `who` may answer or, as its sender, take back.
    fn open_request(&mut self, who: usize, request: u64, answers: bool) -> Option<&mut Held> {
        let mut entries = self.entries.values_mut();
        entries.find(|held| match held.requests.get(&request) {
            Some(to) if *to == who => held.enabled,
            Some(_) => held.owner == who && !answers,
            None => false,
        })
    }
}

/// Whether one more slot or request fits.
fn room(held: &Held) -> Outcome {
    if held.slots.len() + held.requests.len() < SLOTS {
        Outcome::Done
    } else {
        forbidden("slots_per_entry")
    }
}

/// The answer to a request to share, with an unknown entry as the refusal that it is on the wire.
fn shared(result: Result<Result<u64, ShareFault>, Error>) -> Result<u64, Error> {
    match result? {
        Ok(number) => Ok(number),
        Err(ShareFault::UnknownEntry) => Err(Refusal::UnknownSubject.into()),
        Err(fault) => panic!("everybody is known: {fault:?}"),
    }
}

/// What really happened, and what the model says; nothing if nothing of the kind ever was.
type Both = Option<(Outcome, Outcome)>;

struct Run {
    users: [User; 3],
    model: Model,
}

impl Run {
    /// Does it for real and in the model, and compares the outcomes.
    async fn step(&mut self, who: usize, act: &Act) {
        let both = match *act {
            Act::Add => self.add(who).await,
            Act::Delete { entry } => self.delete(who, entry).await,
            Act::Switch { entry, on } => self.switch(who, entry, on).await,
            Act::AddSlot { entry } => self.add_slot(who, entry).await,
            Act::CloseSlot { slot } => self.close_slot(who, slot).await,
            Act::Share { entry, to } => self.share(who, entry, to).await,
            Act::Accept { request } => self.accept(who, request).await,
            Act::End { request } => self.end(who, request).await,
        };
        if let Some((found, expected)) = both {
            assert_eq!(found, expected, "{who} {act:?} {:?}", self.model);
        }
    }

    async fn add(&mut self, who: usize) -> Both {
        let owned = self.model.entries.values();
        let owned = owned.filter(|held| held.owner == who).count();
        let added = self.users[who].add_entry().await;
        if let Ok(number) = &added {
            self.model.known_entries.push(*number);
            let held = Held {
                owner: who,
                enabled: true,
                slots: BTreeMap::new(),
                requests: BTreeMap::new(),
            };
            self.model.entries.insert(*number, held);
        }
        let expected = if owned < ENTRIES {
            Outcome::Done
        } else {
            forbidden("entries")
        };
        Some((outcome(added), expected))
    }

    async fn delete(&mut self, who: usize, at: usize) -> Both {
        let entry = pick(&self.model.known_entries, at)?;
        let deleted = self.users[who].remove_entry(entry).await;
        let expected = match self.model.own(who, entry) {
            Some(_) => {
                self.model.entries.remove(&entry);
                Outcome::Done
            }
            None => UNKNOWN,
        };
        Some((outcome(deleted), expected))
    }

    async fn switch(&mut self, who: usize, at: usize, on: bool) -> Both {
        let entry = pick(&self.model.known_entries, at)?;
        let switched = self.users[who].edit_entry(entry, switch(on)).await;
        let expected = self.model.own(who, entry).map_or(UNKNOWN, |held| {
            held.enabled = on;
            Outcome::Done
        });
        Some((outcome(switched), expected))
    }

    async fn add_slot(&mut self, who: usize, at: usize) -> Both {
        let entry = pick(&self.model.known_entries, at)?;
        let added = self.users[who].add_slot(entry, Notify::Never).await;
        let held = self.model.own(who, entry);
        let expected = held.as_deref().map_or(UNKNOWN, room);
        if let (Ok((number, _)), Some(held)) = (&added, held) {
            held.slots.insert(*number, None);
            self.model.known_slots.push((entry, *number));
        }
        Some((outcome(added), expected))
    }

    async fn close_slot(&mut self, who: usize, at: usize) -> Both {
        let (entry, slot) = pick(&self.model.known_slots, at)?;
        let closed = self.users[who].close_slot(entry, slot).await;
        let held = self.model.entries.get_mut(&entry);
        let expected = held.map_or(UNKNOWN, |held| match held.slots.get(&slot) {
            Some(of) if held.owner == who || (held.enabled && *of == Some(who)) => {
                held.slots.remove(&slot);
                Outcome::Done
            }
            _ => UNKNOWN,
        });
        Some((outcome(closed), expected))
    }

    async fn share(&mut self, who: usize, at: usize, to: usize) -> Both {
        let entry = pick(&self.model.known_entries, at)?;
        let asked = shared(self.users[who].share(entry, NAMES[to]).await);
        let held = self.model.own(who, entry);
        let expected = held
            .as_deref()
            .map_or(UNKNOWN, |held| may_share(held, who, to));
        if let (Ok(number), Some(held)) = (&asked, held) {
            held.requests.insert(*number, to);
            self.model.known_requests.push(*number);
        }
        Some((outcome(asked), expected))
    }

    async fn accept(&mut self, who: usize, at: usize) -> Both {
        let request = pick(&self.model.known_requests, at)?;
        let accepted = self.users[who].accept(request).await;
        let held = self.model.open_request(who, request, true);
        let expected = held.as_ref().map_or(UNKNOWN, |_| Outcome::Done);
        if let (Ok(view), Some(held)) = (&accepted, held) {
            let slot = view.slots[0].number.unwrap();
            held.requests.remove(&request);
            held.slots.insert(slot, Some(who));
            self.model.known_slots.push((view.number, slot));
        }
        Some((outcome(accepted), expected))
    }

    async fn end(&mut self, who: usize, at: usize) -> Both {
        let request = pick(&self.model.known_requests, at)?;
        let ended = self.users[who].end(request).await;
        let held = self.model.open_request(who, request, false);
        let expected = held.map_or(UNKNOWN, |held| {
            held.requests.remove(&request);
            Outcome::Done
        });
        Some((outcome(ended), expected))
    }

    /// Compares what everybody sees, but those who left.
    async fn compare(&self, left: usize, after: &str) {
        for (who, user) in self.users.iter().enumerate().skip(left) {
            let seen = Seen::of(user.sees().await);
            assert_eq!(seen, self.model.seen_by(who), "{who} after {after}");
        }
    }
}

fn pick<T: Copy>(known: &[T], at: usize) -> Option<T> {
    known.get(at % known.len().max(1)).copied()
}

/// Whether the owner of an entry may ask somebody to take a share of it.
fn may_share(held: &Held, who: usize, to: usize) -> Outcome {
    let has_slot = held.slots.values().any(|of| *of == Some(to));
    if to == who {
        Outcome::Refused(Refusal::Invalid {
            field: "email",
            why: "is your own",
        })
    } else if has_slot || held.requests.values().any(|of| *of == to) {
        Outcome::Refused(Refusal::Conflict)
    } else {
        room(held)
    }
}

fn small(policy: &mut Policy) {
    for plan in policy.vault.plans.by_name.values_mut() {
        plan.entries = ENTRIES as u64;
        plan.slots_per_entry = SLOTS;
        plan.calls_per_hour = 0;
    }
}

proptest! {
    // Each case makes three accounts and some hundred calls.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everybody_sees_what_the_rules_say(
        acts in proptest::collection::vec((0..NAMES.len(), act()), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let kit = open_kit(small).await;
            let users = [
                User::joins(&kit, NAMES[0]).await,
                User::joins(&kit, NAMES[1]).await,
                User::joins(&kit, NAMES[2]).await,
            ];
            let mut run = Run { users, model: Model::default() };
            for (who, act) in &acts {
                run.step(*who, act).await;
                run.compare(0, &format!("{act:?}")).await;
            }
            // Whoever leaves takes everything along, and nothing of the others.
            run.users[0].delete().await;
            run.model.entries.retain(|_, held| held.owner != 0);
            for held in run.model.entries.values_mut() {
                held.slots.retain(|_, of| *of != Some(0));
                held.requests.retain(|_, to| *to != 0);
            }
            run.compare(1, "the first one left").await;
        });
    }
}
