//! The outbox: messages are written in the transaction that causes them and leave after it.
//!
//! 1. A use case queues a [`Message`] in its transaction (here).
//! 2. The dispatcher (`dispatch`) claims what is due, under a lease, so that the messages of a killed dispatcher
//!    come back; and only the oldest message of each address, so that order is kept.
//! 3. It hands the messages over to their providers, outside any transaction.
//! 4. It settles: removes what a provider accepted, puts back what must be tried again (`waiting`).
//!
//! A crash between 3 and 4 sends a message twice, with one and the same id. A message is never lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::core::layer::Layer as _;
use crate::core::message::{Channel, Message};
use crate::core::port::courier::Words;
use crate::core::port::random::uuid;
use crate::core::port::store::{Page, RowId, Tx, TxResult};
use crate::core::port::{Composer, Courier};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::letter::Letters;

pub(crate) use super::waiting::{Posting, Waiting};

/// The providers, and what keeps messages in order.
pub(crate) struct Sending {
    pub(super) courier: Arc<dyn Courier>,
    composer: Arc<dyn Composer>,
    last_rank: AtomicI64,
    /// With an immediate courier, the messages of one request at a time leave before its answer.
    pub(super) inline: tokio::sync::Mutex<()>,
}

impl Sending {
    pub(crate) fn new(courier: Arc<dyn Courier>, composer: Arc<dyn Composer>) -> Self {
        Self {
            courier,
            composer,
            last_rank: AtomicI64::new(0),
            inline: tokio::sync::Mutex::default(),
        }
    }

    /// The rank of the next message: grows with every message of this process, in step with the clock.
    pub(crate) fn rank(&self, now: Timestamp) -> i64 {
        let floor = now.millis().saturating_mul(1024);
        let step = |last: i64| Some(floor.max(last + 1));
        match self
            .last_rank
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step)
        {
            Ok(last) | Err(last) => floor.max(last + 1),
        }
    }
}

impl Letters {
    /// Step 1: queues a message in the running transaction.
    pub(crate) fn post(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        mut posting: Posting,
    ) -> TxResult<()> {
        let message = &mut posting.message;
        if message.channel == Channel::Email {
            // Always look up the phrase, even if the caller supplied one, so that timing does not reveal which
            // addresses have one.
            let phrase = self.listener.phrase(self.core(), tx, &message.to)?;
            message.anti_phishing_code = message.anti_phishing_code.take().or(phrase);
        }
        let recipient = self.rows.id("recipient", &[message.to.as_bytes()]);
        if let Some(about) = posting.about {
            self.withdraw(tx, recipient, &posting.message.operation, about)?;
        }
        let place = Place::at(self.rows.fresh::<Waiting>())
            .of(recipient)
            .ranked(self.sending.rank(now))
            .due(now);
        let waiting = posting.queued(now, uuid(self.random.as_ref()).to_string());
        self.rows.create(tx, self.tenant(), place, waiting)?;
        Ok(())
    }

    /// Removes waiting messages to `recipient` whose code a newer one replaces.
    fn withdraw(
        &self,
        tx: &mut dyn Tx,
        recipient: RowId,
        operation: &str,
        about: RowId,
    ) -> TxResult<()> {
        for waiting in self.rows.children::<Waiting>(tx, &recipient, Page::ALL)? {
            if waiting.is_replaced_by(operation, about) {
                self.rows.remove(tx, waiting.key())?;
            }
        }
        Ok(())
    }

    /// Call it after a commit that may have queued something: with an immediate courier the messages leave now,
    /// otherwise the dispatcher is woken.
    pub(crate) async fn posted(self: &Arc<Self>, now: Timestamp) {
        if self.sending.courier.immediate() {
            if let Err(error) = self.dispatch(now).await {
                tracing::error!(
                    code = error.code(),
                    error = crate::core::error::chain(&error),
                    "messages did not leave"
                );
            }
        } else {
            self.work.notify_one();
        }
    }

    /// Puts a message into words without sending it.
    pub(crate) fn preview(&self, message: &Message) -> Words {
        self.sending.composer.compose(message)
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::core::port::courier::{Delivery, Letter};

    struct Nowhere;

    #[async_trait]
    impl Courier for Nowhere {
        async fn deliver(&self, _letter: &Letter) -> Delivery {
            Delivery::Later("nowhere to go".to_owned())
        }

        fn immediate(&self) -> bool {
            false
        }
    }

    impl Composer for Nowhere {
        fn compose(&self, _message: &Message) -> Words {
            Words::default()
        }
    }

    #[test]
    fn ranks_grow_within_a_millisecond_and_when_the_clock_goes_back() {
        let sending = Sending::new(Arc::new(Nowhere), Arc::new(Nowhere));
        let ranks: Vec<i64> = [5, 5, 6, 4, 7]
            .map(|millis| sending.rank(Timestamp::from_millis(millis)))
            .to_vec();
        assert!(
            ranks.is_sorted_by(|earlier, later| earlier < later),
            "{ranks:?}"
        );
        assert_eq!(ranks[0], 5 * 1024);
        assert_eq!(ranks[4], 7 * 1024);
    }

    proptest::proptest! {
        #[test]
        fn ranks_grow_whatever_the_clock_does_and_never_lag_behind_it(
            times in proptest::collection::vec(0_i64..10_000_000_000_000, 1..60),
        ) {
            let sending = Sending::new(Arc::new(Nowhere), Arc::new(Nowhere));
            let mut last = i64::MIN;
            for millis in times {
                let rank = sending.rank(Timestamp::from_millis(millis));
                proptest::prop_assert!(rank > last && rank >= millis * 1024);
                last = rank;
            }
        }
    }
}
