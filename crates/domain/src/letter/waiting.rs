//! A waiting message, and what becomes of it: pure decisions.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::message::{Message, MessageKind};
use crate::core::port::courier::Delivery;
use crate::core::port::store::{Kind, RowId};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::time::{Timestamp, days};
use crate::letter::alert::Alert;

/// How long a claimed message belongs to one dispatcher.
pub(super) const LEASE: Duration = Duration::from_mins(2);
/// A notice that no provider accepted for so long is given up, and that is audited.
const NOTICE_LIFE: Duration = days(14);
/// How long the way to a provider may take and still be called prompt. A recovery lock lasts an hour at least.
const PROMPT: Duration = Duration::from_secs(300);

/// The record of a waiting message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(super) id: String,
    pub(super) message: Message,
    pub(super) queued: Timestamp,
    /// Pointless afterwards.
    pub(super) expires: Timestamp,
    pub(super) tries: u32,
    /// The recovery lock whose owner this message alerts.
    pub(super) alert: Option<Alert>,
    /// What the code in it is about: a newer code about the same makes this message pointless.
    #[serde(default)]
    about: Option<[u8; 16]>,
}

impl Record for Waiting {
    const KIND: Kind = "outbox";
    const WHEN_DUE: WhenDue = WhenDue::Stays;
    const ON_ROLLBACK: OnRollback = OnRollback::Limited;
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
    /// A code about `about`. Waiting messages with older codes about it, to the same address and for the same
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

    /// The record of this message, queued at `now` under the name `id`.
    pub(super) fn queued(self, now: Timestamp, id: String) -> Waiting {
        Waiting {
            id,
            message: self.message,
            queued: now,
            expires: now.plus(self.life.unwrap_or(NOTICE_LIFE)),
            tries: 0,
            alert: self.alert,
            about: self.about.map(|about| about.0),
        }
    }
}

/// What a dispatcher does with a message that is due, and before which another one to the same address waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// The earlier one rests until later: this one is looked at again after it.
    Rests { until: Timestamp },
    /// The earlier one is due as well, and goes first.
    GoesFirst,
}

/// `earlier`: when the earlier message is due.
pub(super) fn behind(now: Timestamp, earlier: Option<Timestamp>) -> Behind {
    match earlier.filter(|due| *due > now) {
        Some(due) => Behind::Rests {
            until: due.plus(Duration::from_millis(1)),
        },
        None => Behind::GoesFirst,
    }
}

/// What becomes of a message after one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterTry {
    /// It is gone. The outcome is what the audit trail says.
    Gone { outcome: &'static str },
    /// It is tried again.
    Again { at: Timestamp },
}

impl Waiting {
    /// Whether a newer code of `operation` about `about` makes this message pointless.
    pub(super) fn is_replaced_by(&self, operation: &str, about: RowId) -> bool {
        self.about == Some(about.0) && self.message.operation == operation
    }

    pub(super) fn is_pointless(&self, now: Timestamp) -> bool {
        self.expires <= now
    }

    /// One try more, under a lease: if this dispatcher dies, another claims the message after it.
    pub(super) fn claimed(&mut self, now: Timestamp) -> Timestamp {
        self.tries += 1;
        now.plus(LEASE)
    }

    pub(super) fn after(&self, now: Timestamp, delivery: &Delivery) -> AfterTry {
        match delivery {
            Delivery::Accepted => AfterTry::Gone {
                outcome: "accepted",
            },
            Delivery::Refused(_) => AfterTry::Gone { outcome: "refused" },
            Delivery::Later(_) if self.is_pointless(now) => AfterTry::Gone { outcome: "expired" },
            Delivery::Later(_) => AfterTry::Again {
                at: now.plus(back_off(self.tries, self.message.kind)),
            },
        }
    }

    /// From when an alert counts that was accepted at `now`: a prompt one from when it was queued, so that the
    /// moment first named to the caller stays true; a late one from when it was accepted.
    pub(super) fn alert_counts_from(&self, now: Timestamp) -> Timestamp {
        if now <= self.queued.plus(PROMPT) {
            self.queued
        } else {
            now
        }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::core::message::Channel;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)
    }

    fn message(kind: MessageKind) -> Message {
        Message {
            surface: "test".to_owned(),
            channel: Channel::Email,
            to: "a@example.com".to_owned(),
            kind,
            operation: "verify".to_owned(),
            language: "en".to_owned(),
            code: None,
            link: None,
            anti_phishing_code: None,
            facts: BTreeMap::new(),
        }
    }

    fn code(life: u64) -> Waiting {
        let message = message(MessageKind::Code);
        Posting::code(message, Duration::from_secs(life), RowId([1; 16])).queued(at(0), "id".into())
    }

    fn later() -> Delivery {
        Delivery::Later("down".to_owned())
    }

    #[test]
    fn a_code_is_pointless_from_the_moment_at_which_it_ends() {
        let waiting = code(60);
        assert!(!waiting.is_pointless(at(59)));
        assert!(waiting.is_pointless(at(60)));
    }

    #[test]
    fn a_notice_is_worth_sending_for_fourteen_days() {
        let notice = Posting::notice(message(MessageKind::Notice)).queued(at(0), "id".into());
        assert!(!notice.is_pointless(at(14 * 86_400 - 1)));
        assert!(notice.is_pointless(at(14 * 86_400)));
    }

    #[test]
    fn a_newer_code_about_the_same_for_the_same_operation_replaces_an_older_one() {
        let waiting = code(60);
        assert!(waiting.is_replaced_by("verify", RowId([1; 16])));
        assert!(!waiting.is_replaced_by("verify", RowId([2; 16])));
        assert!(!waiting.is_replaced_by("reset", RowId([1; 16])));
        let notice = Posting::notice(message(MessageKind::Notice)).queued(at(0), "id".into());
        assert!(!notice.is_replaced_by("verify", RowId([1; 16])));
    }

    #[test]
    fn a_claim_counts_a_try_and_lasts_as_long_as_the_lease() {
        let mut waiting = code(600);
        assert_eq!(waiting.claimed(at(0)), at(120));
        assert_eq!(waiting.claimed(at(120)), at(240));
        assert_eq!(waiting.tries, 2);
    }

    #[test]
    fn what_a_provider_accepts_or_refuses_for_good_is_gone() {
        let waiting = code(60);
        let gone = |outcome| AfterTry::Gone { outcome };
        assert_eq!(waiting.after(at(1), &Delivery::Accepted), gone("accepted"));
        let refused = Delivery::Refused("no such mailbox".to_owned());
        assert_eq!(waiting.after(at(1), &refused), gone("refused"));
    }

    #[test]
    fn what_a_provider_defers_is_tried_again_until_it_is_pointless() {
        let mut waiting = code(60);
        waiting.claimed(at(0));
        assert_eq!(
            waiting.after(at(1), &later()),
            AfterTry::Again { at: at(3) }
        );
        assert_eq!(
            waiting.after(at(60), &later()),
            AfterTry::Gone { outcome: "expired" }
        );
    }

    #[test]
    fn pauses_double_up_to_five_minutes_for_codes_and_an_hour_for_notices() {
        let seconds = |tries, kind| back_off(tries, kind).as_secs();
        for (tries, code, notice) in [
            (1, 2, 2),
            (2, 4, 4),
            (8, 256, 256),
            (9, 300, 512),
            (11, 300, 2048),
            (12, 300, 3600),
            (u32::MAX, 300, 3600),
        ] {
            assert_eq!(seconds(tries, MessageKind::Code), code, "{tries}");
            assert_eq!(seconds(tries, MessageKind::Notice), notice, "{tries}");
        }
    }

    #[test]
    fn a_prompt_alert_counts_from_its_queueing_and_a_late_one_from_its_acceptance() {
        let waiting = code(86_400);
        assert_eq!(waiting.alert_counts_from(at(0)), at(0));
        assert_eq!(waiting.alert_counts_from(at(300)), at(0));
        assert_eq!(waiting.alert_counts_from(at(301)), at(301));
    }

    #[test]
    fn a_message_waits_for_an_earlier_one_that_rests_and_lets_one_that_is_due_go_first() {
        let until = at(10).plus(Duration::from_millis(1));
        assert_eq!(behind(at(0), Some(at(10))), Behind::Rests { until });
        assert_eq!(behind(at(10), Some(at(10))), Behind::GoesFirst);
        assert_eq!(behind(at(0), None), Behind::GoesFirst);
    }
}
