//! Registration and login, through the service of people.

use domain::person::policy::{Offer, StepsNeeded};
use domain::person::registration::SecondStep;
use domain::person::{Factor, LoggedIn, Way, WayKind};
use domain::{Condition, Refusal};

use crate::person::{
    EMAIL, NEW_PASSWORD, PASSWORD, World, caller, code, code_for, email, no_process, password,
    phone, refused, secret,
};

const WRONG: Refusal = Refusal::BadProof { left: None };

#[tokio::test]
async fn a_registration_makes_an_account_that_its_owner_logs_in_to() {
    let world = World::new().await;
    let id = world.register(email()).await;
    let who = world.signed_in().await;
    assert_eq!(who.person(), id);
    let details = world.people().details(who).await.unwrap();
    assert_eq!(details.email.as_deref(), Some(EMAIL));
    assert_eq!((details.phone, details.phrase_set), (None, false));
    assert_eq!(
        world.events().await,
        [
            "account.create done",
            "account.login done",
            "token.issue done",
            "token.present done"
        ]
    );
}

#[tokio::test]
async fn the_owner_of_a_taken_address_is_told_of_a_registration_and_gets_no_code() {
    let world = World::with_anna().await;
    world.kit.courier.forget();
    let process = world.registering(&email()).await;
    assert_eq!(world.told(&email()), ["registration_attempt"]);
    assert_eq!(world.kit.courier.code(), None);
    let verified = world
        .people()
        .verify_registration(caller(), process, secret("000000"), SecondStep::Off)
        .await;
    assert_eq!(refused(verified), Refusal::BadProof { left: Some(4) });
}

#[tokio::test]
async fn of_two_registrations_of_one_address_the_first_to_finish_wins() {
    let world = World::new().await;
    let (one, other) = (
        world.registered(&email()).await,
        world.registered(&email()).await,
    );
    let people = world.people();
    let finish = |process| people.finish_registration(caller(), process, password(PASSWORD));
    let (one, other) = tokio::join!(finish(one), finish(other));
    assert!(one.is_ok() != other.is_ok(), "one of them wins");
    let lost = if one.is_ok() { other } else { one };
    assert_eq!(refused(lost), Refusal::Conflict);
    assert_eq!(world.recorded("account.create taken").await, 1);
}

#[tokio::test]
async fn the_steps_of_a_registration_follow_each_other() {
    let world = World::new().await;
    let people = world.people();
    let process = world.registering(&email()).await;
    let finish = |process| people.finish_registration(caller(), process, password(PASSWORD));
    assert_eq!(refused(finish(process).await), Refusal::WrongState);
    let process = world.registered(&email()).await;
    let again = people.send_registration_token(caller(), process).await;
    assert_eq!(refused(again), Refusal::WrongState);
    finish(process).await.unwrap();
    assert_eq!(refused(finish(process).await), Refusal::UnknownSubject);
    assert_eq!(refused(finish(no_process()).await), Refusal::UnknownSubject);
}

#[tokio::test]
async fn a_password_that_may_not_be_chosen_leaves_the_registration_open() {
    let world = World::new().await;
    let process = world.registered(&email()).await;
    let finish = |text: &str| {
        let people = world.people();
        people.finish_registration(caller(), process, password(text))
    };
    for (text, why) in [
        ("too short", "too short"),
        ("passwordpassword", "too common"),
        ("my anna@example.com word", "contains the user's address"),
    ] {
        let field = "password";
        assert_eq!(
            refused(finish(text).await),
            Refusal::Invalid { field, why },
            "{text}"
        );
    }
    finish(PASSWORD).await.unwrap();
}

#[tokio::test]
async fn the_right_code_must_be_followed_by_a_password_in_time() {
    let world = World::new().await;
    let process = world.registered(&email()).await;
    world.pass(900);
    let late = world
        .people()
        .finish_registration(caller(), process, password(PASSWORD))
        .await;
    assert_eq!(refused(late), Refusal::UnknownSubject);
}

#[tokio::test]
async fn addresses_of_a_kind_that_is_not_taken_register_nobody() {
    let world = World::with(|policy| policy.person.phone = Offer::Off).await;
    let started = world.people().start_registration(caller(), phone()).await;
    assert_eq!(refused(started), Refusal::Unmet(Condition::AddressKind));
}

#[tokio::test]
async fn ten_wrong_codes_end_a_registration() {
    let world = World::new().await;
    let people = world.people();
    let process = world.registering(&email()).await;
    let mut left = Vec::new();
    for count in 0..10 {
        if count == 5 {
            let sent = people.send_registration_token(caller(), process).await;
            sent.unwrap();
        }
        let verified = people
            .verify_registration(caller(), process, secret("wrong"), SecondStep::Off)
            .await;
        match refused(verified) {
            Refusal::BadProof { left: Some(more) } => left.push(more),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(left, [4, 3, 2, 1, 0, 4, 3, 2, 1, 0]);
    let sent = people.send_registration_token(caller(), process).await;
    assert_eq!(refused(sent), Refusal::UnknownSubject);
}

#[tokio::test]
async fn a_process_sends_no_more_codes_than_it_may() {
    let world = World::with(|policy| policy.person.tokens.sends_per_process = 2).await;
    let people = world.people();
    let process = world.registering(&email()).await;
    let again = people.send_registration_token(caller(), process).await;
    again.unwrap();
    let third = people.send_registration_token(caller(), process).await;
    assert!(matches!(refused(third), Refusal::Limited { .. }));
    assert_eq!(world.told(&email()).len(), 2);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let world = World::with_anna().await;
    let wrong = world.try_log_in(&email(), NEW_PASSWORD).await;
    let unknown = world
        .try_log_in(&Way::email("nobody@example.com"), PASSWORD)
        .await;
    assert_eq!(refused(wrong), WRONG);
    assert_eq!(refused(unknown), WRONG);
    assert_eq!(world.recorded("account.login wrong").await, 2);
}

#[tokio::test]
async fn five_wrong_passwords_lock_an_address_for_one_network_only() {
    let world = World::with_anna().await;
    for _ in 0..5 {
        assert_eq!(
            refused(world.try_log_in(&email(), NEW_PASSWORD).await),
            WRONG
        );
    }
    let locked = refused(world.try_log_in(&email(), PASSWORD).await);
    assert!(matches!(locked, Refusal::Exhausted { .. }), "{locked:?}");
    let elsewhere = domain::Caller {
        network: "192.0.2.1/32".to_owned(),
        ..caller()
    };
    let people = world.people();
    let entered = people.log_in(elsewhere, email(), password(PASSWORD)).await;
    entered.unwrap();
    world.pass(900);
    world.try_log_in(&email(), PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_second_step_of_an_address_takes_its_code() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    world.second_step(&who, WayKind::Email).await;
    let (process, left) = world.stepping().await;
    assert_eq!(left, [Factor::Email]);
    let people = world.people();
    let sent = people.send_login_token(caller(), process, WayKind::Email);
    assert_eq!(sent.await.unwrap().0, email());
    let other = people.send_login_token(caller(), process, WayKind::Phone);
    assert_eq!(refused(other.await), Refusal::Unmet(Condition::FactorOn));
    let text = world.code(&email());
    let verify = |codes| people.verify_login(caller(), process, codes);
    let entered = verify(vec![code(&text)]).await.unwrap();
    assert!(matches!(entered, LoggedIn::Done(_)));
    assert_eq!(
        refused(verify(vec![code(&text)]).await),
        Refusal::UnknownSubject
    );
}

#[tokio::test]
async fn right_codes_count_even_if_a_later_one_of_the_call_is_wrong() {
    let (world, who) = World::with_both().await;
    world.second_step(&who, WayKind::Email).await;
    world.second_step(&who, WayKind::Phone).await;
    let (process, left) = world.stepping().await;
    assert_eq!(left, [Factor::Email, Factor::Phone]);
    let people = world.people();
    for kind in [WayKind::Email, WayKind::Phone] {
        let sent = people.send_login_token(caller(), process, kind).await;
        sent.unwrap();
    }
    let codes = vec![
        code_for(Factor::Email, &world.code(&email())),
        code_for(Factor::Phone, "wrong"),
    ];
    let verified = people.verify_login(caller(), process, codes).await;
    assert_eq!(refused(verified), Refusal::BadProof { left: Some(4) });
    let codes = vec![code(&world.code(&phone()))];
    let verified = people.verify_login(caller(), process, codes).await;
    assert!(matches!(verified.unwrap(), LoggedIn::Done(_)));
}

#[tokio::test]
async fn one_code_of_two_leaves_the_other_step_or_none_where_any_is_enough() {
    for (needed, left) in [(StepsNeeded::All, 1), (StepsNeeded::Any, 0)] {
        let world = World::with(|policy| policy.person.steps_needed = needed).await;
        world.register(email()).await;
        let who = world.signed_in().await;
        world.add(&who, &phone()).await;
        world.second_step(&who, WayKind::Email).await;
        world.second_step(&who, WayKind::Phone).await;
        let (process, _) = world.stepping().await;
        let people = world.people();
        let sent = people.send_login_token(caller(), process, WayKind::Phone);
        sent.await.unwrap();
        let codes = vec![code_for(Factor::Phone, &world.code(&phone()))];
        let entered = people.verify_login(caller(), process, codes).await;
        let found = match entered.unwrap() {
            LoggedIn::Done(_) => 0,
            LoggedIn::Steps { left, .. } => left.len(),
        };
        assert_eq!(found, left, "{needed:?}");
    }
}

#[tokio::test]
async fn an_authenticator_is_a_second_step_and_each_of_its_codes_works_once() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    let (key, recovery) = world.authenticator(&who).await;
    let people = world.people();
    let used = world.app_code(&key);
    for (text, right) in [
        (used.as_str(), true),
        (used.as_str(), false),
        (recovery[0].as_str(), true),
        (recovery[0].as_str(), false),
        (recovery[1].to_lowercase().as_str(), true),
    ] {
        let (process, left) = world.stepping().await;
        assert_eq!(left, [Factor::Authenticator]);
        let entered = people
            .verify_login(caller(), process, vec![code(text)])
            .await;
        assert_eq!(entered.is_ok(), right, "{text}");
    }
}

#[tokio::test]
async fn the_owner_is_told_of_five_wrong_codes_over_several_logins() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    world.second_step(&who, WayKind::Email).await;
    world.kit.courier.forget();
    for _ in 0..5 {
        let (process, _) = world.stepping().await;
        let codes = vec![code("wrong")];
        let verified = world.people().verify_login(caller(), process, codes).await;
        assert_eq!(refused(verified), Refusal::BadProof { left: Some(0) });
    }
    assert_eq!(world.told(&email()), ["mfa_failed"]);
}

#[tokio::test]
async fn of_two_right_codes_at_once_one_logs_in() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    world.second_step(&who, WayKind::Email).await;
    let (process, _) = world.stepping().await;
    let people = world.people();
    let sent = people.send_login_token(caller(), process, WayKind::Email);
    sent.await.unwrap();
    let text = world.code(&email());
    let verify = || people.verify_login(caller(), process, vec![code(&text)]);
    let (one, other) = tokio::join!(verify(), verify());
    assert!(one.is_ok() != other.is_ok(), "one of them logs in");
}

#[tokio::test]
async fn second_steps_that_the_operator_switched_off_are_not_asked_for() {
    let world = World::with(|policy| policy.person.second_step = Offer::Off).await;
    let process = world.registering(&email()).await;
    let text = secret(&world.code(&email()));
    let people = world.people();
    people
        .verify_registration(caller(), process, text, SecondStep::On)
        .await
        .unwrap();
    people
        .finish_registration(caller(), process, password(PASSWORD))
        .await
        .unwrap();
    let who = world.signed_in().await;
    let details = people.details(who).await.unwrap();
    assert_eq!(details.second_steps, []);
}
