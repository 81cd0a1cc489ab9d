//! A courier that stores the messages.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use domain::port::Courier;
use domain::port::courier::{Delivery, Letter};

/// Stores every accepted message, and answers "later" or "never" if a test says so.
pub struct CapturedCourier {
    immediate: AtomicBool,
    state: Mutex<State>,
}

struct State {
    accepted: Vec<Letter>,
    tried: Vec<(Letter, Delivery)>,
    /// Answers to the next messages, before `standing` applies again.
    next: VecDeque<Delivery>,
    standing: Box<dyn Fn(&Letter) -> Delivery + Send>,
    hangs: bool,
    hanging: usize,
}

impl Default for CapturedCourier {
    /// Sends at once, and accepts everything.
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
    /// Messages are sent before the answer to the request that caused them.
    pub fn deliver_at_once(&self) {
        self.immediate.store(true, Ordering::SeqCst);
    }

    /// Messages wait for the jobs.
    pub fn deliver_by_jobs(&self) {
        self.immediate.store(false, Ordering::SeqCst);
    }

    /// Sets the result for every message from now on.
    pub fn answer(&self, delivery: Delivery) {
        self.answer_by(move |_| delivery.clone());
    }

    /// Sets the result for every message, with a function.
    pub fn answer_by(&self, answer: impl Fn(&Letter) -> Delivery + Send + 'static) {
        self.state().standing = Box::new(answer);
    }

    /// Sets the results for the next messages, one each.
    pub fn answer_next(&self, deliveries: impl IntoIterator<Item = Delivery>) {
        self.state().next.extend(deliveries);
    }

    /// From now on every provider receives a message and never answers.
    pub fn hang(&self) {
        self.state().hangs = true;
    }

    /// The number of messages without an answer.
    pub fn hanging(&self) -> usize {
        self.state().hanging
    }

    /// Makes providers answer again.
    pub fn answer_again(&self) {
        self.state().hangs = false;
    }

    /// The accepted messages, oldest first.
    pub fn letters(&self) -> Vec<Letter> {
        self.state().accepted.clone()
    }

    pub fn letters_to(&self, address: &str) -> Vec<Letter> {
        let mut letters = self.letters();
        letters.retain(|letter| letter.message.to == address);
        letters
    }

    /// Every try, also those that were delayed or refused, oldest first.
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

    /// The operations of the messages to `address`, oldest first.
    pub fn operations_to(&self, address: &str) -> Vec<String> {
        let letters = self.letters_to(address).into_iter();
        letters.map(|letter| letter.message.operation).collect()
    }

    /// Removes all messages and tries.
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
