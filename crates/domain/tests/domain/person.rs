//! Somebody with an account, and short ways to call the service of people.

use std::sync::Arc;
use std::time::Duration;

use domain::person::People;
use domain::person::process::ProcessId;
use domain::person::registration::SecondStep;
use domain::person::{AccountId, Factor, LoggedIn, PresentedCode, Way, WayKind};
use domain::policy::Policy;
use domain::proof::password::Password;
use domain::proof::session::{SignedIn, Tokens};
use domain::{Caller, Error, Refusal};
use testkit::{Backing, Kit};
use uuid::Uuid;

pub(crate) use crate::owner::secret;

pub(crate) const EMAIL: &str = "anna@example.com";
pub(crate) const PHONE: &str = "+4915112345678";
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const NEW_PASSWORD: &str = "staple battery horse";

pub(crate) fn caller() -> Caller {
    testkit::kit::caller("profile")
}

pub(crate) fn password(text: &str) -> Password {
    Password::new(text)
}

pub(crate) fn email() -> Way {
    Way::email(EMAIL)
}

pub(crate) fn phone() -> Way {
    Way::phone(PHONE)
}

/// A process that never was.
pub(crate) fn no_process() -> ProcessId {
    ProcessId(Uuid::from_u128(77))
}

/// A code for the only step that is left.
pub(crate) fn code(text: &str) -> PresentedCode {
    PresentedCode {
        factor: None,
        text: secret(text),
    }
}

pub(crate) fn code_for(factor: Factor, text: &str) -> PresentedCode {
    PresentedCode {
        factor: Some(factor),
        text: secret(text),
    }
}

/// What was refused.
pub(crate) fn refused<T>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        Err(error) => panic!("this is no refusal: {error}"),
        Ok(_) => panic!("this was to be refused"),
    }
}

fn without_limits(policy: &mut Policy) {
    policy.person.tokens.pause = Duration::ZERO;
    policy.person.tokens.sends_per_operation_hour = 0;
}

/// A server whose people may ask for codes as often as they like.
pub(crate) struct World {
    pub(crate) kit: Kit,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Policy)) -> Self {
        let kit = Kit::builder().policy(without_limits).policy(change);
        Self {
            kit: kit.build().await,
        }
    }

    /// With Anna, on the database of a test that runs on every one.
    pub(crate) async fn on(backing: &Backing) -> Self {
        let kit = Kit::builder().store(backing.store());
        let kit = kit.policy(without_limits).build().await;
        let world = Self { kit };
        world.register(email()).await;
        world
    }

    /// With somebody who has an e-mail address and nothing else.
    pub(crate) async fn with_anna() -> Self {
        let world = Self::new().await;
        world.register(email()).await;
        world
    }

    pub(crate) fn people(&self) -> &Arc<People> {
        &self.kit.services.people
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.kit.clock.advance(Duration::from_secs(seconds));
    }

    /// The newest code to an address.
    pub(crate) fn code(&self, way: &Way) -> String {
        let code = self.kit.courier.code_to(&way.given);
        code.expect("a code was sent")
    }

    /// What the messages to an address were about, since they were last forgotten.
    pub(crate) fn told(&self, way: &Way) -> Vec<String> {
        self.kit.courier.operations_to(&way.given)
    }

    /// Starts a registration, and sends its code.
    pub(crate) async fn registering(&self, way: &Way) -> ProcessId {
        let people = self.people();
        let process = people.start_registration(caller(), way.clone()).await;
        let process = process.unwrap();
        let sent = people.send_registration_token(caller(), process).await;
        assert_eq!(sent.unwrap().0, *way);
        process
    }

    /// A registration whose code was right.
    pub(crate) async fn registered(&self, way: &Way) -> ProcessId {
        let process = self.registering(way).await;
        let text = secret(&self.code(way));
        let people = self.people();
        people
            .verify_registration(caller(), process, text, SecondStep::Off)
            .await
            .unwrap();
        process
    }

    pub(crate) async fn register(&self, way: Way) -> AccountId {
        let process = self.registered(&way).await;
        let people = self.people();
        let id = people
            .finish_registration(caller(), process, password(PASSWORD))
            .await;
        self.pass(1);
        id.unwrap()
    }

    pub(crate) async fn try_log_in(&self, way: &Way, text: &str) -> Result<LoggedIn, Error> {
        let people = self.people();
        people.log_in(caller(), way.clone(), password(text)).await
    }

    /// Tokens of a login without a second step.
    pub(crate) async fn tokens(&self) -> Tokens {
        match self.try_log_in(&email(), PASSWORD).await.unwrap() {
            LoggedIn::Done(tokens) => tokens,
            LoggedIn::Steps { left, .. } => panic!("steps are left: {left:?}"),
        }
    }

    pub(crate) async fn authenticate(&self, tokens: &Tokens) -> Result<SignedIn, Error> {
        self.people().authenticate(tokens.access.expose()).await
    }

    /// Somebody who is logged in.
    pub(crate) async fn signed_in(&self) -> SignedIn {
        let tokens = self.tokens().await;
        self.pass(1);
        self.authenticate(&tokens).await.unwrap()
    }

    /// A login whose second steps are left.
    pub(crate) async fn stepping(&self) -> (ProcessId, Vec<Factor>) {
        match self.try_log_in(&email(), PASSWORD).await.unwrap() {
            LoggedIn::Done(_) => panic!("no step is left"),
            LoggedIn::Steps { process, left } => (process, left),
        }
    }

    /// Adds an address to the account of somebody who is logged in.
    pub(crate) async fn add(&self, who: &SignedIn, way: &Way) {
        let people = self.people();
        people
            .send_adding_token(caller(), who.clone(), way.clone())
            .await
            .unwrap();
        let text = secret(&self.code(way));
        people
            .add_address(caller(), who.clone(), way.clone(), text)
            .await
            .unwrap();
        self.pass(1);
    }

    /// With somebody who has both kinds of addresses, and is logged in.
    pub(crate) async fn with_both() -> (Self, SignedIn) {
        let world = Self::with_anna().await;
        let who = world.signed_in().await;
        world.add(&who, &phone()).await;
        let who = world.signed_in().await;
        world.kit.courier.forget();
        (world, who)
    }

    pub(crate) async fn second_step(&self, who: &SignedIn, kind: WayKind) {
        let people = self.people();
        people
            .enable_second_step(caller(), who.clone(), kind)
            .await
            .unwrap();
    }

    /// Switches an authenticator on. Returns its secret and its recovery codes.
    pub(crate) async fn authenticator(&self, who: &SignedIn) -> (Vec<u8>, Vec<String>) {
        let people = self.people();
        let new = people.start_authenticator(caller(), who.clone()).await;
        let key = base32(new.unwrap().secret.expose());
        let text = secret(&self.app_code(&key));
        let codes = people
            .confirm_authenticator(caller(), who.clone(), text)
            .await
            .unwrap();
        self.pass(60);
        let codes = codes.0.iter().map(|code| code.expose().to_owned());
        (key, codes.collect())
    }

    /// What an authenticator app shows now.
    pub(crate) fn app_code(&self, key: &[u8]) -> String {
        let step = crypto::totp::step_at(self.kit.services.now().seconds());
        crypto::totp::digits(key, step)
    }

    /// Action and outcome of every event but those of messages, sorted.
    pub(crate) async fn events(&self) -> Vec<String> {
        self.kit.run_jobs().await;
        let operators = &self.kit.services.operators;
        let events = operators
            .audit_events(&self.kit.operator(), None, 10_000)
            .await
            .unwrap();
        let said = events.into_iter();
        let mut said: Vec<_> = said
            .filter(|event| !event.action.starts_with("message."))
            .map(|event| format!("{} {}", event.action, event.outcome))
            .collect();
        said.sort_unstable();
        said
    }

    /// How often that was recorded.
    pub(crate) async fn recorded(&self, event: &str) -> usize {
        let events = self.events().await.into_iter();
        events.filter(|recorded| recorded == event).count()
    }
}

/// The bytes of a secret that an app reads (RFC 4648 §6).
pub(crate) fn base32(text: &str) -> Vec<u8> {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut out, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes() {
        let value = letters.iter().position(|known| *known == letter).unwrap();
        bits = (bits << 5) | u32::try_from(value).unwrap();
        held += 5;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from((bits >> held) & 0xff).unwrap());
            bits &= (1 << held) - 1;
        }
    }
    out
}
