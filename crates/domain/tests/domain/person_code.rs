//! One-time codes: how many are sent, how long and for what each is good, and what wrong ones lock.

use std::time::Duration;

use domain::person::process::ProcessId;
use domain::person::registration::SecondStep;
use domain::person::{Way, WayKind};
use domain::proof::session::SignedIn;
use domain::{Caller, Error, Refusal};

use crate::person::{PASSWORD, World, caller, code, email, password, phone, refused, secret};
use crate::person_recovery::recovering;

const OVER: Refusal = Refusal::BadProof { left: Some(0) };

fn elsewhere() -> Caller {
    Caller {
        network: "192.0.2.1/32".to_owned(),
        ..caller()
    }
}

/// Starts a registration and asks for its code.
async fn asks(world: &World, from: Caller, way: &Way) -> Result<(), Error> {
    let people = world.people();
    let process = people.start_registration(from.clone(), way.clone()).await?;
    let sent = people.send_registration_token(from, process).await;
    sent.map(drop)
}

async fn verify(world: &World, process: ProcessId, text: &str) -> Result<(), Error> {
    let people = world.people();
    people
        .verify_registration(caller(), process, secret(text), SecondStep::Off)
        .await
}

fn is_limited<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Refused(Refusal::Limited { .. })))
}

/// Asks for the code that removes the phone number.
async fn removing(world: &World, who: &SignedIn) -> String {
    let people = world.people();
    let sent = people.send_removing_token(caller(), who.clone(), WayKind::Phone);
    sent.await.unwrap();
    world.code(&phone())
}

async fn remove(world: &World, who: &SignedIn, text: &str) -> Result<(), Error> {
    let people = world.people();
    people
        .remove_address(caller(), who.clone(), WayKind::Phone, secret(text))
        .await
}

#[tokio::test]
async fn a_second_code_waits_for_the_end_of_the_pause() {
    let pause = Duration::from_secs(60);
    let world = World::with(|policy| policy.person.tokens.pause = pause).await;
    let process = world.registering(&email()).await;
    let again = || world.people().send_registration_token(caller(), process);
    let until = world.kit.services.now().plus(pause);
    assert_eq!(refused(again().await), Refusal::Limited { until });
    world.pass(59);
    assert_eq!(refused(again().await), Refusal::Limited { until });
    assert_eq!(world.told(&email()).len(), 1);
    world.pass(1);
    again().await.unwrap();
}

#[tokio::test]
async fn an_address_gets_only_so_many_codes_an_hour_for_one_operation() {
    let limit = |policy: &mut domain::policy::Policy| {
        policy.person.tokens.sends_per_operation_hour = 2;
    };
    let world = World::with(limit).await;
    for _ in 0..2 {
        asks(&world, caller(), &email()).await.unwrap();
    }
    assert!(is_limited(&asks(&world, caller(), &email()).await));
    assert!(is_limited(&asks(&world, elsewhere(), &email()).await));
    asks(&world, caller(), &phone()).await.unwrap();
    recovering(&world, email()).await;
    world.pass(3_600);
    asks(&world, caller(), &email()).await.unwrap();
}

#[tokio::test]
async fn a_network_asks_for_only_so_many_codes_an_hour() {
    let limit = |policy: &mut domain::policy::Policy| {
        policy.person.tokens.sends_per_network_hour = 2;
    };
    let world = World::with(limit).await;
    asks(&world, caller(), &email()).await.unwrap();
    asks(&world, caller(), &phone()).await.unwrap();
    let third = Way::email("third@example.com");
    assert!(is_limited(&asks(&world, caller(), &third).await));
    assert!(world.told(&third).is_empty());
    asks(&world, elsewhere(), &third).await.unwrap();
    world.pass(3_600);
    asks(&world, caller(), &third).await.unwrap();
}

#[tokio::test]
async fn an_address_that_nobody_proved_is_not_told_to_be_full() {
    let limit = |policy: &mut domain::policy::Policy| {
        policy.person.tokens.sends_per_address_hour = 2;
    };
    let world = World::with(limit).await;
    for _ in 0..2 {
        asks(&world, caller(), &email()).await.unwrap();
    }
    // The answer is as before, and no message leaves.
    let process = world.registering(&email()).await;
    assert_eq!(world.told(&email()).len(), 2);
    let newest = world.code(&email());
    let wrong = Refusal::BadProof { left: Some(4) };
    assert_eq!(refused(verify(&world, process, &newest).await), wrong);
    world.pass(3_600);
    let process = world.registering(&email()).await;
    let text = world.code(&email());
    verify(&world, process, &text).await.unwrap();
}

#[tokio::test]
async fn the_owner_of_an_address_is_told_that_it_is_full() {
    let limit = |policy: &mut domain::policy::Policy| {
        policy.person.tokens.sends_per_address_hour = 3;
    };
    let world = World::with(limit).await;
    world.register(email()).await;
    let who = world.signed_in().await;
    let people = world.people();
    let send = || people.send_password_change_token(caller(), who.clone());
    // The first one was that of the registration.
    send().await.unwrap();
    send().await.unwrap();
    assert!(is_limited(&send().await));
    world.pass(1_000);
    assert!(is_limited(&send().await));
}

#[tokio::test]
async fn a_code_is_good_for_its_time() {
    let world = World::new().await;
    for (seconds, right) in [(1_799, true), (1_800, false)] {
        let process = world.registering(&email()).await;
        let text = world.code(&email());
        world.pass(seconds);
        let verified = verify(&world, process, &text).await;
        if right {
            verified.unwrap();
        } else {
            assert_eq!(refused(verified), OVER);
        }
    }
}

#[tokio::test]
async fn five_wrong_tries_end_a_code() {
    let world = World::new().await;
    let process = world.registering(&email()).await;
    let text = world.code(&email());
    for left in [4, 3, 2, 1, 0] {
        let wrong = Refusal::BadProof { left: Some(left) };
        assert_eq!(refused(verify(&world, process, "wrong").await), wrong);
    }
    assert_eq!(refused(verify(&world, process, &text).await), OVER);
    assert_eq!(world.recorded("token.present wrong").await, 4);
    assert_eq!(world.recorded("token.present burned").await, 2);
}

#[tokio::test]
async fn a_newer_code_ends_the_one_before() {
    let world = World::new().await;
    let process = world.registering(&email()).await;
    let older = world.code(&email());
    let sent = world
        .people()
        .send_registration_token(caller(), process)
        .await;
    sent.unwrap();
    let newer = world.code(&email());
    assert_ne!(older, newer);
    let wrong = Refusal::BadProof { left: Some(4) };
    assert_eq!(refused(verify(&world, process, &older).await), wrong);
    verify(&world, process, &newer).await.unwrap();
}

#[tokio::test]
async fn a_code_is_good_for_its_own_process_only() {
    let world = World::new().await;
    let (one, other) = (
        world.registering(&email()).await,
        world.registering(&phone()).await,
    );
    let (of_one, of_other) = (world.code(&email()), world.code(&phone()));
    let wrong = Refusal::BadProof { left: Some(4) };
    assert_eq!(refused(verify(&world, one, &of_other).await), wrong);
    assert_eq!(refused(verify(&world, other, &of_one).await), wrong);
    verify(&world, one, &of_one).await.unwrap();
    verify(&world, other, &of_other).await.unwrap();
}

#[tokio::test]
async fn a_code_is_good_for_its_own_session_and_operation_only() {
    let (world, who) = World::with_both().await;
    let other = world.signed_in().await;
    let text = removing(&world, &who).await;
    assert_eq!(refused(remove(&world, &other, &text).await), OVER);
    world.second_step(&other, WayKind::Phone).await;
    let people = world.people();
    let switch_off = |who: &SignedIn| {
        let factor = domain::person::Factor::Phone;
        people.disable_second_step(caller(), who.clone(), factor, secret(&text))
    };
    assert_eq!(refused(switch_off(&who).await), OVER);
    let sent = people.send_switch_off_token(caller(), other.clone(), WayKind::Phone);
    sent.await.unwrap();
    let right = secret(&world.code(&phone()));
    people
        .disable_second_step(caller(), other, domain::person::Factor::Phone, right)
        .await
        .unwrap();
    remove(&world, &who, &text).await.unwrap();
}

#[tokio::test]
async fn of_two_uses_of_a_code_at_once_one_counts() {
    let (world, who) = World::with_both().await;
    let text = removing(&world, &who).await;
    let (one, other) = tokio::join!(remove(&world, &who, &text), remove(&world, &who, &text));
    assert!(one.is_ok() != other.is_ok(), "one of them removes it");
    assert_eq!(
        world.recorded("account.change done").await,
        2,
        "it was added before"
    );
}

#[tokio::test]
async fn wrong_codes_of_a_session_lock_neither_logins_nor_recoveries() {
    let (world, who) = World::with_both().await;
    for _ in 0..10 {
        assert_eq!(refused(remove(&world, &who, "wrong").await), OVER);
    }
    let text = removing(&world, &who).await;
    let locked = refused(remove(&world, &who, &text).await);
    assert!(matches!(locked, Refusal::Exhausted { .. }), "{locked:?}");
    // Also for a new session of the same account.
    let other = world.signed_in().await;
    let text = removing(&world, &other).await;
    let locked = refused(remove(&world, &other, &text).await);
    assert!(matches!(locked, Refusal::Exhausted { .. }), "{locked:?}");
    let process = recovering(&world, email()).await;
    let text = secret(&world.code(&email()));
    let people = world.people();
    let verified = people.verify_password_recovery(caller(), process, text);
    verified.await.unwrap();
    world.pass(900);
    let who = world.signed_in().await;
    let text = removing(&world, &who).await;
    remove(&world, &who, &text).await.unwrap();
}

#[tokio::test]
async fn wrong_codes_of_recoveries_lock_recoveries_of_that_address_only() {
    let (world, who) = World::with_both().await;
    let people = world.people();
    let fail = async |way: Way| {
        let process = people.start_password_recovery(elsewhere(), way).await;
        let process = process.unwrap();
        let sent = people.send_password_recovery_token(elsewhere(), process, None);
        sent.await.unwrap();
        let verified = people
            .verify_password_recovery(elsewhere(), process, secret("wrong"))
            .await;
        refused(verified)
    };
    let wrong = Refusal::BadProof { left: Some(4) };
    for _ in 0..10 {
        assert_eq!(fail(email()).await, wrong);
    }
    assert!(matches!(fail(email()).await, Refusal::Exhausted { .. }));
    assert_eq!(fail(phone()).await, wrong);
    let text = removing(&world, &who).await;
    remove(&world, &who, &text).await.unwrap();
    world.try_log_in(&email(), PASSWORD).await.unwrap();
}

#[tokio::test]
async fn recoveries_of_an_address_without_an_account_are_locked_alike() {
    let world = World::new().await;
    let people = world.people();
    for count in 0..=10 {
        let process = recovering(&world, email()).await;
        let verified = people
            .verify_password_recovery(caller(), process, secret("wrong"))
            .await;
        let refusal = refused(verified);
        let locked = matches!(refusal, Refusal::Exhausted { .. });
        assert_eq!(locked, count == 10, "{count}: {refusal:?}");
    }
}

#[tokio::test]
async fn a_handle_of_one_kind_of_process_is_none_of_another() {
    let (world, who) = World::with_both().await;
    world.second_step(&who, WayKind::Email).await;
    let people = world.people();
    let registration = world.registering(&Way::email("bert@example.com")).await;
    let recovery = recovering(&world, email()).await;
    let (login, _) = world.stepping().await;
    let unknown = Refusal::UnknownSubject;
    for process in [recovery, login] {
        assert_eq!(refused(verify(&world, process, "000000").await), unknown);
        let finished = people.finish_registration(caller(), process, password(PASSWORD));
        assert_eq!(refused(finished.await), unknown);
    }
    for process in [registration, login] {
        let sent = people.send_password_recovery_token(caller(), process, None);
        assert_eq!(refused(sent.await), unknown);
        let finished = people.finish_password_recovery(caller(), process, password(PASSWORD));
        assert_eq!(refused(finished.await), unknown);
        let sent = people.send_address_recovery_token(caller(), process, None);
        assert_eq!(refused(sent.await), unknown);
    }
    for process in [registration, recovery] {
        let sent = people.send_login_token(caller(), process, WayKind::Email);
        assert_eq!(refused(sent.await), unknown);
        let verified = people.verify_login(caller(), process, vec![code("000000")]);
        assert_eq!(refused(verified.await), unknown);
    }
}
