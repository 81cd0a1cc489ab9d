//! Recovery of a password and of an address, through the service of people.

use domain::person::process::ProcessId;
use domain::person::{Way, WayKind};
use domain::{Condition, Refusal};

use crate::person::{
    EMAIL, NEW_PASSWORD, PASSWORD, World, caller, email, no_process, password, phone, refused,
    secret,
};

const NEW_PHONE: &str = "+4915187654321";

fn new_phone() -> Way {
    Way::phone(NEW_PHONE)
}

/// A password recovery whose code was sent to the e-mail address.
pub(crate) async fn recovering(world: &World, way: Way) -> ProcessId {
    let people = world.people();
    let started = people.start_password_recovery(caller(), way).await;
    let process = started.unwrap();
    people
        .send_password_recovery_token(caller(), process, Some(WayKind::Email))
        .await
        .unwrap();
    process
}

/// A password recovery whose code was right.
pub(crate) async fn recovered(world: &World) -> ProcessId {
    let process = recovering(world, email()).await;
    let text = secret(&world.code(&email()));
    world
        .people()
        .verify_password_recovery(caller(), process, text)
        .await
        .unwrap();
    process
}

#[tokio::test]
async fn a_recovered_password_ends_all_sessions_and_logs_nobody_in() {
    let world = World::with_anna().await;
    let tokens = world.tokens().await;
    let process = recovered(&world).await;
    world.kit.courier.forget();
    let people = world.people();
    people
        .finish_password_recovery(caller(), process, password(NEW_PASSWORD))
        .await
        .unwrap();
    assert_eq!(refused(world.authenticate(&tokens).await), Refusal::Blocked);
    assert_eq!(world.told(&email()), ["password_set"]);
    assert!(world.try_log_in(&email(), PASSWORD).await.is_err());
    world.try_log_in(&email(), NEW_PASSWORD).await.unwrap();
    assert_eq!(world.recorded("password.recover done").await, 1);
}

#[tokio::test]
async fn the_recovery_of_an_unknown_address_answers_the_same_and_sends_nothing() {
    let world = World::with_anna().await;
    world.kit.courier.forget();
    let people = world.people();
    let mut answers = Vec::new();
    for way in [email(), Way::email("nobody@example.com")] {
        let process = people.start_password_recovery(caller(), way.clone()).await;
        let process = process.unwrap();
        let sent = people
            .send_password_recovery_token(caller(), process, None)
            .await;
        let (kind, supplied, sent) = sent.unwrap();
        assert_eq!(supplied, Some(way));
        let verified = people
            .verify_password_recovery(caller(), process, secret("wrong"))
            .await;
        answers.push((kind, sent, refused(verified)));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(world.kit.courier.letters().len(), 1);
}

#[tokio::test]
async fn the_code_goes_to_the_other_kind_without_naming_that_address() {
    let (world, _) = World::with_both().await;
    world.pass(2 * 86_400);
    let people = world.people();
    let process = people.start_password_recovery(caller(), email()).await;
    let sent = people
        .send_password_recovery_token(caller(), process.unwrap(), Some(WayKind::Phone))
        .await;
    let (kind, supplied, _) = sent.unwrap();
    assert_eq!((kind, supplied), (WayKind::Phone, None));
    assert_eq!(world.told(&phone()), ["PASSWORD_RECOVERY"]);
}

#[tokio::test]
async fn the_steps_of_a_password_recovery_follow_each_other() {
    let world = World::with_anna().await;
    let people = world.people();
    let finish =
        |process| people.finish_password_recovery(caller(), process, password(NEW_PASSWORD));
    let process = recovering(&world, email()).await;
    assert_eq!(refused(finish(process).await), Refusal::WrongState);
    let process = recovered(&world).await;
    let again = people
        .verify_password_recovery(caller(), process, secret("000000"))
        .await;
    assert_eq!(refused(again), Refusal::WrongState);
    finish(process).await.unwrap();
    assert_eq!(refused(finish(process).await), Refusal::UnknownSubject);
    assert_eq!(refused(finish(no_process()).await), Refusal::UnknownSubject);
}

#[tokio::test]
async fn the_old_password_is_no_new_one_and_leaves_the_recovery_open() {
    let world = World::with_anna().await;
    let process = recovered(&world).await;
    let people = world.people();
    let finish = |text| people.finish_password_recovery(caller(), process, password(text));
    assert_eq!(
        refused(finish(PASSWORD).await),
        Refusal::Invalid {
            field: "password",
            why: "the current one",
        }
    );
    finish(NEW_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_password_that_was_changed_meanwhile_ends_a_recovery() {
    let world = World::with_anna().await;
    let (one, other) = (recovered(&world).await, recovered(&world).await);
    let people = world.people();
    let finish =
        |process| people.finish_password_recovery(caller(), process, password(NEW_PASSWORD));
    finish(one).await.unwrap();
    assert_eq!(refused(finish(other).await), Refusal::UnknownSubject);
}

#[tokio::test]
async fn of_two_ends_of_one_recovery_one_sets_the_password() {
    let world = World::with_anna().await;
    let process = recovered(&world).await;
    let people = world.people();
    let finish = |text| people.finish_password_recovery(caller(), process, password(text));
    let (one, other) = tokio::join!(finish(NEW_PASSWORD), finish("another long password"));
    assert!(one.is_ok() != other.is_ok(), "one of them sets it");
    let text = if one.is_ok() {
        NEW_PASSWORD
    } else {
        "another long password"
    };
    world.try_log_in(&email(), text).await.unwrap();
}

#[tokio::test]
async fn a_recovered_password_forgets_wrong_passwords_from_anywhere() {
    let world = World::with_anna().await;
    let people = world.people();
    for count in 0..50 {
        let elsewhere = domain::Caller {
            network: format!("192.0.2.{count}/32"),
            ..caller()
        };
        let wrong = people
            .log_in(elsewhere, email(), password(NEW_PASSWORD))
            .await;
        assert_eq!(refused(wrong), Refusal::BadProof { left: None });
    }
    let locked = refused(world.try_log_in(&email(), PASSWORD).await);
    assert!(matches!(locked, Refusal::Exhausted { .. }));
    let process = recovered(&world).await;
    people
        .finish_password_recovery(caller(), process, password(NEW_PASSWORD))
        .await
        .unwrap();
    world.try_log_in(&email(), NEW_PASSWORD).await.unwrap();
}

/// The recovery of a lost phone number, whose password was right.
async fn recovering_phone(world: &World) -> ProcessId {
    let people = world.people();
    people
        .start_address_recovery(caller(), email(), password(PASSWORD), WayKind::Phone)
        .await
        .unwrap()
}

/// The same after the code of the other address was right.
async fn verified_phone(world: &World) -> ProcessId {
    let process = recovering_phone(world).await;
    let people = world.people();
    let sent = people
        .send_address_recovery_token(caller(), process, None)
        .await;
    assert_eq!(sent.unwrap().0, email());
    let text = secret(&world.code(&email()));
    people
        .verify_address_recovery(caller(), process, text, None)
        .await
        .unwrap();
    process
}

#[tokio::test]
async fn a_lost_address_is_replaced_and_all_sessions_end() {
    let (world, _) = World::with_both().await;
    let tokens = world.tokens().await;
    let process = verified_phone(&world).await;
    let people = world.people();
    people
        .send_recovered_address_token(caller(), process, new_phone())
        .await
        .unwrap();
    let text = secret(&world.code(&new_phone()));
    world.kit.courier.forget();
    people
        .finish_address_recovery(caller(), process, text)
        .await
        .unwrap();
    for way in [email(), phone(), new_phone()] {
        assert_eq!(world.told(&way), ["key_recovered"], "{way:?}");
    }
    assert_eq!(refused(world.authenticate(&tokens).await), Refusal::Blocked);
    let who = world.signed_in().await;
    let details = people.details(who).await.unwrap();
    assert_eq!(details.phone.as_deref(), Some(NEW_PHONE));
    assert!(details.restricted_until.is_some(), "a cool-down is running");
    // The old number is free.
    world.register(phone()).await;
}

#[tokio::test]
async fn an_address_is_recovered_only_with_password_and_another_address() {
    let world = World::with_anna().await;
    let people = world.people();
    let start = |text, lost| people.start_address_recovery(caller(), email(), password(text), lost);
    assert_eq!(
        refused(start(NEW_PASSWORD, WayKind::Email).await),
        Refusal::BadProof { left: None }
    );
    assert_eq!(
        refused(start(PASSWORD, WayKind::Email).await),
        Refusal::Unmet(Condition::SpareAddress)
    );
    assert_eq!(
        refused(start(PASSWORD, WayKind::Phone).await),
        Refusal::Unmet(Condition::HasAddress)
    );
}

#[tokio::test]
async fn the_steps_of_an_address_recovery_follow_each_other() {
    let (world, _) = World::with_both().await;
    let people = world.people();
    let process = recovering_phone(&world).await;
    let send = |process, way| people.send_recovered_address_token(caller(), process, way);
    assert_eq!(
        refused(send(process, new_phone()).await),
        Refusal::WrongState
    );
    let lost = people
        .send_address_recovery_token(caller(), process, Some(WayKind::Phone))
        .await;
    assert_eq!(refused(lost), Refusal::Unmet(Condition::OtherWay));
    let process = verified_phone(&world).await;
    for way in [Way::email("new@example.com"), phone()] {
        assert!(matches!(
            refused(send(process, way).await),
            Refusal::Invalid { .. }
        ));
    }
    let early = people
        .finish_address_recovery(caller(), process, secret("000000"))
        .await;
    assert_eq!(refused(early), Refusal::BadProof { left: Some(0) });
    assert_eq!(
        refused(send(no_process(), new_phone()).await),
        Refusal::UnknownSubject
    );
}

#[tokio::test]
async fn a_corrected_address_makes_the_code_of_the_first_one_worthless() {
    let (world, _) = World::with_both().await;
    let process = verified_phone(&world).await;
    let people = world.people();
    let wrong_number = Way::phone("+4915100000000");
    let mut codes = Vec::new();
    for way in [&wrong_number, &new_phone()] {
        people
            .send_recovered_address_token(caller(), process, way.clone())
            .await
            .unwrap();
        codes.push(world.code(way));
    }
    let finish = |text: &str| people.finish_address_recovery(caller(), process, secret(text));
    assert_eq!(
        refused(finish(&codes[0]).await),
        Refusal::BadProof { left: Some(4) }
    );
    finish(&codes[1]).await.unwrap();
}

#[tokio::test]
async fn an_account_with_an_authenticator_shows_its_code_first() {
    let (world, who) = World::with_both().await;
    let (key, _) = world.authenticator(&who).await;
    let process = recovering_phone(&world).await;
    let people = world.people();
    people
        .send_address_recovery_token(caller(), process, None)
        .await
        .unwrap();
    let text = world.code(&email());
    let verify = |app: Option<&str>| {
        people.verify_address_recovery(caller(), process, secret(&text), app.map(secret))
    };
    assert!(matches!(
        refused(verify(None).await),
        Refusal::Invalid {
            field: "authenticator",
            ..
        }
    ));
    assert!(matches!(
        refused(verify(Some("000000")).await),
        Refusal::BadProof { left: Some(9) }
    ));
    verify(Some(&world.app_code(&key))).await.unwrap();
}

#[tokio::test]
async fn an_address_that_somebody_took_meanwhile_is_not_recovered_to() {
    let (world, _) = World::with_both().await;
    let process = verified_phone(&world).await;
    let people = world.people();
    people
        .send_recovered_address_token(caller(), process, new_phone())
        .await
        .unwrap();
    let text = secret(&world.code(&new_phone()));
    world.register(new_phone()).await;
    let finished = people
        .finish_address_recovery(caller(), process, text)
        .await;
    assert_eq!(refused(finished), Refusal::Conflict);
    let who = world.signed_in().await;
    let details = people.details(who).await.unwrap();
    assert_eq!(details.email.as_deref(), Some(EMAIL));
    assert_eq!(details.phone.as_deref(), Some(phone().given.as_str()));
}
