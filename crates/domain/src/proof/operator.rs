//! Operators: who they are, what they may do, and what belongs to no concept.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use super::Proofs;
use crate::core::Core;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer;
use crate::core::message::Message;
use crate::core::port::courier::Words;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::trail::audit::{ChainReport, Checkpoint, Event};

/// The surface that operators act on, as the audit trail names it.
const SURFACE: &str = "admin";

/// What an operator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperatorRight {
    /// See states and counts, read the audit trail.
    Read,
    /// Unlock accounts and end sessions.
    Support,
    /// Manage tenants, clients and plans; import, delete and erase.
    Manage,
    /// Rotate signing keys.
    Keys,
}

impl OperatorRight {
    pub const ALL: [Self; 4] = [Self::Read, Self::Support, Self::Manage, Self::Keys];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Support => "support",
            Self::Manage => "manage",
            Self::Keys => "keys",
        }
    }
}

/// Somebody who runs the server. Only [`Operators::authenticate`] makes one, out of a checked token.
#[derive(Debug, Clone)]
pub struct Operator {
    name: Arc<str>,
    rights: BTreeSet<OperatorRight>,
}

impl Operator {
    /// The name by which the audit trail knows this operator.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Refuses an operator who lacks `right`.
    pub(crate) fn may(&self, right: OperatorRight) -> Result<(), Refusal> {
        if self.rights.contains(&right) {
            Ok(())
        } else {
            Err(Refusal::Forbidden { need: right.name() })
        }
    }

    /// The event of something that this operator did to `subject`.
    pub(crate) fn event(&self, now: Timestamp, action: &str, subject: String) -> Event {
        Event::new(SURFACE, now, action, subject).fact("operator", self.name())
    }
}

/// A token that makes its holder an operator.
struct Accepted {
    token: SecretText,
    operator: Operator,
}

/// The service for what belongs to no concept: tokens of operators, the audit trail, messages.
pub struct Operators {
    proofs: Arc<Proofs>,
    accepted: Mutex<Vec<Accepted>>,
}

impl Deref for Operators {
    type Target = Arc<Proofs>;

    fn deref(&self) -> &Arc<Proofs> {
        &self.proofs
    }
}

impl Layer for Operators {
    fn core(&self) -> &Core {
        self.proofs.core()
    }
}

impl Operators {
    pub(crate) fn new(proofs: Arc<Proofs>) -> Self {
        Self {
            proofs,
            accepted: Mutex::default(),
        }
    }

    /// From now on, whoever holds `token` is the operator called `name`, with `rights`, as long as this process
    /// runs.
    pub fn accept_token(&self, token: SecretText, name: &str, rights: &[OperatorRight]) {
        let operator = Operator {
            name: name.into(),
            rights: rights.iter().copied().collect(),
        };
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.push(Accepted { token, operator });
    }

    /// The operator whose token this is, or `BadProof`. Every accepted token is compared, each in constant time.
    pub fn authenticate(&self, token: &str) -> Result<Operator, Refusal> {
        let token = SecretText::new(token.to_owned());
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        holder(&accepted, &token).ok_or(Refusal::BadProof { left: None })
    }

    /// The newest `limit` linked audit events, newest first, of one subject or of all.
    pub async fn audit_events(
        &self,
        operator: &Operator,
        subject: Option<String>,
        limit: usize,
    ) -> Result<Vec<Event>, Error> {
        operator.may(OperatorRight::Read)?;
        self.proofs.audit_events(subject, limit).await
    }

    /// Walks the whole audit chain and says what does not hold; `anchor` is the newest checkpoint kept outside.
    pub async fn verify_audit(
        &self,
        operator: &Operator,
        anchor: Option<Checkpoint>,
    ) -> Result<ChainReport, Error> {
        operator.may(OperatorRight::Read)?;
        self.proofs.verify_audit(anchor).await
    }

    /// Puts a message into words without sending it.
    pub fn preview(&self, operator: &Operator, message: &Message) -> Result<Words, Error> {
        operator.may(OperatorRight::Read)?;
        Ok(self.proofs.preview(message))
    }
}

/// The operator whose token this is. Every token is compared, so that timing does not tell which one matched.
fn holder(accepted: &[Accepted], token: &SecretText) -> Option<Operator> {
    let mut found = None;
    for known in accepted {
        if known.token == *token {
            found = Some(known.operator.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(rights: &[OperatorRight]) -> Operator {
        Operator {
            name: "anna".into(),
            rights: rights.iter().copied().collect(),
        }
    }

    #[test]
    fn an_operator_may_what_its_rights_say_and_nothing_else() {
        for held in OperatorRight::ALL {
            let operator = operator(&[held]);
            for wanted in OperatorRight::ALL {
                let need = wanted.name();
                let expected = if held == wanted {
                    Ok(())
                } else {
                    Err(Refusal::Forbidden { need })
                };
                assert_eq!(operator.may(wanted), expected, "{held:?} {wanted:?}");
            }
        }
        assert!(operator(&[]).may(OperatorRight::Read).is_err());
    }

    #[test]
    fn an_event_names_the_operator() {
        let event = operator(&[]).event(Timestamp::from_millis(0), "key.delete", "k".to_owned());
        assert_eq!(
            event.facts.get("operator").map(String::as_str),
            Some("anna")
        );
        assert_eq!(event.surface, "admin");
    }

    fn accepted(token: &str, name: &str) -> Accepted {
        Accepted {
            token: SecretText::new(token.to_owned()),
            operator: Operator {
                name: name.into(),
                rights: BTreeSet::new(),
            },
        }
    }

    #[test]
    fn only_a_whole_accepted_token_makes_an_operator() {
        let known = [accepted("first token", "anna"), accepted("second", "bert")];
        let name = |token: &str| {
            let token = SecretText::new(token.to_owned());
            holder(&known, &token).map(|operator| operator.name().to_owned())
        };
        assert_eq!(name("first token").as_deref(), Some("anna"));
        assert_eq!(name("second").as_deref(), Some("bert"));
        for wrong in ["", "first", "first token ", "Second"] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
        assert!(holder(&[], &SecretText::new(String::new())).is_none());
    }

    #[test]
    fn of_two_operators_with_one_token_the_later_counts() {
        let known = [accepted("token", "anna"), accepted("token", "bert")];
        let found = holder(&known, &SecretText::new("token".to_owned()));
        assert_eq!(
            found.map(|operator| operator.name().to_owned()).as_deref(),
            Some("bert")
        );
    }
}
