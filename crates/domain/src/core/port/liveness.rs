//! Whether a living person is there, and whether it is the one who was enrolled.

use async_trait::async_trait;

use crate::core::secret::SecretText;

/// What a client shows of its owner. Never logged, never stored, dropped when the verifier has answered.
#[derive(Debug)]
pub struct Evidence {
    pub scan: SecretText,
    pub image: SecretText,
    pub small_image: SecretText,
    /// The client part's own name, which verifiers need.
    pub agent: String,
    pub session: Option<String>,
    /// The address it came from.
    pub client: String,
}

/// What is asked of the verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// A person is there; remember this person under the reference.
    Enrol,
    /// The person remembered under the reference is there.
    Match,
}

/// What the answer will be used for: verifiers may log or weigh it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Enrolment,
    NewDevice,
    Recovery,
    Operator,
}

/// One question. Its answer counts for nothing else.
#[derive(Debug, Clone)]
pub struct Question {
    pub check: Check,
    pub purpose: Purpose,
    /// A random UUID of this question.
    pub id: String,
    /// A random UUID that stands for the person.
    pub reference: String,
}

/// What a verifier came to. Only an explicit yes lets anything pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    Accepted,
    Refused(String),
    /// It answered in a way that cannot be trusted. The reason is for the log.
    Untrustworthy(String),
    /// It did not answer, or there was no room to ask.
    Unreachable(String),
}

/// A judgement, and what the verifier wants its client part to know.
#[derive(Debug, Clone)]
pub struct Judged {
    pub judgement: Judgement,
    /// Opaque; handed through where the operator allows it.
    pub for_client: Option<String>,
}

impl From<Judgement> for Judged {
    fn from(judgement: Judgement) -> Self {
        Self {
            judgement,
            for_client: None,
        }
    }
}

/// Asks a verifier of living persons.
#[async_trait]
pub trait Liveness: Send + Sync {
    /// The verifier's kind as configured; `None` when there is no verifier.
    fn kind(&self) -> Option<&'static str>;

    /// Asks. Every failure is a judgement, and none of them is a yes.
    async fn judge(&self, question: &Question, evidence: &Evidence) -> Judged;

    /// Forgets a person, as far as the verifier can.
    async fn forget(&self, question: &Question) -> Result<(), String>;

    /// A token that the verifier's client part needs before it can show anything, where this is offered.
    async fn session_token(&self, client_agent: &str) -> Result<String, Judgement>;
}
