//! Sends messages: each channel has a list of providers, which are tried in order until one accepts the message.
//!
//! 1. A provider that failed several times in a row is skipped for a short time, unless there is no other.
//! 2. The search ends with the first provider that accepts the message.
//! 3. If none accepts it, the message is refused only if all providers refused it. If one said "later", it is
//!    tried again later.

mod breaker;
mod http;
mod line;
mod mailbox;
mod options;
mod smtp;
mod twilio;
mod webhook;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use domain::message::Channel;
use domain::port::courier::{Delivery, Letter};
use domain::port::{Clock, Courier};

use breaker::Breaker;
use mailbox::Mailbox;
pub use options::{
    BreakerOptions, CourierOptions, FileOptions, Plain, ProviderOptions, SmsSender, SmtpOptions,
    SmtpSecurity, TwilioOptions, WebhookOptions,
};
use smtp::Smtp;
use twilio::Twilio;
use webhook::Webhook;

/// One provider.
#[async_trait]
trait Provider: Send + Sync {
    async fn carry(&self, letter: &Letter) -> Delivery;

    /// Checks whether the provider could accept a message, without sending one.
    async fn probe(&self) -> Result<(), String>;
}

/// A [`Courier`] that uses the configured providers.
pub struct OutsideCourier {
    email: Route,
    sms: Route,
    operator: Route,
    clock: Arc<dyn Clock>,
}

/// The result of [`OutsideCourier::probe`] for one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub channel: Channel,
    /// Its kind, as in the configuration.
    pub provider: &'static str,
    /// The reason contains hosts and files, but no addresses of people and no secrets.
    pub outcome: Result<(), String>,
}

struct Route {
    stops: Vec<Stop>,
}

struct Stop {
    kind: &'static str,
    provider: Box<dyn Provider>,
    breaker: Breaker,
}

impl OutsideCourier {
    /// Checks the options and prepares every provider, without connecting.
    pub fn new(options: CourierOptions, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let breaker = options.breaker;
        let email =
            Route::new(options.email, breaker, &clock).map_err(|why| format!("mail: {why}"))?;
        let sms = Route::new(options.sms, breaker, &clock).map_err(|why| format!("sms: {why}"))?;
        let operator = Route::new(options.operator, breaker, &clock)
            .map_err(|why| format!("the operator's webhook: {why}"))?;
        Ok(Self {
            email,
            sms,
            operator,
            clock,
        })
    }

    /// Checks every provider in turn, for `keyward doctor`.
    pub async fn probe(&self) -> Vec<Probe> {
        let mut found = Vec::new();
        for channel in [Channel::Email, Channel::Sms, Channel::Operator] {
            for stop in &self.route(channel).stops {
                let outcome = stop.provider.probe().await;
                found.push(Probe {
                    channel,
                    provider: stop.kind,
                    outcome,
                });
            }
        }
        found
    }

    fn route(&self, channel: Channel) -> &Route {
        match channel {
            Channel::Email => &self.email,
            Channel::Sms => &self.sms,
            Channel::Operator => &self.operator,
        }
    }
}

#[async_trait]
impl Courier for OutsideCourier {
    async fn deliver(&self, letter: &Letter) -> Delivery {
        self.route(letter.message.channel)
            .deliver(letter, self.clock.as_ref())
            .await
    }

    fn immediate(&self) -> bool {
        [&self.email, &self.sms]
            .iter()
            .any(|route| route.starts_with_a_mailbox())
    }
}

impl fmt::Debug for OutsideCourier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = |route: &Route| route.stops.iter().map(|stop| stop.kind).collect::<Vec<_>>();
        f.debug_struct("OutsideCourier")
            .field("email", &kinds(&self.email))
            .field("sms", &kinds(&self.sms))
            .field("operator", &kinds(&self.operator))
            .finish_non_exhaustive()
    }
}

impl Route {
    fn new(
        providers: Vec<ProviderOptions>,
        breaker: BreakerOptions,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let mut stops = Vec::with_capacity(providers.len());
        for options in providers {
            let kind = options.kind();
            let provider: Box<dyn Provider> = match options {
                ProviderOptions::File(options) => Box::new(Mailbox::new(options)?),
                ProviderOptions::Smtp(options) => Box::new(Smtp::new(options, Arc::clone(clock))?),
                ProviderOptions::Twilio(options) => Box::new(Twilio::new(options)?),
                ProviderOptions::Webhook(options) => {
                    Box::new(Webhook::new(&options, Arc::clone(clock))?)
                }
            };
            stops.push(Stop {
                kind,
                provider,
                breaker: Breaker::new(breaker),
            });
        }
        Ok(Self { stops })
    }

    fn starts_with_a_mailbox(&self) -> bool {
        self.stops
            .first()
            .is_some_and(|stop| stop.kind == options::FILE)
    }

    async fn deliver(&self, letter: &Letter, clock: &dyn Clock) -> Delivery {
        if self.stops.is_empty() {
            return Delivery::Refused("no provider is configured".to_owned());
        }
        let now = clock.now();
        let all_rest = self.stops.iter().all(|stop| stop.breaker.rests(now));
        let mut later = Vec::new();
        let mut refused = Vec::new();
        for stop in &self.stops {
            if !all_rest && stop.breaker.rests(now) {
                later.push(format!(
                    "{}: skipped for a short time after failures",
                    stop.kind
                ));
                continue;
            }
            match stop.provider.carry(letter).await {
                Delivery::Accepted => {
                    stop.breaker.worked();
                    return Delivery::Accepted;
                }
                Delivery::Later(why) => {
                    stop.breaker.failed(clock.now());
                    later.push(format!("{}: {why}", stop.kind));
                }
                Delivery::Refused(why) => {
                    stop.breaker.worked();
                    refused.push(format!("{}: {why}", stop.kind));
                }
            }
        }
        if later.is_empty() {
            return Delivery::Refused(refused.join("; "));
        }
        later.append(&mut refused);
        Delivery::Later(later.join("; "))
    }
}
