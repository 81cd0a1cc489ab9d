//! The outbox: messages are written in the transaction that causes them and leave after it.
//!
//! 1. A use case queues a [`Message`] in its transaction.
//! 2. The dispatcher claims what is due (a lease, so that a killed dispatcher's letters come back),
//!    only the oldest of each address, so that order is kept.
//! 3. It delivers outside any transaction.
//! 4. It settles: removes what a provider accepted, puts back what must be tried again.
//!
//! A crash between 3 and 4 sends a letter twice, with one and the same id. A letter is never lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::core::error::Error;
use crate::core::layer::Layer as _;
use crate::core::message::{Channel, Message, MessageKind};
use crate::core::port::courier::{Delivery, Letter, Words};
use crate::core::port::random::uuid;
use crate::core::port::store::Kind;
use crate::core::port::store::{Order, Page, RowId, Tx, TxResult};
use crate::core::port::{Composer, Courier};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::{Timestamp, days};
use crate::letter::Letters;
use crate::letter::alert::Alert;
use crate::trail::audit::Event;
use crate::trail::jobs::Chores;
use crate::trail::rollback::Lost;

/// How long a claimed letter belongs to one dispatcher.
const LEASE: Duration = Duration::from_mins(2);
/// A notice that no provider took for so long is given up, and that is audited.
const NOTICE_LIFE: Duration = days(14);
/// How long the way to a provider may take and still be called prompt. A lock lasts an hour at least.
const PROMPT: Duration = Duration::from_secs(300);
/// Letters claimed at once.
const BATCH: usize = 32;

/// A waiting message.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Waiting {
    id: String,
    message: Message,
    queued: Timestamp,
    /// Pointless afterwards.
    expires: Timestamp,
    tries: u32,
    /// The lock whose owner this letter alerts.
    alert: Option<Alert>,
    /// What the code in it is about: a newer code about the same makes this letter pointless.
    #[serde(default)]
    about: Option<[u8; 16]>,
}

impl Record for Waiting {
    const KIND: Kind = "outbox";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Limited;
}

/// The ways out, and what keeps letters in order.
pub(crate) struct Sending {
    courier: Arc<dyn Courier>,
    composer: Arc<dyn Composer>,
    last_rank: AtomicI64,
    /// With an immediate courier, letters leave one request at a time before its answer.
    inline: tokio::sync::Mutex<()>,
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

    /// Grows with every letter of this process, in step with the clock.
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

/// How long a queued message is worth sending, and whom it alerts.
pub(crate) struct Posting {
    pub(crate) message: Message,
    /// Life of the code in it; notices keep for days.
    pub(crate) life: Option<Duration>,
    pub(crate) alert: Option<Alert>,
    /// What a code is about; see [`Waiting`].
    pub(crate) about: Option<RowId>,
}

impl Posting {
    /// A code about `about`. Letters with older codes about it, to the same address and for the same
    /// operation, will not be sent any more.
    pub(crate) fn code(message: Message, life: Duration, about: RowId) -> Self {
        Self {
            message,
            life: Some(life),
            alert: None,
            about: Some(about),
        }
    }

    pub(crate) fn notice(message: Message) -> Self {
        Self {
            message,
            life: None,
            alert: None,
            about: None,
        }
    }
}

impl Letters {
    /// Step 1: queues a message in the running transaction.
    pub(crate) fn post(&self, tx: &mut dyn Tx, now: Timestamp, posting: Posting) -> TxResult<()> {
        let Posting {
            mut message,
            life,
            alert,
            about,
        } = posting;
        if message.channel == Channel::Email {
            // Looked up even for who brings one: what a letter costs must not tell who has one.
            let phrase = self.listener.phrase(self.core(), tx, &message.to)?;
            message.anti_phishing_code = message.anti_phishing_code.take().or(phrase);
        }
        let owner = self.rows.id("recipient", &[message.to.as_bytes()]);
        if let Some(about) = about {
            self.withdraw(tx, &owner, &message, about)?;
        }
        let place = Place::at(self.rows.random_id())
            .of(owner)
            .ranked(self.sending.rank(now))
            .due(now);
        let waiting = Waiting {
            id: uuid(self.random.as_ref()).to_string(),
            message,
            queued: now,
            expires: now.plus(life.unwrap_or(NOTICE_LIFE)),
            tries: 0,
            alert,
            about: about.map(|about| about.0),
        };
        self.rows.create(tx, self.tenant(), place, waiting)?;
        Ok(())
    }

    /// Removes waiting letters whose code a newer one replaces.
    fn withdraw(
        &self,
        tx: &mut dyn Tx,
        owner: &RowId,
        message: &Message,
        about: RowId,
    ) -> TxResult<()> {
        for letter in self.rows.children::<Waiting>(tx, owner, Page::ALL)? {
            if letter.about == Some(about.0) && letter.message.operation == message.operation {
                self.rows.remove::<Waiting>(tx, &letter.id())?;
            }
        }
        Ok(())
    }

    /// To be called after a commit that may have queued something: with an immediate courier the
    /// letters leave now, otherwise the dispatcher is woken.
    pub(crate) async fn posted(self: &Arc<Self>, now: Timestamp) {
        if self.sending.courier.immediate() {
            if let Err(error) = self.dispatch(now).await {
                tracing::error!(
                    code = error.code(),
                    error = crate::core::error::chain(&error),
                    "letters did not leave"
                );
            }
        } else {
            self.work.notify_one();
        }
    }

    /// Steps 2 to 4, until nothing is due. Returns how many letters were accepted.
    pub(crate) async fn dispatch(self: &Arc<Self>, now: Timestamp) -> Result<usize, Error> {
        let _inline = if self.sending.courier.immediate() {
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
            let mut settled = Vec::with_capacity(claimed.len());
            let mut under_way = tokio::task::JoinSet::new();
            for waiting in claimed {
                let hub = Arc::clone(self);
                under_way.spawn(async move {
                    let delivery = hub.hand_over(now, &waiting).await;
                    (waiting, delivery)
                });
            }
            while let Some(done) = under_way.join_next().await {
                settled.push(done.map_err(Error::bug)?);
            }
            accepted += settled
                .iter()
                .filter(|(_, delivery)| *delivery == Delivery::Accepted)
                .count();
            // A lock counts from when its alert was accepted, never from before.
            let now = if self.sending.courier.immediate() {
                now
            } else {
                self.now()
            };
            let gone = self
                .write(move |hub, tx| hub.settle(tx, now, &settled))
                .await?;
            // A letter that is gone, delivered or not, makes room for the next to its address.
            if gone == 0 {
                return Ok(accepted);
            }
        }
    }

    /// Puts a message into words without sending it.
    pub(crate) fn preview(&self, message: &Message) -> Words {
        self.sending.composer.compose(message)
    }

    /// Claims what is due, the oldest letter of each address.
    fn claim(&self, tx: &mut dyn Tx, now: Timestamp) -> TxResult<Vec<Stored<Waiting>>> {
        let mut claimed: Vec<Stored<Waiting>> = Vec::new();
        for mut waiting in self.rows.due::<Waiting>(tx, now, BATCH)? {
            let owner = waiting.place.owner.unwrap_or(waiting.place.id);
            let served = |own: &Stored<Waiting>| own.place.owner == Some(owner);
            if claimed.iter().any(served) {
                continue;
            }
            let first = Page {
                order: Order::Ascending,
                after: None,
                limit: 1,
            };
            let head = self.rows.children::<Waiting>(tx, &owner, first)?;
            let head = head.first().filter(|head| head.id() != waiting.id());
            if let Some(head) = head {
                // An older letter to the same address goes first.
                let Some(head) = self.rows.get::<Waiting>(tx, &head.id())? else {
                    continue;
                };
                if let Some(due) = head.place.due.filter(|due| *due > now) {
                    // It rests, and wakes this one when it is settled.
                    waiting.place.due = Some(due.plus(Duration::from_millis(1)));
                    self.rows.put(tx, &mut waiting)?;
                    continue;
                }
                // It is due as well, but behind more letters than are looked at here.
                waiting = head;
            }
            waiting.tries += 1;
            waiting.place.due = Some(now.plus(LEASE));
            self.rows.put(tx, &mut waiting)?;
            claimed.push(waiting);
        }
        Ok(claimed)
    }

    /// The next letter to the same address need not wait for the one that is gone.
    fn wake_next(&self, tx: &mut dyn Tx, now: Timestamp, gone: &Place) -> TxResult<()> {
        let Some(owner) = gone.owner else {
            return Ok(());
        };
        let first = Page {
            order: Order::Ascending,
            after: None,
            limit: 1,
        };
        for mut next in self.rows.children::<Waiting>(tx, &owner, first)? {
            if next.place.due > Some(now) {
                next.place.due = Some(now);
                self.rows.put(tx, &mut next)?;
            }
        }
        Ok(())
    }

    async fn hand_over(&self, now: Timestamp, waiting: &Waiting) -> Delivery {
        if waiting.expires <= now {
            return Delivery::Later("pointless by now".to_owned());
        }
        let Words {
            subject,
            text,
            html,
        } = self.sending.composer.compose(&waiting.message);
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

    /// Step 4; how many letters wait no longer.
    fn settle(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        settled: &[(Stored<Waiting>, Delivery)],
    ) -> TxResult<usize> {
        let mut gone = 0;
        for (waiting, delivery) in settled {
            let Some(mut row) = self.rows.get::<Waiting>(tx, &waiting.id())? else {
                continue;
            };
            if row.version() != waiting.version() {
                // The lease ran out and another dispatcher has it now.
                continue;
            }
            let outcome = match delivery {
                Delivery::Accepted => {
                    if let Some(alert) = &waiting.alert {
                        let at = alert_counts_from(waiting.queued, now);
                        self.listener.alert_accepted(self.core(), tx, at, alert)?;
                    }
                    "accepted"
                }
                Delivery::Refused(_) => "refused",
                Delivery::Later(_) if waiting.expires <= now => "expired",
                Delivery::Later(_) => {
                    row.place.due = Some(now.plus(back_off(waiting.tries, waiting.message.kind)));
                    self.rows.put(tx, &mut row)?;
                    continue;
                }
            };
            if let Delivery::Refused(reason) | Delivery::Later(reason) = delivery {
                tracing::warn!(
                    code = "letter_dropped",
                    letter.id = waiting.id,
                    outcome,
                    reason,
                    "a letter was given up"
                );
            }
            self.rows.remove::<Waiting>(tx, &waiting.id())?;
            self.wake_next(tx, now, &waiting.place)?;
            let event = Event::new(
                &waiting.message.surface,
                now,
                "message.sent",
                waiting.id.clone(),
            )
            .outcome(outcome)
            .fact("operation", waiting.message.operation.clone());
            self.record(tx, event)?;
            gone += 1;
        }
        Ok(gone)
    }
}

/// From when an accepted alert counts: a prompt one from when it was queued, so that the moment first
/// named to the caller stays true; a late one from when it was accepted.
fn alert_counts_from(queued: Timestamp, accepted: Timestamp) -> Timestamp {
    if accepted <= queued.plus(PROMPT) {
        queued
    } else {
        accepted
    }
}

/// 2 s, 4 s, 8 s … up to five minutes for codes, which people wait for, and up to an hour for notices.
fn back_off(tries: u32, kind: MessageKind) -> Duration {
    let longest = match kind {
        MessageKind::Code => 300,
        MessageKind::Notice => 3600,
    };
    Duration::from_secs(2_u64.saturating_pow(tries.min(12)).min(longest))
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
        let waiting = self.rows.get::<Waiting>(tx, &id)?;
        if waiting.is_some_and(|waiting| waiting.message.kind == MessageKind::Code) {
            self.rows.remove::<Waiting>(tx, &id)?;
        }
        Ok(true)
    }
}
