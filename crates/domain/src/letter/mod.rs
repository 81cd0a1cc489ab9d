//! Messages to people: the outbox that they leave by.

pub mod alert;
mod dispatch;
pub mod outbox;
mod waiting;

use std::ops::Deref;
use std::sync::Arc;

use crate::core::Core;
use crate::core::error::Error;
use crate::core::layer::Layer;
use crate::core::port::store::{Tx, TxResult};
use crate::core::port::{Composer, Courier};
use crate::core::record::RecordKind;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::trail::Trail;

use self::alert::Listener;
use self::outbox::Sending;

/// Messages, over the audit trail.
pub struct Letters {
    trail: Arc<Trail>,
    pub(crate) sending: Sending,
    listener: Arc<dyn Listener>,
}

impl Letters {
    pub(crate) fn new(
        trail: Arc<Trail>,
        courier: Arc<dyn Courier>,
        composer: Arc<dyn Composer>,
        listener: Arc<dyn Listener>,
    ) -> Self {
        Self {
            trail,
            sending: Sending::new(courier, composer),
            listener,
        }
    }
}

impl Deref for Letters {
    type Target = Arc<Trail>;

    fn deref(&self) -> &Arc<Trail> {
        &self.trail
    }
}

impl Layer for Letters {
    fn core(&self) -> &Core {
        self.trail.core()
    }
}

/// A layer that sends messages.
pub(crate) trait Decides: Layer {
    fn letters(&self) -> &Arc<Letters>;

    /// Runs `work` in one transaction, hands over the messages that it queued, and answers with its verdict.
    /// Both verdicts are saved.
    fn decide<T: Send + 'static>(
        self: &Arc<Self>,
        now: Timestamp,
        work: impl FnMut(&Self, &mut dyn Tx) -> TxResult<Verdict<T>> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        let written = self.write(work);
        async move {
            let verdict = written.await?;
            self.letters().posted(now).await;
            verdict.answer()
        }
    }
}

/// The kinds of rows of this room.
pub(crate) const KINDS: &[RecordKind] = &[RecordKind::of::<outbox::Waiting>()];
