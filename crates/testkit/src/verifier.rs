//! A verifier of living persons that judges by what is shown.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use domain::port::Liveness;
use domain::port::liveness::{Check, Judged, Judgement, Question};
use domain::wallet::step_up::Evidence;

/// A scan that begins with `no` is refused, with `odd` answered wrongly, with `away` not answered at all.
/// All others show a living person: the image. A match needs the image that was enrolled.
pub struct TestVerifier {
    state: Mutex<State>,
}

struct State {
    kind: Option<&'static str>,
    people: HashMap<String, String>,
    asked: Vec<Question>,
}

impl Default for TestVerifier {
    fn default() -> Self {
        let state = State {
            kind: Some("test"),
            people: HashMap::new(),
            asked: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
        }
    }
}

impl TestVerifier {
    /// As if none were configured.
    pub fn switch_off(&self) {
        self.state().kind = None;
    }

    pub fn switch_on(&self) {
        self.state().kind = Some("test");
    }

    /// Every question so far.
    pub fn asked(&self) -> Vec<Question> {
        self.state().asked.clone()
    }

    /// How many people it remembers.
    pub fn people(&self) -> usize {
        self.state().people.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Liveness for TestVerifier {
    fn kind(&self) -> Option<&'static str> {
        self.state().kind
    }

    async fn judge(&self, question: &Question, evidence: &Evidence) -> Judged {
        tokio::task::yield_now().await;
        let mut state = self.state();
        state.asked.push(question.clone());
        let scan = evidence.scan.expose();
        let person = evidence.image.expose();
        let judgement = if scan.starts_with("odd") {
            Judgement::Untrustworthy("told to".to_owned())
        } else if scan.starts_with("away") {
            Judgement::Unreachable("told to".to_owned())
        } else if scan.starts_with("no") {
            Judgement::Refused("told to".to_owned())
        } else if question.check == Check::Enrol {
            let person = person.to_owned();
            state.people.insert(question.reference.clone(), person);
            Judgement::Accepted
        } else if state.people.get(&question.reference).map(String::as_str) == Some(person) {
            Judgement::Accepted
        } else {
            Judgement::Refused("somebody else".to_owned())
        };
        Judged {
            judgement,
            for_client: Some("AAEC".to_owned()),
        }
    }

    async fn forget(&self, question: &Question) -> Result<(), String> {
        self.state().people.remove(&question.reference);
        Ok(())
    }

    async fn session_token(&self, _: &str) -> Result<String, Judgement> {
        Ok("session-token".to_owned())
    }
}
