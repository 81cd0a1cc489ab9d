//! A courier that keeps the letters.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use domain::port::Courier;
use domain::port::courier::{Delivery, Letter};

/// Keeps every accepted letter, and says "later" or "never" when told to.
pub struct CapturedCourier {
    immediate: AtomicBool,
    state: Mutex<State>,
}

struct State {
    accepted: Vec<Letter>,
    tried: Vec<(Letter, Delivery)>,
    /// Answers to the next letters, before `standing` counts again.
    next: VecDeque<Delivery>,
    standing: Box<dyn Fn(&Letter) -> Delivery + Send>,
    hangs: bool,
    hanging: usize,
}

impl Default for CapturedCourier {
    /// Immediate, and takes everything.
    fn default() -> Self {
        let state = State {
            accepted: Vec::new(),
            tried: Vec::new(),
            next: VecDeque::new(),
            standing: Box::new(|_| Delivery::Accepted),
            hangs: false,
            hanging: 0,
        };
        Self {
            immediate: AtomicBool::new(true),
            state: Mutex::new(state),
        }
    }
}

impl CapturedCourier {
    /// Letters leave before the answer of the request that caused them.
    pub fn deliver_at_once(&self) {
        self.immediate.store(true, Ordering::SeqCst);
    }

    /// Letters wait for the jobs.
    pub fn deliver_by_jobs(&self) {
        self.immediate.store(false, Ordering::SeqCst);
    }

    /// What becomes of every letter from now on.
    pub fn answer(&self, delivery: Delivery) {
        self.answer_by(move |_| delivery.clone());
    }

    /// The same, letter by letter.
    pub fn answer_by(&self, answer: impl Fn(&Letter) -> Delivery + Send + 'static) {
        self.state().standing = Box::new(answer);
    }

    /// What becomes of the next letters, one answer each.
    pub fn answer_next(&self, deliveries: impl IntoIterator<Item = Delivery>) {
        self.state().next.extend(deliveries);
    }

    /// From now on every provider takes a letter and never answers.
    pub fn hang(&self) {
        self.state().hangs = true;
    }

    /// How many letters hang.
    pub fn hanging(&self) -> usize {
        self.state().hanging
    }

    /// Providers answer again.
    pub fn answer_again(&self) {
        self.state().hangs = false;
    }

    /// The letters a provider took, oldest first.
    pub fn letters(&self) -> Vec<Letter> {
        self.state().accepted.clone()
    }

    pub fn letters_to(&self, address: &str) -> Vec<Letter> {
        let mut letters = self.letters();
        letters.retain(|letter| letter.message.to == address);
        letters
    }

    /// Every try, also those put off or refused, oldest first.
    pub fn tries(&self) -> Vec<(Letter, Delivery)> {
        self.state().tried.clone()
    }

    /// The newest code to `address`.
    pub fn code_to(&self, address: &str) -> Option<String> {
        newest(self.letters_to(address), |letter| letter.message.code)
    }

    /// The newest code to anybody.
    pub fn code(&self) -> Option<String> {
        newest(self.letters(), |letter| letter.message.code)
    }

    /// The newest link to `address`.
    pub fn link_to(&self, address: &str) -> Option<String> {
        newest(self.letters_to(address), |letter| letter.message.link)
    }

    /// The newest link to anybody.
    pub fn link(&self) -> Option<String> {
        newest(self.letters(), |letter| letter.message.link)
    }

    /// What the letters to `address` were about, oldest first.
    pub fn operations_to(&self, address: &str) -> Vec<String> {
        let letters = self.letters_to(address).into_iter();
        letters.map(|letter| letter.message.operation).collect()
    }

    /// Forgets all letters and tries.
    pub fn forget(&self) {
        let mut state = self.state();
        state.accepted.clear();
        state.tried.clear();
    }

    fn hangs(&self) -> bool {
        let mut state = self.state();
        state.hanging += usize::from(state.hangs);
        state.hangs
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn newest<T>(letters: Vec<Letter>, part: impl FnMut(Letter) -> Option<T>) -> Option<T> {
    letters.into_iter().rev().find_map(part)
}

#[async_trait]
impl Courier for CapturedCourier {
    async fn deliver(&self, letter: &Letter) -> Delivery {
        if self.hangs() {
            std::future::pending::<()>().await;
        }
        let mut state = self.state();
        let next = state.next.pop_front();
        let delivery = next.unwrap_or_else(|| (state.standing)(letter));
        state.tried.push((letter.clone(), delivery.clone()));
        if delivery == Delivery::Accepted {
            state.accepted.push(letter.clone());
        }
        delivery
    }

    fn immediate(&self) -> bool {
        self.immediate.load(Ordering::SeqCst)
    }
}
