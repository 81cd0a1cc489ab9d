//! When somebody who is logged in may not do something, and what each change leaves behind.

use domain::person::account::Class;
use domain::person::phrase::PhraseWish;
use domain::person::policy::{Feature, Offer};
use domain::person::registration::SecondStep;
use domain::person::{AccountId, Factor, LoggedIn, Way, WayKind};
use domain::proof::operator::OperatorRight;
use domain::proof::session::SignedIn;
use domain::{Condition, Error, Refusal};

use crate::person::{
    NEW_PASSWORD, PASSWORD, World, caller, code, email, password, phone, refused, secret,
};

const WRONG: Refusal = Refusal::BadProof { left: Some(4) };

fn is_cooling_down<T>(result: &Result<T, Error>) -> bool {
    let refusal = result.as_ref().err();
    matches!(
        refusal,
        Some(Error::Refused(Refusal::Unmet(Condition::CooledDown { .. })))
    )
}

async fn send_removing(world: &World, who: &SignedIn, kind: WayKind) -> Result<(), Error> {
    let people = world.people();
    let sent = people.send_removing_token(caller(), who.clone(), kind);
    sent.await.map(drop)
}

async fn remove(world: &World, who: &SignedIn, kind: WayKind, text: &str) -> Result<(), Error> {
    let people = world.people();
    people
        .remove_address(caller(), who.clone(), kind, secret(text))
        .await
}

async fn send_phrase(world: &World, who: &SignedIn, wish: PhraseWish) -> Result<(), Error> {
    let people = world.people();
    let sent = people.send_phrase_token(caller(), who.clone(), wish);
    sent.await.map(drop)
}

async fn set_phrase(world: &World, who: &SignedIn, phrase: &str, text: &str) -> Result<(), Error> {
    let people = world.people();
    people
        .set_phrase(caller(), who.clone(), phrase.to_owned(), secret(text))
        .await
}

/// Gives the account an anti-phishing code.
async fn with_phrase(world: &World, who: &SignedIn) {
    send_phrase(world, who, PhraseWish::Add).await.unwrap();
    let text = world.code(&email());
    set_phrase(world, who, "blue", &text).await.unwrap();
}

#[tokio::test]
async fn a_removed_email_address_takes_the_phrase_and_the_other_sessions_with_it() {
    let (world, who) = World::with_both().await;
    with_phrase(&world, &who).await;
    let other = world.tokens().await;
    send_removing(&world, &who, WayKind::Email).await.unwrap();
    let text = world.code(&email());
    world.kit.courier.forget();
    remove(&world, &who, WayKind::Email, &text).await.unwrap();
    let letters = world.kit.courier.letters_to(&email().given);
    let shown = letters[0].message.anti_phishing_code.as_deref();
    assert_eq!(shown, Some("blue"), "the last message still shows it");
    let details = world.people().details(who.clone()).await.unwrap();
    assert_eq!((details.email, details.phrase_set), (None, false));
    assert_eq!(refused(world.authenticate(&other).await), Refusal::Blocked);
    let without = world.try_log_in(&email(), PASSWORD).await;
    assert_eq!(refused(without), Refusal::BadProof { left: None });
    world.try_log_in(&phone(), PASSWORD).await.unwrap();
    let phrase = send_phrase(&world, &who, PhraseWish::Add).await;
    assert_eq!(refused(phrase), Refusal::Unmet(Condition::HasEmail));
    // The address is free.
    world.register(email()).await;
}

#[tokio::test]
async fn after_a_change_of_addresses_others_wait_for_the_end_of_the_cool_down() {
    let (world, who) = World::with_both().await;
    with_phrase(&world, &who).await;
    send_removing(&world, &who, WayKind::Phone).await.unwrap();
    let text = world.code(&phone());
    remove(&world, &who, WayKind::Phone, &text).await.unwrap();
    world.add(&who, &phone()).await;
    world.second_step(&who, WayKind::Phone).await;
    let people = world.people();
    let restricted = async |who: &SignedIn| {
        let removing = send_removing(&world, who, WayKind::Email).await;
        let changing = people.send_change_token(caller(), who.clone(), WayKind::Email);
        let switching = people.send_switch_off_token(caller(), who.clone(), WayKind::Phone);
        let phrase = send_phrase(&world, who, PhraseWish::Change).await;
        [
            is_cooling_down(&removing),
            is_cooling_down(&changing.await),
            is_cooling_down(&switching.await),
            is_cooling_down(&phrase),
        ]
    };
    assert_eq!(restricted(&who).await, [true; 4]);
    world.pass(86_400);
    let (process, _) = world.stepping().await;
    let sent = people.send_login_token(caller(), process, WayKind::Phone);
    sent.await.unwrap();
    let codes = vec![code(&world.code(&phone()))];
    let entered = people.verify_login(caller(), process, codes).await.unwrap();
    let LoggedIn::Done(tokens) = entered else {
        panic!("a step is left");
    };
    let who = world.authenticate(&tokens).await.unwrap();
    assert_eq!(restricted(&who).await, [false; 4]);
}

#[tokio::test]
async fn without_cool_downs_a_change_follows_at_once() {
    let off = |policy: &mut domain::policy::Policy| {
        policy.person.after_key_change = std::time::Duration::ZERO;
    };
    let world = World::with(off).await;
    world.register(email()).await;
    let who = world.signed_in().await;
    world.add(&who, &phone()).await;
    send_removing(&world, &who, WayKind::Phone).await.unwrap();
    let text = world.code(&phone());
    remove(&world, &who, WayKind::Phone, &text).await.unwrap();
    let details = world.people().details(who.clone()).await.unwrap();
    assert_eq!(details.restricted_until, None);
    let people = world.people();
    let sent = people.send_change_token(caller(), who, WayKind::Email);
    sent.await.unwrap();
}

#[tokio::test]
async fn nothing_is_done_in_a_session_that_has_ended() {
    let (world, who) = World::with_both().await;
    let people = world.people();
    people.log_out(caller(), who.clone()).await.unwrap();
    world.kit.courier.forget();
    let before = world.events().await;
    let (me, text) = (|| who.clone(), || secret("000000"));
    let other = Way::email("anna@example.net");
    let removing = send_removing(&world, &who, WayKind::Phone).await;
    let changing = people.send_change_token(caller(), me(), WayKind::Email);
    let to_new = people.send_changed_address_token(caller(), me(), other.clone(), Some(text()));
    let changed = people.change_address(caller(), me(), Some(other.clone()), text());
    let adding = people.add_address(caller(), me(), other, text());
    let on = people.enable_second_step(caller(), me(), WayKind::Email);
    let off = people.disable_second_step(caller(), me(), Factor::Email, text());
    let switching = people.send_switch_off_token(caller(), me(), WayKind::Email);
    let start = people.start_authenticator(caller(), me());
    let confirm = people.confirm_authenticator(caller(), me(), text());
    let refusals = [
        refused(removing),
        refused(changing.await),
        refused(to_new.await),
        refused(changed.await),
        refused(adding.await),
        refused(on.await),
        refused(off.await),
        refused(switching.await),
        refused(start.await),
        refused(confirm.await),
        refused(remove(&world, &who, WayKind::Phone, "000000").await),
        refused(send_phrase(&world, &who, PhraseWish::Either).await),
        refused(set_phrase(&world, &who, "blue", "000000").await),
    ];
    for (at, refusal) in refusals.into_iter().enumerate() {
        assert_eq!(refusal, Refusal::Blocked, "number {at}");
    }
    assert!(world.kit.courier.letters().is_empty());
    assert_eq!(world.events().await, before);
}

#[tokio::test]
async fn a_phrase_is_added_once_and_then_changed() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    let unset = send_phrase(&world, &who, PhraseWish::Change).await;
    assert_eq!(refused(unset), Refusal::Unmet(Condition::PhraseSet));
    send_phrase(&world, &who, PhraseWish::Add).await.unwrap();
    let text = world.code(&email());
    let wrong = set_phrase(&world, &who, "blue", "wrong").await;
    assert_eq!(refused(wrong), WRONG);
    set_phrase(&world, &who, "blue", &text).await.unwrap();
    let set = send_phrase(&world, &who, PhraseWish::Add).await;
    assert_eq!(refused(set), Refusal::Unmet(Condition::PhraseUnset));
    let used = set_phrase(&world, &who, "green", &text).await;
    assert_eq!(refused(used), Refusal::BadProof { left: Some(0) });
    world.kit.courier.forget();
    send_phrase(&world, &who, PhraseWish::Either).await.unwrap();
    let text = world.code(&email());
    set_phrase(&world, &who, "green", &text).await.unwrap();
    let told = world.told(&email());
    assert_eq!(told.last().unwrap(), "anti_phishing_changed");
}

#[tokio::test]
async fn an_address_of_a_kind_that_is_not_taken_is_not_added() {
    let world = World::with(|policy| policy.person.phone = Offer::Off).await;
    world.register(email()).await;
    let who = world.signed_in().await;
    let people = world.people();
    let kind = Refusal::Unmet(Condition::AddressKind);
    let sent = people.send_adding_token(caller(), who.clone(), phone());
    assert_eq!(refused(sent.await), kind);
    let added = people.add_address(caller(), who, phone(), secret("000000"));
    assert_eq!(refused(added.await), kind);
}

#[tokio::test]
async fn of_two_sessions_that_add_an_address_of_one_kind_one_succeeds() {
    let world = World::with_anna().await;
    let (one, other) = (world.signed_in().await, world.signed_in().await);
    let people = world.people();
    let ways = [phone(), Way::phone("+4915187654321")];
    let mut texts = Vec::new();
    for (who, way) in [(&one, &ways[0]), (&other, &ways[1])] {
        let sent = people.send_adding_token(caller(), who.clone(), way.clone());
        sent.await.unwrap();
        texts.push(secret(&world.code(way)));
    }
    let add = |who: &SignedIn, at: usize| {
        people.add_address(caller(), who.clone(), ways[at].clone(), texts[at].clone())
    };
    let (first, second) = tokio::join!(add(&one, 0), add(&other, 1));
    assert!(first.is_ok() != second.is_ok(), "one of them is added");
    let lost = if first.is_ok() { second } else { first };
    assert_eq!(refused(lost), Refusal::Unmet(Condition::NoAddress));
}

#[tokio::test]
async fn an_account_switches_on_only_steps_that_it_has() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    let people = world.people();
    let none = Refusal::Unmet(Condition::HasAddress);
    let on = people.enable_second_step(caller(), who.clone(), WayKind::Phone);
    assert_eq!(refused(on.await), none);
    let off = people.send_switch_off_token(caller(), who.clone(), WayKind::Phone);
    assert_eq!(refused(off.await), none);
    let off = people.send_switch_off_token(caller(), who.clone(), WayKind::Email);
    assert_eq!(refused(off.await), Refusal::Unmet(Condition::FactorOn));
    let drop = people.disable_second_step(
        caller(),
        who.clone(),
        Factor::Authenticator,
        secret("000000"),
    );
    assert_eq!(refused(drop.await), Refusal::Unmet(Condition::FactorOn));
    let change = people.send_change_token(caller(), who, WayKind::Phone);
    assert_eq!(refused(change.await), none);
}

#[tokio::test]
async fn a_wrong_code_leaves_a_second_step_on() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    world.second_step(&who, WayKind::Email).await;
    let people = world.people();
    let sent = people.send_switch_off_token(caller(), who.clone(), WayKind::Email);
    sent.await.unwrap();
    world.kit.courier.forget();
    let off = people.disable_second_step(caller(), who.clone(), Factor::Email, secret("wrong"));
    assert_eq!(refused(off.await), WRONG);
    let details = people.details(who).await.unwrap();
    assert_eq!(details.second_steps, [Factor::Email]);
    assert!(world.kit.courier.letters().is_empty(), "nobody is told");
}

#[tokio::test]
async fn an_authenticator_that_was_not_confirmed_is_no_step_and_can_be_started_again() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    let people = world.people();
    let first = people.start_authenticator(caller(), who.clone()).await;
    let second = people.start_authenticator(caller(), who.clone()).await;
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first.secret, second.secret);
    let details = people.details(who.clone()).await.unwrap();
    assert_eq!(details.second_steps, []);
    world.tokens().await;
    let confirm = people.confirm_authenticator(caller(), who, secret("000000"));
    assert!(matches!(refused(confirm.await), Refusal::BadProof { .. }));
    assert_eq!(world.recorded("authenticator.on done").await, 0);
}

#[tokio::test]
async fn a_login_that_was_begun_before_a_new_password_is_over() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    world.second_step(&who, WayKind::Email).await;
    let (process, _) = world.stepping().await;
    let people = world.people();
    let sent = people.send_login_token(caller(), process, WayKind::Email);
    sent.await.unwrap();
    let text = world.code(&email());
    let sent = people.send_password_change_token(caller(), who.clone());
    sent.await.unwrap();
    let of_change = secret(&world.code(&email()));
    let (old, new) = (password(PASSWORD), password(NEW_PASSWORD));
    let changed = people.change_password(caller(), who, old, new, of_change);
    changed.await.unwrap();
    let verified = people.verify_login(caller(), process, vec![code(&text)]);
    assert_eq!(refused(verified.await), Refusal::UnknownSubject);
}

#[tokio::test]
async fn a_login_without_its_second_step_ends_after_an_hour() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    world.second_step(&who, WayKind::Email).await;
    let (process, _) = world.stepping().await;
    let send = || {
        let people = world.people();
        people.send_login_token(caller(), process, WayKind::Email)
    };
    world.pass(3_599);
    send().await.unwrap();
    let (process, _) = world.stepping().await;
    world.pass(3_600);
    let people = world.people();
    let late = people.send_login_token(caller(), process, WayKind::Email);
    assert_eq!(refused(late.await), Refusal::UnknownSubject);
}

#[tokio::test]
async fn a_second_step_that_was_wished_for_at_the_registration_is_on() {
    let world = World::new().await;
    let process = world.registering(&phone()).await;
    let people = world.people();
    let text = secret(&world.code(&phone()));
    let verified = people.verify_registration(caller(), process, text, SecondStep::On);
    verified.await.unwrap();
    let finished = people.finish_registration(caller(), process, password(PASSWORD));
    finished.await.unwrap();
    match world.try_log_in(&phone(), PASSWORD).await.unwrap() {
        LoggedIn::Steps { left, .. } => assert_eq!(left, [Factor::Phone]),
        LoggedIn::Done(_) => panic!("no step is left"),
    }
}

#[tokio::test]
async fn features_that_the_operator_switched_off_are_said_to_be_off() {
    let off = |policy: &mut domain::policy::Policy| policy.person.phrase = Offer::Off;
    let world = World::with(off).await;
    let people = world.people();
    people.offers(Feature::SecondStep).unwrap();
    let phrase = people.offers(Feature::Phrase);
    assert_eq!(refused(phrase), Refusal::Unmet(Condition::Feature));
}

#[tokio::test]
async fn an_operator_does_only_what_the_rights_allow() {
    let world = World::with_anna().await;
    let id: AccountId = world.people().account_at(email()).await.unwrap();
    let operators = &world.kit.services.operators;
    for right in OperatorRight::ALL {
        let token = format!("with the right to {}", right.name());
        operators.accept_token(secret(&token), "other", &[right]);
        let operator = operators.authenticate(&token).unwrap();
        let people = world.people();
        let state = people.person_state(&operator, id).await.map(drop);
        let count = people.count_accounts(&operator).await.map(drop);
        let unlocked = people.unlock_account(&operator, id, Class::Login).await;
        let ended = people.end_account_sessions(&operator, id).await.map(drop);
        let nobody = AccountId(uuid::Uuid::from_u128(77));
        let erased = people.erase_person(&operator, nobody).await;
        let rotated = people.rotate_person_keys(&operator).await.map(drop);
        for (done, need) in [
            (state, OperatorRight::Read),
            (count, OperatorRight::Read),
            (unlocked, OperatorRight::Support),
            (ended, OperatorRight::Support),
            (erased, OperatorRight::Manage),
            (rotated, OperatorRight::Keys),
        ] {
            let need_name = need.name();
            match done {
                Err(Error::Refused(Refusal::Forbidden { need })) => {
                    assert_eq!(need, need_name);
                    assert_ne!(right.name(), need);
                }
                // What has the right goes on, and finds nobody to erase.
                Ok(()) | Err(Error::Refused(Refusal::UnknownSubject)) => {
                    assert_eq!(right, need);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}
