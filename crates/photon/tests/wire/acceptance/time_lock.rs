//! Item 7: thirty days that nobody can shorten and the owner can end, with a clock that is moved.

use std::time::Duration;

use domain::Timestamp;
use domain::message::MessageKind;
use domain::port::courier::Delivery;
use domain::time::days;
use testkit::{Answer, Backing, Kit};

use crate::server::{Key, Server};

testkit::on_every_store!(
    thirty_days_less_a_second_is_locked_and_thirty_days_opens,
    an_unused_lock_is_void_thirty_days_after_its_end,
    the_next_reset_needs_thirty_days_again,
    a_pin_change_ends_it,
    fetching_the_key_does_not_end_it,
    removing_the_user_ends_it,
    the_owners_page_ends_it,
    the_other_user_neither_moves_nor_opens_it,
    a_late_alert_moves_the_opening,
    a_reminder_counts_as_alert_when_nothing_before_it_arrived,
    without_an_accepted_alert_it_never_opens,
    without_addresses_it_opens_unheard,
    another_configuration_moves_no_running_lock,
    every_verified_user_hears_of_everything,
);

const MAIL: &str = "a@b.co";
const PHONE: &str = "+4917512345678";

/// A key with two verified users, and the moment at which it was ready.
async fn ready(backing: &Backing) -> (Server, Key) {
    let server = Server::over(backing).await;
    let key = server.create("1234").await;
    for user in [MAIL, PHONE] {
        key.add_verified("1234", user).await;
    }
    server.kit.courier.forget();
    (server, key)
}

fn now(server: &Server) -> Timestamp {
    server.kit.services.now()
}

/// The answer says 423 and names `until`.
fn locked(answer: &Answer, until: Timestamp) {
    assert_eq!(answer.status, 423, "{}", answer.text());
    assert_eq!(answer.member("delay"), until.rfc3339());
    assert_eq!(answer.member("message"), "Time locked until");
}

async fn thirty_days_less_a_second_is_locked_and_thirty_days_opens(backing: Backing) {
    let (server, key) = ready(&backing).await;
    let clock = &server.kit.clock;
    let opens = now(&server).plus(days(30));
    locked(&key.step(MAIL, "5678").await, opens);
    for before in [
        days(29),
        days(7),
        Duration::from_secs(1),
        Duration::from_millis(1),
    ] {
        clock.set(opens.minus(before));
        server.kit.run_jobs().await;
        locked(&key.step(MAIL, "5678").await, opens);
        assert_eq!(key.fetch("5678").await.status, 404);
        assert_eq!(key.fetch("1234").await.status, 200);
    }
    let content = key.fetch("1234").await.member("encryptionKey");
    clock.set(opens);
    assert_eq!(key.step(MAIL, "5678").await.status, 200);
    assert_eq!(key.fetch("1234").await.status, 404);
    assert_eq!(key.fetch("5678").await.member("encryptionKey"), content);
}

async fn an_unused_lock_is_void_thirty_days_after_its_end(backing: Backing) {
    let (server, key) = ready(&backing).await;
    let clock = &server.kit.clock;
    let opens = now(&server).plus(days(30));
    locked(&key.step(MAIL, "5678").await, opens);
    clock.set(opens.plus(days(30)).minus(Duration::from_millis(1)));
    // Open to the last: it asks for a PIN, and keeps the code.
    assert_eq!(key.step(MAIL, "1").await.status, 304);
    clock.set(opens.plus(days(30)));
    locked(
        &key.confirm(MAIL, &key.code(MAIL), "5678").await,
        opens.plus(days(60)),
    );
    assert_eq!(key.fetch("1234").await.status, 200);
}

async fn the_next_reset_needs_thirty_days_again(backing: Backing) {
    let (server, key) = ready(&backing).await;
    key.step(MAIL, "5678").await;
    server.kit.clock.advance(days(30));
    assert_eq!(key.step(MAIL, "5678").await.status, 200);
    locked(&key.step(MAIL, "9999").await, now(&server).plus(days(30)));
    locked(&key.step(PHONE, "9999").await, now(&server).plus(days(30)));
}

async fn a_pin_change_ends_it(backing: Backing) {
    let (server, key) = ready(&backing).await;
    key.step(MAIL, "5678").await;
    key.step(PHONE, "5678").await;
    server.kit.clock.advance(days(30));
    assert_eq!(key.reset(MAIL).await.status, 200);
    assert_eq!(key.change_pin("1234", "4321").await.status, 200);
    assert_eq!(
        key.confirm(MAIL, &key.code(MAIL), "5678").await.status,
        404,
        "the code went too"
    );
    for user in [MAIL, PHONE] {
        locked(&key.step(user, "5678").await, now(&server).plus(days(30)));
    }
    assert_eq!(key.fetch("4321").await.status, 200);
}

async fn fetching_the_key_does_not_end_it(backing: Backing) {
    let (server, key) = ready(&backing).await;
    key.step(MAIL, "5678").await;
    server.kit.clock.advance(days(15));
    assert_eq!(key.fetch("1234").await.status, 200);
    assert_eq!(key.add("1234", "new@b.co").await.status, 201);
    assert_eq!(key.remove("1234", "new@b.co").await.status, 200);
    server.kit.clock.advance(days(15));
    assert_eq!(key.step(MAIL, "5678").await.status, 200);
}

async fn removing_the_user_ends_it(backing: Backing) {
    let (server, key) = ready(&backing).await;
    key.step(MAIL, "5678").await;
    assert_eq!(key.remove("1234", MAIL).await.status, 200);
    key.add_verified("1234", MAIL).await;
    server.kit.clock.advance(days(30));
    locked(&key.step(MAIL, "5678").await, now(&server).plus(days(30)));
}

async fn the_owners_page_ends_it(backing: Backing) {
    let (server, key) = ready(&backing).await;
    key.step(MAIL, "5678").await;
    let client = server.kit.client(crate::setting::routes);
    // Every user has a link of its own, and any of them stops it.
    let link = server.kit.courier.link_to(PHONE).unwrap();
    assert_ne!(Some(&link), server.kit.courier.link_to(MAIL).as_ref());
    let page = link.strip_prefix("http://127.0.0.1:8080").unwrap();
    server.kit.clock.advance(days(29));
    for _ in 0..3 {
        assert_eq!(client.send("GET", page, &[], "").await.status, 200);
    }
    assert_eq!(
        client.send("POST", page, &[], "decision=stop").await.status,
        200
    );
    assert_eq!(
        client.send("POST", page, &[], "decision=stop").await.status,
        404
    );
    server.kit.clock.advance(days(1));
    locked(&key.step(MAIL, "5678").await, now(&server).plus(days(30)));
    // The old link does not reach the new lock.
    assert_eq!(
        client.send("POST", page, &[], "decision=stop").await.status,
        404
    );
    server.kit.clock.advance(days(30));
    assert_eq!(key.step(MAIL, "5678").await.status, 200);
}

async fn the_other_user_neither_moves_nor_opens_it(backing: Backing) {
    let (server, key) = ready(&backing).await;
    let opens = now(&server).plus(days(30));
    locked(&key.step(MAIL, "5678").await, opens);
    server.kit.clock.advance(days(20));
    locked(&key.step(PHONE, "5678").await, opens.plus(days(20)));
    locked(&key.step(MAIL, "5678").await, opens);
    server.kit.clock.set(opens);
    locked(&key.step(PHONE, "5678").await, opens.plus(days(20)));
    assert_eq!(key.step(MAIL, "5678").await.status, 200);
    // It took effect, and that ends the other's as well.
    server.kit.clock.set(opens.plus(days(20)));
    locked(&key.step(PHONE, "9999").await, opens.plus(days(50)));
}

fn later() -> Delivery {
    Delivery::Later("the provider is away".to_owned())
}

async fn a_late_alert_moves_the_opening(backing: Backing) {
    let (server, key) = ready(&backing).await;
    let (clock, courier) = (&server.kit.clock, &server.kit.courier);
    let opens = now(&server).plus(days(30));
    assert_eq!(key.reset(MAIL).await.status, 200);
    courier.answer(later());
    locked(&key.confirm(MAIL, &key.code(MAIL), "5678").await, opens);
    clock.advance(days(3));
    server.kit.run_jobs().await;
    courier.answer(Delivery::Accepted);
    clock.advance(Duration::from_hours(1));
    server.kit.run_jobs().await;
    let told = now(&server);
    assert_eq!(
        courier.operations_to(MAIL).last().unwrap(),
        "recovery_started"
    );
    let moved = told.plus(days(30));
    clock.set(opens);
    locked(&key.step(MAIL, "5678").await, moved);
    clock.set(moved.minus(Duration::from_millis(1)));
    locked(&key.step(MAIL, "5678").await, moved);
    clock.set(moved);
    assert_eq!(key.step(MAIL, "5678").await.status, 200);
}

async fn a_reminder_counts_as_alert_when_nothing_before_it_arrived(backing: Backing) {
    let (server, key) = ready(&backing).await;
    let (clock, courier) = (&server.kit.clock, &server.kit.courier);
    courier.answer_by(|letter| match letter.message.operation.as_str() {
        "recovery_started" => Delivery::Refused("no such mailbox".to_owned()),
        _ => Delivery::Accepted,
    });
    let opens = now(&server).plus(days(30));
    locked(&key.step(MAIL, "5678").await, opens);
    clock.set(opens.minus(days(7)));
    server.kit.run_jobs().await;
    assert_eq!(courier.operations_to(PHONE), ["recovery_reminder"]);
    clock.set(opens);
    locked(&key.step(MAIL, "5678").await, opens.plus(days(23)));
    clock.set(opens.plus(days(23)));
    assert_eq!(key.step(MAIL, "5678").await.status, 200);
}

async fn without_an_accepted_alert_it_never_opens(backing: Backing) {
    let (server, key) = ready(&backing).await;
    let (clock, courier) = (&server.kit.clock, &server.kit.courier);
    courier.answer_by(|letter| match letter.message.kind {
        MessageKind::Code => Delivery::Accepted,
        MessageKind::Notice => Delivery::Refused("no such mailbox".to_owned()),
    });
    locked(&key.step(MAIL, "5678").await, now(&server).plus(days(30)));
    for _ in 0..20 {
        clock.advance(days(10));
        server.kit.run_jobs().await;
        let answer = key.step(MAIL, "5678").await;
        assert_eq!(answer.status, 423, "{}", answer.text());
        assert!(Timestamp::parse(&answer.member("delay")).unwrap() > now(&server));
    }
    assert_eq!(key.fetch("1234").await.status, 200);
}

async fn without_addresses_it_opens_unheard(backing: Backing) {
    let silent = |policy: &mut domain::policy::Policy| policy.guarded_key.store_addresses = false;
    let server = Server::of(Kit::builder().store(backing.store()).policy(silent)).await;
    let key = server.create("1234").await;
    key.add_verified("1234", MAIL).await;
    let opens = now(&server).plus(days(30));
    locked(&key.step(MAIL, "5678").await, opens);
    server.kit.clock.set(opens.minus(Duration::from_millis(1)));
    server.kit.run_jobs().await;
    locked(&key.step(MAIL, "5678").await, opens);
    server.kit.clock.set(opens);
    assert_eq!(key.step(MAIL, "5678").await.status, 200);
    let told = server.kit.courier.operations_to(MAIL);
    assert!(
        !told.is_empty()
            && told
                .iter()
                .all(|what| ["verify_contact", "reset_pin"].contains(&what.as_str()))
    );
}

/// A restart with a lock of an hour shortens nothing that runs, and lengthens nothing either.
async fn another_configuration_moves_no_running_lock(backing: Backing) {
    let (server, key) = ready(&backing).await;
    let opens = now(&server).plus(days(30));
    locked(&key.step(MAIL, "5678").await, opens);
    for (seed, lock) in [(2, Duration::from_hours(1)), (3, days(90))] {
        let builder = Kit::builder()
            .store(backing.another_node())
            .seed(seed)
            .clock(server.kit.clock.clone())
            .courier(server.kit.courier.clone())
            .policy(|policy| policy.guarded_key.lock = lock);
        let other = Server::of(builder).await.key(&key.id);
        server.kit.clock.advance(days(1));
        locked(&other.step(MAIL, "5678").await, opens);
        locked(&other.step(PHONE, "5678").await, now(&server).plus(lock));
        assert_eq!(other.remove("1234", PHONE).await.status, 200);
        other.add_verified("1234", PHONE).await;
    }
    server.kit.clock.set(opens);
    assert_eq!(key.step(MAIL, "5678").await.status, 200);
}

async fn every_verified_user_hears_of_everything(backing: Backing) {
    let (server, key) = ready(&backing).await;
    let (clock, courier) = (&server.kit.clock, &server.kit.courier);
    let unverified = "new@b.co";
    assert_eq!(key.add("1234", unverified).await.status, 201);
    let opens = now(&server).plus(days(30));
    key.step(MAIL, "5678").await;
    for before in [days(7), days(1)] {
        clock.set(opens.minus(before).minus(Duration::from_millis(1)));
        server.kit.run_jobs().await;
        clock.set(opens.minus(before));
        server.kit.run_jobs().await;
        server.kit.run_jobs().await;
    }
    clock.set(opens);
    key.step(MAIL, "5678").await;
    key.change_pin("5678", "4321").await;
    let phone = courier.operations_to(PHONE);
    let expected = [
        "recovery_started",
        "recovery_reminder",
        "recovery_reminder",
        "pin_reset",
        "pin_changed",
    ];
    assert_eq!(phone, expected);
    let mail = courier.operations_to(MAIL);
    assert_eq!(
        mail,
        [
            &["reset_pin"],
            &expected[..3],
            &["reset_pin"],
            &expected[3..]
        ]
        .concat()
    );
    assert_eq!(courier.operations_to(unverified), ["verify_contact"]);
    for letter in courier.letters_to(PHONE) {
        let message = letter.message;
        assert_eq!(message.code, None);
        assert_eq!(
            message.link.is_some(),
            message.operation.starts_with("recovery_")
        );
        let until = message.facts.get("until").cloned();
        assert_eq!(until, message.link.map(|_| opens.rfc3339()));
    }
}
