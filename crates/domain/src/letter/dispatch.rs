//! Handing waiting messages over to their providers: steps 2 to 4 of the outbox.

use std::sync::Arc;

use async_trait::async_trait;

use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::message::MessageKind;
use crate::core::port::courier::{Delivery, Letter, Words};
use crate::core::port::store::{Kind, Order, Page, RowId, Tx, TxResult};
use crate::core::record::Record as _;
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::trail::audit::Event;
use crate::trail::jobs::Chores;
use crate::trail::rollback::Lost;

use super::Letters;
use super::waiting::{AfterTry, Behind, Waiting, behind};

/// Messages claimed at once.
const BATCH: usize = 32;

/// The first of an owner's rows.
const FIRST: Page = Page {
    order: Order::Ascending,
    after: None,
    limit: 1,
};

impl Letters {
    /// Steps 2 to 4, until nothing is due. Returns how many messages were accepted.
    pub(crate) async fn dispatch(self: &Arc<Self>, now: Timestamp) -> Result<usize, Error> {
        let immediate = self.sending.courier.immediate();
        let _inline = if immediate {
            Some(self.sending.inline.lock().await)
        } else {
            None
        };
        let mut accepted = 0;
        if !self.any_due(Waiting::KIND, now).await? {
            return Ok(accepted);
        }
        loop {
            let claimed = self.write(move |hub, tx| hub.claim(tx, now)).await?;
            if claimed.is_empty() {
                return Ok(accepted);
            }
            let tried = self.hand_over_all(now, claimed).await?;
            let is_accepted = |(_, delivery): &&(_, Delivery)| *delivery == Delivery::Accepted;
            accepted += tried.iter().filter(is_accepted).count();
            // A recovery lock counts from when its alert was accepted, never from before.
            let now = if immediate { now } else { self.now() };
            let gone = self
                .write(move |hub, tx| hub.settle_all(tx, now, &tried))
                .await?;
            // A message that is gone, delivered or not, makes room for the next to its address.
            if gone == 0 {
                return Ok(accepted);
            }
        }
    }

    /// Step 2: claims what is due, the oldest message of each address.
    fn claim(&self, tx: &mut dyn Tx, now: Timestamp) -> TxResult<Vec<Stored<Waiting>>> {
        let mut claimed: Vec<Stored<Waiting>> = Vec::new();
        for waiting in self.rows.due::<Waiting>(tx, now, BATCH)? {
            let owner = waiting.place.owner.unwrap_or(waiting.place.id);
            if claimed.iter().any(|own| own.place.owner == Some(owner)) {
                continue;
            }
            let Some(mut head) = self.head_of_line(tx, now, owner, waiting)? else {
                continue;
            };
            head.place.due = Some(head.claimed(now));
            self.rows.put(tx, &mut head)?;
            claimed.push(head);
        }
        Ok(claimed)
    }

    /// The message to hand over instead of `waiting`: itself, or an older one to the same address that is due as
    /// well but behind more messages than are looked at. Nothing if an older one rests.
    fn head_of_line(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        owner: RowId,
        mut waiting: Stored<Waiting>,
    ) -> TxResult<Option<Stored<Waiting>>> {
        let oldest = self.rows.children::<Waiting>(tx, &owner, FIRST)?;
        let Some(head) = oldest.first().filter(|head| head.id() != waiting.id()) else {
            return Ok(Some(waiting));
        };
        let Some(head) = self.rows.get(tx, head.key())? else {
            return Ok(None);
        };
        match behind(now, head.place.due) {
            Behind::GoesFirst => Ok(Some(head)),
            Behind::Rests { until } => {
                waiting.place.due = Some(until);
                self.rows.put(tx, &mut waiting)?;
                Ok(None)
            }
        }
    }

    /// Step 3: all claimed messages at once, outside any transaction.
    async fn hand_over_all(
        self: &Arc<Self>,
        now: Timestamp,
        claimed: Vec<Stored<Waiting>>,
    ) -> Result<Vec<(Stored<Waiting>, Delivery)>, Error> {
        let mut tried = Vec::with_capacity(claimed.len());
        let mut under_way = tokio::task::JoinSet::new();
        for waiting in claimed {
            let hub = Arc::clone(self);
            under_way.spawn(async move {
                let delivery = hub.hand_over(now, &waiting).await;
                (waiting, delivery)
            });
        }
        while let Some(done) = under_way.join_next().await {
            tried.push(done.map_err(Error::bug)?);
        }
        Ok(tried)
    }

    async fn hand_over(&self, now: Timestamp, waiting: &Waiting) -> Delivery {
        if waiting.is_pointless(now) {
            return Delivery::Later("pointless by now".to_owned());
        }
        let Words {
            subject,
            text,
            html,
        } = self.preview(&waiting.message);
        let letter = Letter {
            id: waiting.id.clone(),
            at: waiting.queued,
            message: waiting.message.clone(),
            subject,
            text,
            html,
        };
        self.sending.courier.deliver(&letter).await
    }

    /// Step 4. Returns how many messages wait no longer.
    fn settle_all(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        tried: &[(Stored<Waiting>, Delivery)],
    ) -> TxResult<usize> {
        let mut gone = 0;
        for (waiting, delivery) in tried {
            let found = self.rows.get(tx, waiting.key())?;
            // With another version, the lease ran out and another dispatcher has it now.
            let Some(row) = found.filter(|row| row.version() == waiting.version()) else {
                continue;
            };
            gone += usize::from(self.settle(tx, now, row, delivery)?);
        }
        Ok(gone)
    }

    /// Whether the message waits no longer.
    fn settle(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        mut waiting: Stored<Waiting>,
        delivery: &Delivery,
    ) -> TxResult<bool> {
        let outcome = match waiting.after(now, delivery) {
            AfterTry::Gone { outcome } => outcome,
            AfterTry::Again { at } => {
                waiting.place.due = Some(at);
                self.rows.put(tx, &mut waiting)?;
                return Ok(false);
            }
        };
        match (delivery, &waiting.alert) {
            (Delivery::Accepted, Some(alert)) => {
                let at = waiting.alert_counts_from(now);
                self.listener.alert_accepted(self.core(), tx, at, alert)?;
            }
            (Delivery::Accepted, None) => {}
            (Delivery::Refused(reason) | Delivery::Later(reason), _) => tracing::warn!(
                code = "letter_dropped",
                letter.id = waiting.id,
                outcome,
                reason,
                "a message was given up"
            ),
        }
        self.rows.remove(tx, waiting.key())?;
        self.wake_next(tx, now, &waiting.place)?;
        let surface = &waiting.message.surface;
        let event = Event::new(surface, now, "message.sent", waiting.id.clone())
            .outcome(outcome)
            .fact("operation", waiting.message.operation.clone());
        self.record(tx, event)?;
        Ok(true)
    }

    /// The next message to the same address need not wait for the one that is gone.
    fn wake_next(&self, tx: &mut dyn Tx, now: Timestamp, gone: &Place) -> TxResult<()> {
        let Some(owner) = gone.owner else {
            return Ok(());
        };
        for mut next in self.rows.children::<Waiting>(tx, &owner, FIRST)? {
            if next.place.due > Some(now) {
                next.place.due = Some(now);
                self.rows.put(tx, &mut next)?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Chores for Letters {
    async fn waiting(self: Arc<Self>) -> Result<u64, Error> {
        self.read(|_, tx| tx.count(Waiting::KIND)).await
    }

    async fn deliver(self: Arc<Self>) -> Result<usize, Error> {
        let now = self.now();
        self.dispatch(now).await
    }

    /// A waiting message with a code is ended; news still go out.
    fn after_rollback(
        &self,
        tx: &mut dyn Tx,
        _now: Timestamp,
        _lost: Lost,
        (kind, id): (Kind, RowId),
    ) -> TxResult<bool> {
        if kind != Waiting::KIND {
            return Ok(false);
        }
        let waiting = self.rows.get::<Waiting>(tx, Id::new(id))?;
        if waiting.is_some_and(|waiting| waiting.message.kind == MessageKind::Code) {
            self.rows.remove::<Waiting>(tx, Id::new(id))?;
        }
        Ok(true)
    }
}
