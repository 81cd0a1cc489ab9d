//! What somebody tries who holds a part of what an account asks for.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::Error;
use domain::limit::rate::Rate;
use domain::port::Store;
use domain::port::roots::Root;
use domain::port::store::{Job, Kind, Row, RowId};
use serde_json::{Value, json};
use testkit::{Answer, Backing, FixedRoots, Kit};
use tokio::sync::{Notify, Semaphore};

use crate::person::{PASSWORD, Person, tally};

const ANNA: &str = "anna@example.com";
const PHONE: &str = "+4915112345678";
const NEW_PASSWORD: &str = "staple battery horse";

/// A store that can hold a write back.
struct Held {
    store: Arc<dyn Store>,
    passes: Semaphore,
    waiting: Notify,
}

const MANY: usize = 1_000_000;

impl Held {
    fn over(store: Arc<dyn Store>) -> Arc<Self> {
        let (passes, waiting) = (Semaphore::new(MANY), Notify::new());
        Arc::new(Self {
            store,
            passes,
            waiting,
        })
    }

    fn hold_after(&self, writes: usize) {
        self.passes.forget_permits(MANY);
        self.passes.add_permits(writes);
    }

    fn let_go(&self) {
        self.passes.add_permits(MANY);
    }
}

#[async_trait]
impl Store for Held {
    async fn write(&self, job: Job) -> Result<(), Error> {
        if self.passes.available_permits() == 0 {
            self.waiting.notify_one();
        }
        self.passes.acquire().await.unwrap().forget();
        self.store.write(job).await
    }

    async fn read(&self, job: Job) -> Result<(), Error> {
        self.store.read(job).await
    }

    async fn row(&self, kind: Kind, id: RowId) -> Result<Option<Row>, Error> {
        self.store.row(kind, id).await
    }

    async fn ready(&self) -> Result<(), Error> {
        self.store.ready().await
    }
}

/// An account with an e-mail address and a phone number, and its session.
async fn with_phone(anna: &Person) -> String {
    anna.register(ANNA).await;
    anna.add_phone(ANNA, PHONE).await
}

pub(crate) fn must(answer: Answer) -> Answer {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

fn wrong(right: &str) -> String {
    format!("{:06}", (right.parse::<u32>().unwrap() + 1) % 1_000_000)
}

pub(crate) async fn without_pauses() -> Person {
    let kit = Kit::builder().policy(|policy| policy.person.tokens.pause = Duration::ZERO);
    Person::at(&kit.build().await)
}

/// A verified password recovery.
async fn recovering(anna: &Person) -> String {
    let begun = anna.post("password/recovery", json!({ "userKey": ANNA }));
    let process = must(begun.await).member("processingId");
    let wanted = json!({ "processingId": process, "destination": "EMAIL" });
    must(anna.post("token/password/recovery", wanted).await);
    let proof = json!({ "processingId": process, "oneTimeToken": anna.code(ANNA) });
    must(anna.post("password/recovery/verification", proof).await);
    process
}

#[tokio::test]
async fn a_password_replaced_while_it_is_checked_opens_nothing() {
    let backing = Backing::memory();
    let held = Held::over(backing.store());
    let here = Kit::builder().store(backing.store()).build().await;
    let there = Kit::builder()
        .store(Arc::clone(&held) as Arc<dyn Store>)
        .seed(2)
        .clock(Arc::clone(&here.clock))
        .courier(Arc::clone(&here.courier));
    let (anna, thief) = (Person::at(&here), Person::at(&there.build().await));
    anna.register(ANNA).await;
    for path in ["login", "userKeys/recovery"] {
        let password = match path {
            "login" => PASSWORD,
            _ => NEW_PASSWORD,
        };
        let process = recovering(&anna).await;
        // The try is counted; what it opens waits.
        held.hold_after(1);
        let thief = thief.clone();
        let old = json!({ "userKey": ANNA, "password": password, "keyType": "EMAIL" });
        let tried = tokio::spawn(async move { thief.post(path, old).await });
        held.waiting.notified().await;
        let next = match path {
            "login" => NEW_PASSWORD,
            _ => PASSWORD,
        };
        let new = json!({ "processingId": process, "newPassword": next });
        must(anna.post("password/recovery/newPassword", new).await);
        held.let_go();
        let answer = tried.await.unwrap();
        assert_eq!(answer.member("code"), "BAD_CREDENTIALS", "{path}");
        here.clock.advance(Duration::from_secs(60));
    }
    anna.log_in(ANNA).await;
}

#[tokio::test]
async fn a_full_country_does_not_tell_whose_number_is_there() {
    let day = Duration::from_secs(86_400);
    let kit = Kit::builder().policy(|policy| policy.limits.country_messages = Rate::per(1, day));
    let anna = Person::at(&kit.build().await);
    // Adding the number takes the one text that its country gets today.
    with_phone(&anna).await;
    let texts = anna.kit.courier.letters_to(PHONE).len();
    let mut seen = Vec::new();
    for address in [ANNA, "nobody@example.com"] {
        let begun = anna.post("password/recovery", json!({ "userKey": address }));
        let process = begun.await.member("processingId");
        let wanted = json!({ "processingId": process, "destination": "PHONE_NUMBER" });
        let answer = must(anna.post("token/password/recovery", wanted).await);
        seen.push((answer.text(), format!("{:?}", answer.headers)));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(anna.kit.courier.letters_to(PHONE).len(), texts);
}

#[tokio::test]
async fn one_step_of_a_login_does_not_clear_the_count_of_the_other() {
    let anna = without_pauses().await;
    let access = with_phone(&anna).await;
    for kind in ["EMAIL", "PHONE_NUMBER"] {
        let on = json!({ "destination": kind });
        must(anna.send("mfa/enabling", Some(&access), on).await);
    }
    let mut answers = Vec::new();
    for round in 0..3 {
        let login = json!({ "userKey": ANNA, "password": PASSWORD });
        let process = must(anna.post("login", login).await).member("processingId");
        let step = |kind: &str, code: &str| json!({ "processingId": process, "destination": kind, "oneTimeToken": code });
        for kind in ["EMAIL", "PHONE_NUMBER"] {
            must(anna.post("token/login", step(kind, "")).await);
        }
        if round < 2 {
            let phone = step("PHONE_NUMBER", &anna.code(PHONE));
            must(anna.post("login/verification", phone).await);
        }
        for _ in 0..4 {
            let guess = step("EMAIL", &wrong(&anna.code(ANNA)));
            answers.push(anna.post("login/verification", guess).await);
        }
    }
    let tally = tally(&answers);
    assert_eq!(tally["400 OTT_INVALID"], 10, "{tally:?}");
    assert_eq!(tally["429 TOO_MANY_ATTEMPTS"], 2, "{tally:?}");
    // No process had five wrong codes, and the owner has heard of them all the same.
    let letters = anna.kit.courier.letters_to(ANNA);
    let told = letters
        .iter()
        .filter(|letter| letter.message.operation == "mfa_failed");
    assert_eq!(told.count(), 2);
}

#[tokio::test]
async fn a_right_password_does_not_clear_the_count_of_wrong_codes() {
    let anna = without_pauses().await;
    anna.register(ANNA).await;
    let (access, _) = anna.log_in(ANNA).await;
    let path = "password/changing";
    let mut answers = Vec::new();
    for _ in 0..3 {
        let token = "token/password/changing";
        must(anna.send(token, Some(&access), json!({})).await);
        for _ in 0..4 {
            let guess = json!({ "oldPassword": PASSWORD, "newPassword": NEW_PASSWORD,
                "oneTimeToken": wrong(&anna.code(ANNA)) });
            answers.push(anna.send(path, Some(&access), guess).await);
        }
    }
    let tally = tally(&answers);
    assert_eq!(tally["400 OTT_INVALID"], 10, "{tally:?}");
    assert_eq!(tally["429 TOO_MANY_ATTEMPTS"], 2, "{tally:?}");
}

/// §4: what a token is bound to. Used for anything else it is refused as a wrong one is.
#[tokio::test]
async fn a_token_works_for_nothing_but_what_it_was_issued_for() {
    let anna = without_pauses().await;
    anna.register(ANNA).await;
    let (here, _) = anna.log_in(ANNA).await;
    let (there, _) = anna.log_in(ANNA).await;
    let refused = async |path: &str, token: Option<&str>, body: Value, why: &str| {
        let answer = anna.send(path, token, body).await;
        let body = answer.json();
        let said = (answer.status.as_u16(), &body["code"], &body["message"]);
        let expected = json!("OTT_INVALID");
        let message = json!("The one-time token is not valid.");
        assert_eq!(said, (400, &expected, &message), "{why}");
    };
    let token = |path: &'static str, body: Value| {
        let (anna, here) = (&anna, &here);
        async move {
            must(anna.send(path, Some(here), body).await);
            anna.code(ANNA)
        }
    };
    let change = |code: &str| json!({ "oldPassword": PASSWORD, "newPassword": NEW_PASSWORD, "oneTimeToken": code });
    // An older one.
    let old = token("token/password/changing", json!({})).await;
    let new = token("token/password/changing", json!({})).await;
    refused("password/changing", Some(&here), change(&old), "replaced").await;
    // Another session's.
    refused("password/changing", Some(&there), change(&new), "session").await;
    // Another operation's.
    let phrase = token("token/antiPhishing/adding", json!({})).await;
    refused(
        "password/changing",
        Some(&here),
        change(&phrase),
        "operation",
    )
    .await;
    let set = |code: &str| json!({ "antiPhishingCode": "blue-fox-7", "oneTimeToken": code });
    refused(
        "account/antiPhishingCode",
        Some(&here),
        set(&new),
        "operation",
    )
    .await;
    // Another destination's.
    let path = "token/userKeys/adding/phoneNumber";
    for number in [PHONE, "+4915112345679"] {
        let wanted = json!({ "newPhoneNumber": number });
        must(anna.send(path, Some(&here), wanted).await);
    }
    let other = json!({ "newPhoneNumber": "+4915112345679", "oneTimeToken": anna.code(PHONE) });
    let path = "userKeys/adding/phoneNumber";
    refused(path, Some(&here), other, "destination").await;
    // Another process's.
    let first = anna.registering("ben@example.com").await;
    let code = anna.code("ben@example.com");
    let second = anna.registering("ben@example.com").await;
    let swapped = json!({ "processingId": second, "oneTimeToken": code });
    refused("registration/verification", None, swapped, "process").await;
    // Each of them still does what it is for.
    let right = json!({ "processingId": first, "oneTimeToken": code });
    must(anna.post("registration/verification", right).await);
    let path = "account/antiPhishingCode";
    must(anna.send(path, Some(&here), set(&phrase)).await);
    must(
        anna.send("password/changing", Some(&here), change(&new))
            .await,
    );
}

/// §8, "MFA disabling": no token is asked for first, so the consuming call itself looks at the login.
#[tokio::test]
async fn an_authenticator_goes_off_only_after_a_fresh_login() {
    let anna = without_pauses().await;
    anna.register(ANNA).await;
    let (access, refresh) = anna.log_in(ANNA).await;
    let path = "account/googleAuthenticator";
    let drawn = must(anna.send(path, Some(&access), json!({})).await);
    let secret = crate::setting::base32(&drawn.member("secret"));
    let digits = |at: i64| testkit::totp::digits(&secret, testkit::totp::step_at(at));
    let now = || domain::port::Clock::now(anna.kit.clock.as_ref()).seconds();
    let path = "account/googleAuthenticator/verification";
    let proof = json!({ "oneTimeToken": digits(now()) });
    let codes = must(anna.send(path, Some(&access), proof).await);
    anna.kit.clock.advance(Duration::from_secs(1201));
    let renewed = anna.post("login/refresh", json!({ "refreshToken": refresh }));
    let access = must(renewed.await).member("accessToken");
    let recovery = codes.json()["recoveryCodes"][0].clone();
    for code in [json!(digits(now())), recovery] {
        let off = json!({ "destination": "GOOGLE_AUTHENTICATOR", "oneTimeToken": code });
        let answer = anna.send("mfa/disabling", Some(&access), off).await;
        assert_eq!(answer.member("code"), "REAUTHENTICATION_REQUIRED");
    }
}

/// A node that was started with an older key file meets what another peppered with a newer one.
#[tokio::test]
async fn a_login_that_cannot_be_judged_takes_no_try() {
    let backing = Backing::memory();
    let ahead = Kit::builder()
        .store(backing.store())
        .roots(FixedRoots::default().rotated(Root::Pepper, 2, 2))
        .build()
        .await;
    let behind = Kit::builder()
        .store(backing.store())
        .seed(2)
        .clock(Arc::clone(&ahead.clock))
        .courier(Arc::clone(&ahead.courier))
        .build()
        .await;
    let (anna, there) = (Person::at(&ahead), Person::at(&behind));
    anna.register(ANNA).await;
    for password in [PASSWORD, "not the password"] {
        for _ in 0..12 {
            let login = json!({ "userKey": ANNA, "password": password });
            let answer = there.post("login", login).await;
            assert_eq!(answer.status, 503, "{}", answer.text());
        }
    }
    anna.log_in(ANNA).await;
}
