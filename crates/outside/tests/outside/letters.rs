//! Letters and clocks for tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::Timestamp;
use domain::message::{Channel, Message, MessageKind};
use domain::port::Clock;
use domain::port::courier::Letter;

/// 2020-11-16T13:56:45.840Z.
pub(crate) const AT: Timestamp = Timestamp::from_millis(1_605_535_005_840);

/// A clock that only a test moves.
pub(crate) struct Hand(AtomicI64);

impl Hand {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(AT.millis())))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0
            .store(self.now().plus(by).millis(), Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

pub(crate) fn message(channel: Channel) -> Message {
    let to = match channel {
        Channel::Email => "jon.smith@example.com",
        Channel::Sms => "+491701234567",
        Channel::Operator => "operator",
    };
    Message {
        surface: "photon".to_owned(),
        channel,
        to: to.to_owned(),
        kind: MessageKind::Code,
        operation: "VERIFY_CONTACT".to_owned(),
        language: "en".to_owned(),
        code: Some("042137".to_owned()),
        link: None,
        anti_phishing_code: Some("blue-fox-7".to_owned()),
        facts: BTreeMap::new(),
    }
}

pub(crate) fn letter(channel: Channel) -> Letter {
    Letter {
        id: "6f0c1e9a-1d1f-4f0e-8a39-0c8e3a5b7f11".to_owned(),
        at: AT,
        message: message(channel),
        subject: "Your verification code".to_owned(),
        text: "Your code is: 042137\n\"Grüße\"".to_owned(),
        html: "<p>Your code is: 042137</p>".to_owned(),
    }
}
