//! Random schedules against the real services and the model, side by side: every answer, every letter.

use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use domain::policy::Policy;
use domain::port::Store;
use domain::time::days;
use proptest::prelude::*;
use testkit::{Backing, FaultyStore, Kit};

use crate::model::{LOST_AFTER, Model};
use crate::owner::{Outcome, Owner, outcome};

const CONTACTS: [&str; 2] = ["a@b.co", "+4917512345678"];
const PINS: [&str; 3] = ["1234", "5678", "9999"];

/// Few tries, so that short schedules reach every limit; everything about sending is off.
fn rules(policy: &mut Policy) {
    let keys = &mut policy.guarded_key;
    keys.guesses.failures = 3;
    keys.guesses.in_a_row = 7;
    for rate in &mut keys.sends_per_contact {
        rate.count = 0;
    }
    keys.sends_per_address.count = 0;
    keys.sends_per_network.count = 0;
    keys.unknown_contacts_per_key.count = 0;
    policy.limits.wait = Duration::ZERO;
}

#[derive(Debug, Clone)]
enum Step {
    Advance(Duration),
    Open(usize),
    OpenRight,
    Change {
        right: bool,
        new: usize,
    },
    DieGuessing(usize),
    Add {
        right: bool,
        contact: usize,
    },
    Remove {
        contact: usize,
    },
    Confirm {
        contact: usize,
        code: Code,
    },
    Start {
        contact: usize,
    },
    /// A new code, and at once what came with it.
    Reset {
        contact: usize,
        new: Option<usize>,
    },
    /// A new contact, and at once its code.
    Prove {
        contact: usize,
    },
    Recover {
        contact: usize,
        code: Code,
        new: Option<usize>,
    },
    Cancel {
        link: usize,
    },
    Restart,
}

#[derive(Debug, Clone, Copy)]
enum Code {
    Newest,
    First,
    Wrong,
    OfTheOther,
}

fn step() -> impl Strategy<Value = Step> {
    let contact = 0..CONTACTS.len();
    let code = prop_oneof![
        6 => Just(Code::Newest),
        1 => Just(Code::First),
        2 => Just(Code::Wrong),
        1 => Just(Code::OfTheOther),
    ];
    let code = code.boxed();
    prop_oneof![
        4 => advance().prop_map(Step::Advance),
        3 => (0..PINS.len()).prop_map(Step::Open),
        2 => Just(Step::OpenRight),
        1 => (any::<bool>(), 0..PINS.len()).prop_map(|(right, new)| Step::Change { right, new }),
        1 => (0..PINS.len()).prop_map(Step::DieGuessing),
        2 => (prop::bool::weighted(0.9), contact.clone()).prop_map(|(right, contact)| Step::Add { right, contact }),
        1 => contact.clone().prop_map(|contact| Step::Remove { contact }),
        2 => (contact.clone(), code.clone()).prop_map(|(contact, code)| Step::Confirm { contact, code }),
        2 => contact.clone().prop_map(|contact| Step::Start { contact }),
        8 => (contact.clone(), prop::option::weighted(0.8, 0..PINS.len()))
            .prop_map(|(contact, new)| Step::Reset { contact, new }),
        3 => contact.clone().prop_map(|contact| Step::Prove { contact }),
        5 => (contact.clone(), code, prop::option::weighted(0.8, 0..PINS.len()))
            .prop_map(|(contact, code, new)| Step::Recover { contact, code, new }),
        2 => (0_usize..4).prop_map(|link| Step::Cancel { link }),
        1 => Just(Step::Restart),
    ]
}

/// The spans at which something ends, and a moment before and after them.
fn advance() -> impl Strategy<Value = Duration> {
    let millisecond = Duration::from_millis(1);
    let edges = [
        LOST_AFTER,
        Duration::from_hours(1),
        days(1),
        days(7),
        days(30),
    ];
    let edges = edges
        .into_iter()
        .flat_map(move |edge| [edge.saturating_sub(millisecond), edge, edge + millisecond]);
    prop::sample::select(
        edges
            .chain([millisecond, days(3), days(30), days(30)])
            .collect::<Vec<_>>(),
    )
}

/// A step as single calls.
fn parts(step: &Step) -> Vec<Step> {
    let code = Code::Newest;
    match *step {
        Step::Reset { contact, new } => {
            vec![
                Step::Start { contact },
                Step::Recover { contact, code, new },
            ]
        }
        Step::Prove { contact } => {
            let right = true;
            vec![
                Step::Add { right, contact },
                Step::Confirm { contact, code },
            ]
        }
        ref single => vec![single.clone()],
    }
}

/// The services and the model, and what an attacker could have written down.
struct Run {
    backing: Backing,
    faulty: Arc<FaultyStore>,
    kit: Kit,
    owner: Owner,
    model: Model,
    seed: u64,
    /// The tokens of all links, and which lock each is about.
    links: Vec<(String, usize)>,
}

impl Run {
    async fn begin() -> Self {
        let backing = Backing::memory();
        let faulty = FaultyStore::over(backing.store());
        let kit = Kit::builder()
            .store(Arc::clone(&faulty) as Arc<dyn Store>)
            .policy(rules)
            .build()
            .await;
        let owner = Owner::of(&kit, PINS[0]).await;
        let mut policy = testkit::kit::policy();
        rules(&mut policy);
        let model = Model::new(PINS[0], &policy.guarded_key, kit.services.now());
        Self {
            backing,
            faulty,
            kit,
            owner,
            model,
            seed: 1,
            links: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        self.kit.services.now()
    }

    /// The process ends, and another begins on the same rows.
    async fn restart(&mut self) {
        self.seed += 1;
        self.faulty = FaultyStore::over(self.backing.store());
        let builder = Kit::builder()
            .store(Arc::clone(&self.faulty) as Arc<dyn Store>)
            .policy(rules);
        let builder = builder
            .clock(self.kit.clock.clone())
            .courier(self.kit.courier.clone());
        self.kit = builder.seed(self.seed).build().await;
        self.owner = self.owner.at(&self.kit);
    }

    fn code(&self, contact: usize, code: Code) -> String {
        let to = |contact: usize| {
            self.kit
                .courier
                .letters_to(CONTACTS[contact])
                .into_iter()
                .filter_map(|letter| letter.message.code)
        };
        let none = || "111111".to_owned();
        match code {
            Code::Newest => to(contact).next_back().unwrap_or_else(none),
            Code::First => to(contact).next().unwrap_or_else(none),
            Code::OfTheOther => to(1 - contact).next_back().unwrap_or_else(none),
            Code::Wrong if self.model.waits_for(CONTACTS[contact]) == Some("000000") => {
                "000001".to_owned()
            }
            Code::Wrong => "000000".to_owned(),
        }
    }

    /// The newest code to a contact, when one more was sent than before.
    fn sent(&self, contact: &str, before: usize) -> Option<String> {
        let codes: Vec<_> = self.codes(contact);
        (codes.len() > before)
            .then(|| codes.last().cloned())
            .flatten()
    }

    fn codes(&self, contact: &str) -> Vec<String> {
        let letters = self.kit.courier.letters_to(contact).into_iter();
        letters.filter_map(|letter| letter.message.code).collect()
    }

    /// Takes one step on both sides; what each answers.
    async fn take(&mut self, step: &Step) -> (Outcome, Outcome) {
        let (owner, now) = (self.owner.clone(), self.now());
        let right = self.model.pin.clone();
        let wrong = "no such PIN";
        match step {
            Step::Advance(by) => {
                // The model knows nothing of strangers: the owner's network stays familiar.
                if self.now().plus(*by) < self.model.seen.plus(days(90)) {
                    self.kit.clock.advance(*by);
                }
                (Outcome::Done, Outcome::Done)
            }
            Step::Restart => {
                self.restart().await;
                (Outcome::Done, Outcome::Done)
            }
            Step::Open(which) => (
                outcome(owner.open(PINS[*which]).await),
                self.model.open(now, PINS[*which]),
            ),
            Step::OpenRight => (
                outcome(owner.open(&right).await),
                self.model.open(now, &right),
            ),
            Step::Change {
                right: is_right,
                new,
            } => {
                let with = if *is_right { &right } else { wrong };
                (
                    outcome(owner.change(with, PINS[*new]).await),
                    self.model.change(now, with, PINS[*new]),
                )
            }
            Step::DieGuessing(which) => {
                // The reservation is written, its settlement is not.
                self.faulty.refuse_writes_after(1);
                let real = outcome(owner.open(PINS[*which]).await);
                self.faulty.give_back();
                (real, self.model.die_guessing(now))
            }
            Step::Add {
                right: is_right,
                contact,
            } => {
                let (with, contact) = (if *is_right { &right } else { wrong }, CONTACTS[*contact]);
                let before = self.codes(contact).len();
                let real = outcome(owner.add(with, contact).await);
                let code = self.sent(contact, before);
                (real, self.model.add(now, with, contact, code.as_deref()))
            }
            Step::Remove { contact } => {
                let contact = CONTACTS[*contact];
                (
                    outcome(owner.remove(&right, contact).await),
                    self.model.remove(now, &right, contact),
                )
            }
            Step::Confirm { contact, code } => {
                let (code, contact) = (self.code(*contact, *code), CONTACTS[*contact]);
                (
                    outcome(owner.confirm(contact, &code).await),
                    self.model.confirm(now, contact, &code),
                )
            }
            Step::Start { contact } => {
                let contact = CONTACTS[*contact];
                let before = self.codes(contact).len();
                let real = outcome(owner.start(contact).await);
                let code = self.sent(contact, before);
                (real, self.model.start(now, contact, code.as_deref()))
            }
            Step::Recover { contact, code, new } => {
                let (code, contact) = (self.code(*contact, *code), CONTACTS[*contact]);
                let new = new.map(|new| PINS[new]);
                let real = outcome(owner.recover(contact, &code, new).await);
                (real, self.model.recover(now, contact, &code, new))
            }
            // Taken apart by `parts`.
            Step::Reset { .. } | Step::Prove { .. } => (Outcome::Done, Outcome::Done),
            Step::Cancel { link } => self.cancel(now, *link).await,
        }
    }

    /// By one of the newest links.
    async fn cancel(&mut self, now: Timestamp, link: usize) -> (Outcome, Outcome) {
        let Some((token, number)) = self.links.iter().rev().nth(link).cloned() else {
            return (Outcome::Done, Outcome::Done);
        };
        let expected = self.model.cancel(now, number);
        for _ in 0..2 {
            let seen = self
                .owner
                .services
                .guarded_keys
                .running_recovery(token.clone())
                .await;
            assert_eq!(outcome(seen), expected, "looking changes nothing");
        }
        let real = outcome(
            self.owner
                .services
                .guarded_keys
                .cancel_recovery("test", token)
                .await,
        );
        (real, expected)
    }

    /// Keeps the links of new letters: they are about the newest lock.
    fn keep_links(&mut self) {
        let links = self
            .kit
            .courier
            .letters()
            .into_iter()
            .filter_map(|letter| letter.message.link);
        for link in links.skip(self.links.len()) {
            let token = link.rsplit('/').next().unwrap().to_owned();
            self.links.push((token, self.model.armed));
        }
    }

    /// News and codes to every contact are those that the model expects, in order.
    fn check_letters(&self) {
        for contact in CONTACTS {
            let expected = self.model.told.get(contact).cloned().unwrap_or_default();
            assert_eq!(
                self.kit.courier.operations_to(contact),
                expected,
                "letters to {contact}"
            );
        }
    }
}

/// Never more wrong tries judged in any window than allowed, seen without any model of counters.
fn check_window(judged: &[Timestamp]) {
    for (at, first) in judged.iter().enumerate() {
        let window = first.plus(days(7));
        let inside = judged[at..]
            .iter()
            .filter(|moment| **moment < window)
            .count();
        // A window begins with a wrong try, so a span of its length that begins anywhere meets two at most.
        assert!(inside <= 2 * 3, "{judged:?}");
    }
}

proptest! {
    // Each costs a hundred times what others cost; PROPTEST_CASES makes them more.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 2, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_schedule_ends_as_the_rules_say(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut run = Run::begin().await;
            let content = run.owner.open(PINS[0]).await.unwrap();
            for (number, step) in steps.iter().flat_map(parts).enumerate() {
                let (real, expected) = run.take(&step).await;
                assert_eq!(real, expected, "step {number}: {step:?} at {}", run.now().rfc3339());
                run.check_letters();
                run.keep_links();
                check_window(&run.model.judged);
            }
            // Whatever happened, the key is the one it was.
            let pin = run.model.pin.clone();
            run.kit.clock.advance(days(8));
            if let Ok(opened) = run.owner.open(&pin).await {
                assert_eq!(opened, content);
            }
            run.kit.run_jobs().await;
            let verdict = run.kit.services.operators.verify_audit(&run.kit.operator(), None).await.unwrap();
            assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
        });
    }
}
