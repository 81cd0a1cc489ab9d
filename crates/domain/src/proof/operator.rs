//! What only an operator of the server may see.

use std::ops::Deref;
use std::sync::Arc;

use super::Proofs;
use crate::core::Core;
use crate::core::error::Error;
use crate::core::layer::Layer;
use crate::core::message::Message;
use crate::core::port::courier::Words;
use crate::trail::audit::{Checkpoint, Event, Verdict};

/// The service for what only an operator may do.
pub struct Operators {
    proofs: Arc<Proofs>,
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
        Self { proofs }
    }

    /// The newest `limit` linked events, newest first, of one subject or of all.
    pub async fn audit_events(
        &self,
        subject: Option<String>,
        limit: usize,
    ) -> Result<Vec<Event>, Error> {
        self.proofs.audit_events(subject, limit).await
    }

    /// Walks the whole audit chain and says what does not hold; `anchor` is the newest checkpoint kept outside.
    pub async fn verify_audit(&self, anchor: Option<Checkpoint>) -> Result<Verdict, Error> {
        self.proofs.verify_audit(anchor).await
    }

    /// Puts a message into words without sending it.
    pub fn preview(&self, message: &Message) -> Words {
        self.proofs.preview(message)
    }

    /// How many messages wait.
    pub async fn waiting_letters(&self) -> Result<u64, Error> {
        self.proofs.waiting_letters().await
    }
}
