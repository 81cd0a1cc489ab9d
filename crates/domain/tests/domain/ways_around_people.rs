//! Ways around the limits of an account: each was found once, and is closed.

use domain::person::account::Class;
use domain::person::{Factor, Way, WayKind};
use domain::proof::session::SignedIn;
use domain::{Error, Refusal};

use crate::person::{
    NEW_PASSWORD, PASSWORD, World, caller, code_for, email, password, phone, refused, secret,
};
use crate::person_recovery::recovered;

const PASSWORDS: [&str; 2] = [PASSWORD, NEW_PASSWORD];

/// Tries wrong codes for a step of the login until it is locked. Returns how many were judged.
async fn wrong_steps(world: &World, factor: Factor, with: &str) -> usize {
    let people = world.people();
    let mut judged = 0;
    for _ in 0..30 {
        let progress = world.try_log_in(&email(), with).await.unwrap();
        let domain::person::LoggedIn::Steps { process, .. } = progress else {
            panic!("no step is left");
        };
        let codes = vec![code_for(factor, "wrong")];
        match people.verify_login(caller(), process, codes).await {
            Err(Error::Refused(Refusal::BadProof { .. })) => judged += 1,
            Err(Error::Refused(Refusal::Exhausted { .. })) => break,
            other => panic!("{other:?}"),
        }
    }
    judged
}

#[tokio::test]
async fn w1_recovered_passwords_give_no_new_tries_at_the_authenticator() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    world.authenticator(&who).await;
    let mut judged = 0;
    for round in 0..6 {
        let with = PASSWORDS[round % 2];
        judged += wrong_steps(&world, Factor::Authenticator, with).await;
        let process = recovered(&world).await;
        let next = password(PASSWORDS[(round + 1) % 2]);
        let people = world.people();
        people
            .finish_password_recovery(caller(), process, next)
            .await
            .unwrap();
    }
    assert_eq!(judged, 10);
}

/// A login with the right code of the e-mail address and a wrong one of the phone.
async fn with_email_code(world: &World) -> Result<(), Error> {
    let (process, _) = world.stepping().await;
    let people = world.people();
    let sent = people.send_login_token(caller(), process, WayKind::Email);
    sent.await.unwrap();
    let right = code_for(Factor::Email, &world.code(&email()));
    let codes = vec![right, code_for(Factor::Phone, "wrong")];
    let verified = people.verify_login(caller(), process, codes).await;
    verified.map(drop)
}

#[tokio::test]
async fn w2_codes_to_one_address_clear_no_wrong_codes_of_another() {
    let (world, who) = World::with_both().await;
    world.second_step(&who, WayKind::Phone).await;
    let who = enter(&world, &phone()).await;
    world.second_step(&who, WayKind::Email).await;
    let mut judged = 0;
    for _ in 0..30 {
        match refused(with_email_code(&world).await) {
            Refusal::BadProof { .. } => judged += 1,
            Refusal::Exhausted { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(judged, 10);
}

/// A session after a login with the code of one address.
async fn enter(world: &World, way: &Way) -> SignedIn {
    let (process, _) = world.stepping().await;
    let people = world.people();
    let sent = people.send_login_token(caller(), process, way.kind);
    sent.await.unwrap();
    let codes = vec![code_for(way.kind.factor(), &world.code(way))];
    let entered = people.verify_login(caller(), process, codes).await.unwrap();
    let domain::person::LoggedIn::Done(tokens) = entered else {
        panic!("a step is left");
    };
    world.pass(1);
    world.authenticate(&tokens).await.unwrap()
}

#[tokio::test]
async fn r1_an_operator_unlocks_every_secret_of_a_class_and_says_which() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    world.authenticator(&who).await;
    assert_eq!(
        wrong_steps(&world, Factor::Authenticator, PASSWORD).await,
        10
    );
    let (operator, people) = (world.kit.operator(), world.people());
    let id = people.account_at(email()).await.unwrap();
    people
        .unlock_account(&operator, id, Class::Login)
        .await
        .unwrap();
    assert_eq!(
        wrong_steps(&world, Factor::Authenticator, PASSWORD).await,
        10
    );
    let events = world
        .kit
        .services
        .operators
        .audit_events(&operator, None, 10_000);
    let events = events.await.unwrap();
    let unlock = events.iter().find(|event| event.action == "account.unlock");
    let secrets = &unlock.unwrap().facts["secrets"];
    assert_eq!(
        secrets,
        "password, new address, authenticator, e-mail codes"
    );
}

#[tokio::test]
async fn r1_a_wrong_old_password_is_counted_apart_from_wrong_codes() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    let people = world.people();
    let change = async |old: &str, text: &str| {
        let (old, new) = (password(old), password(NEW_PASSWORD));
        let changed = people.change_password(caller(), who.clone(), old, new, secret(text));
        changed.await
    };
    for _ in 0..10 {
        let wrong = refused(change("not the password", "wrong").await);
        assert_eq!(wrong, Refusal::BadProof { left: None });
    }
    let locked = refused(change(PASSWORD, "wrong").await);
    assert!(matches!(locked, Refusal::Exhausted { .. }), "{locked:?}");
    world.pass(900);
    let wrong = refused(change(PASSWORD, "wrong").await);
    assert_eq!(wrong, Refusal::BadProof { left: Some(0) }, "of the code");
}

/// Wrong passwords from the owner's own network, until it is locked.
async fn lock_own_network(world: &World) {
    for _ in 0..5 {
        let wrong = refused(world.try_log_in(&email(), "not the password").await);
        assert_eq!(wrong, Refusal::BadProof { left: None });
    }
    let locked = refused(world.try_log_in(&email(), PASSWORD).await);
    assert!(matches!(locked, Refusal::Exhausted { .. }), "{locked:?}");
}

#[tokio::test]
async fn w20_a_recovered_password_logs_in_from_a_network_that_was_locked() {
    let world = World::with_anna().await;
    lock_own_network(&world).await;
    let process = recovered(&world).await;
    let people = world.people();
    people
        .finish_password_recovery(caller(), process, password(NEW_PASSWORD))
        .await
        .unwrap();
    world.try_log_in(&email(), NEW_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn w20_an_operator_sees_and_lifts_the_lock_of_a_network() {
    let world = World::with_anna().await;
    lock_own_network(&world).await;
    let (operator, people) = (world.kit.operator(), world.people());
    let id = people.account_at(email()).await.unwrap();
    let locks = people.person_state(&operator, id).await.unwrap().locks;
    let seen: Vec<_> = locks
        .iter()
        .map(|lock| (lock.class, lock.wrong_in_a_row, lock.locked_until.is_some()))
        .collect();
    assert_eq!(seen, [("login", 5, true)]);
    people
        .unlock_account(&operator, id, Class::Login)
        .await
        .unwrap();
    let locks = people.person_state(&operator, id).await.unwrap().locks;
    assert!(locks.is_empty());
    world.try_log_in(&email(), PASSWORD).await.unwrap();
}

#[tokio::test]
async fn y4_a_login_that_was_begun_before_a_new_second_step_is_over() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    world.second_step(&who, WayKind::Email).await;
    let who = enter(&world, &email()).await;
    let (process, _) = world.stepping().await;
    let people = world.people();
    let sent = people.send_login_token(caller(), process, WayKind::Email);
    sent.await.unwrap();
    let text = world.code(&email());
    world.authenticator(&who).await;
    let codes = vec![code_for(Factor::Email, &text)];
    let verified = people.verify_login(caller(), process, codes).await;
    assert_eq!(refused(verified), Refusal::UnknownSubject);
}

#[tokio::test]
async fn y4_a_recovery_that_was_begun_before_a_second_step_was_switched_on_or_off_is_over() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    let people = world.people();
    let before = recovered(&world).await;
    world.second_step(&who, WayKind::Email).await;
    let finish =
        |process| people.finish_password_recovery(caller(), process, password(NEW_PASSWORD));
    assert_eq!(refused(finish(before).await), Refusal::UnknownSubject);
    let who = enter(&world, &email()).await;
    let before = recovered(&world).await;
    let sent = people.send_switch_off_token(caller(), who.clone(), WayKind::Email);
    sent.await.unwrap();
    let text = secret(&world.code(&email()));
    let off = people.disable_second_step(caller(), who, Factor::Email, text);
    off.await.unwrap();
    assert_eq!(refused(finish(before).await), Refusal::UnknownSubject);
}

#[tokio::test]
async fn y6_codes_that_nobody_sent_do_not_close_a_recovery() {
    let world = World::with_anna().await;
    let people = world.people();
    let over = Refusal::BadProof { left: Some(0) };
    for _ in 0..12 {
        let process = people.start_password_recovery(caller(), email()).await;
        let process = process.unwrap();
        let verify = || people.verify_password_recovery(caller(), process, secret("wrong"));
        for _ in 0..10 {
            assert_eq!(refused(verify().await), over);
        }
        assert_eq!(
            refused(verify().await),
            Refusal::UnknownSubject,
            "its own limit"
        );
    }
    let process = recovered(&world).await;
    people
        .finish_password_recovery(caller(), process, password(NEW_PASSWORD))
        .await
        .unwrap();
}

#[tokio::test]
async fn w13_a_recovered_password_recovers_no_address_before_the_cool_down_ends() {
    let (world, _) = World::with_both().await;
    let process = recovered(&world).await;
    let people = world.people();
    people
        .finish_password_recovery(caller(), process, password(NEW_PASSWORD))
        .await
        .unwrap();
    let start = || {
        let new = password(NEW_PASSWORD);
        people.start_address_recovery(caller(), email(), new, WayKind::Phone)
    };
    let cooling = refused(start().await);
    let Refusal::Unmet(domain::Condition::CooledDown { .. }) = cooling else {
        panic!("{cooling:?}");
    };
    world.pass(86_400);
    start().await.unwrap();
}

#[tokio::test]
async fn y1_a_new_address_recovers_neither_the_password_nor_the_other_address() {
    let (world, _) = World::with_both().await;
    let people = world.people();
    let send = async || {
        let process = people.start_password_recovery(caller(), phone()).await;
        let sent = people.send_password_recovery_token(caller(), process.unwrap(), None);
        let (kind, supplied, _) = sent.await.unwrap();
        assert_eq!((kind, supplied), (WayKind::Phone, Some(phone())));
    };
    let start = || {
        let right = password(PASSWORD);
        people.start_address_recovery(caller(), email(), right, WayKind::Email)
    };
    send().await;
    assert!(world.told(&phone()).is_empty(), "no code leaves");
    assert_eq!(world.told(&email()), ["password_recovery_attempt"]);
    let cooling = refused(start().await);
    let Refusal::Unmet(domain::Condition::CooledDown { .. }) = cooling else {
        panic!("{cooling:?}");
    };
    world.pass(2 * 86_400);
    send().await;
    assert_eq!(world.told(&phone()), ["PASSWORD_RECOVERY"]);
    start().await.unwrap();
}

#[tokio::test]
async fn y5_a_changed_password_ends_recent_logins_also_of_its_own_session() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    let people = world.people();
    let sent = people.send_adding_token(caller(), who.clone(), phone());
    sent.await.unwrap();
    let begun = secret(&world.code(&phone()));
    let sent = people.send_password_change_token(caller(), who.clone());
    sent.await.unwrap();
    let text = secret(&world.code(&email()));
    let (old, new) = (password(PASSWORD), password(NEW_PASSWORD));
    let changed = people.change_password(caller(), who.clone(), old, new, text);
    changed.await.unwrap();
    people.details(who.clone()).await.unwrap();
    let stale = Refusal::Unmet(domain::Condition::FreshLogin);
    let asked = people.send_adding_token(caller(), who.clone(), phone());
    assert_eq!(refused(asked.await), stale);
    let added = people.add_address(caller(), who, phone(), begun);
    assert_eq!(refused(added.await), stale);
}
