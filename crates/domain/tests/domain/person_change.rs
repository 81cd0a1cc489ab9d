//! What somebody who is logged in changes, through the service of people.

use domain::person::phrase::PhraseWish;
use domain::person::{Factor, Way, WayKind};
use domain::proof::session::SignedIn;
use domain::{Condition, Error, Refusal};

use crate::person::{
    EMAIL, NEW_PASSWORD, PASSWORD, World, caller, email, password, phone, refused, secret,
};

const NEW_EMAIL: &str = "anna@example.net";

fn new_email() -> Way {
    Way::email(NEW_EMAIL)
}

async fn change_password(
    world: &World,
    who: &SignedIn,
    (old, new): (&str, &str),
    code: &str,
) -> Result<(), Error> {
    let (old, new) = (password(old), password(new));
    let people = world.people();
    people
        .change_password(caller(), who.clone(), old, new, secret(code))
        .await
}

/// Sends the code of a change of the password.
async fn password_code(world: &World, who: &SignedIn) -> String {
    let people = world.people();
    let sent = people
        .send_password_change_token(caller(), who.clone())
        .await;
    world.code(&sent.unwrap().0)
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_and_is_told() {
    let (world, who) = World::with_both().await;
    let other = world.tokens().await;
    let code = password_code(&world, &who).await;
    world.kit.courier.forget();
    change_password(&world, &who, (PASSWORD, NEW_PASSWORD), &code)
        .await
        .unwrap();
    for way in [email(), phone()] {
        assert_eq!(world.told(&way), ["password_set"]);
    }
    assert_eq!(refused(world.authenticate(&other).await), Refusal::Blocked);
    let details = world.people().details(who).await.unwrap();
    assert!(details.restricted_until.is_some(), "a cool-down is running");
    assert!(world.try_log_in(&email(), PASSWORD).await.is_err());
    world.try_log_in(&email(), NEW_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_wrong_old_password_does_not_use_the_code_up() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    let code = password_code(&world, &who).await;
    let wrong = change_password(&world, &who, ("not this one here", NEW_PASSWORD), &code).await;
    assert_eq!(refused(wrong), Refusal::BadProof { left: None });
    assert_eq!(world.recorded("password.change wrong").await, 1);
    let same = change_password(&world, &who, (PASSWORD, PASSWORD), &code).await;
    assert!(matches!(
        refused(same),
        Refusal::Invalid {
            why: "the current one",
            ..
        }
    ));
    let wrong_code = change_password(&world, &who, (PASSWORD, NEW_PASSWORD), "wrong").await;
    assert_eq!(refused(wrong_code), Refusal::BadProof { left: Some(4) });
    change_password(&world, &who, (PASSWORD, NEW_PASSWORD), &code)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_stolen_session_has_ten_guesses_at_the_old_password() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    for _ in 0..10 {
        let wrong = change_password(&world, &who, ("not this one here", NEW_PASSWORD), "").await;
        assert_eq!(refused(wrong), Refusal::BadProof { left: None });
    }
    let locked = change_password(&world, &who, (PASSWORD, NEW_PASSWORD), "").await;
    assert!(matches!(refused(locked), Refusal::Exhausted { .. }));
    world.try_log_in(&email(), PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_session_that_ended_changes_nothing() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    let people = world.people();
    people.log_out(caller(), who.clone()).await.unwrap();
    let sent = people
        .send_password_change_token(caller(), who.clone())
        .await;
    assert_eq!(refused(sent), Refusal::Blocked);
    let changed = change_password(&world, &who, (PASSWORD, NEW_PASSWORD), "").await;
    assert_eq!(refused(changed), Refusal::Blocked);
    let added = people.send_adding_token(caller(), who, phone()).await;
    assert_eq!(refused(added), Refusal::Blocked);
}

#[tokio::test]
async fn an_old_login_must_be_repeated_before_a_change() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    world.pass(1_200);
    let people = world.people();
    let fresh = Refusal::Unmet(Condition::FreshLogin);
    let adding = people.send_adding_token(caller(), who.clone(), phone());
    assert_eq!(refused(adding.await), fresh);
    let enabled = people.enable_second_step(caller(), who.clone(), WayKind::Email);
    assert_eq!(refused(enabled.await), fresh);
    let phrase = people.send_phrase_token(caller(), who, PhraseWish::Either);
    assert_eq!(refused(phrase.await), fresh);
}

#[tokio::test]
async fn an_address_is_added_once_and_told() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    world.kit.courier.forget();
    world.add(&who, &phone()).await;
    assert_eq!(world.told(&email()), ["key_added"]);
    assert_eq!(
        world.told(&phone()),
        ["USER_KEY_ADDING_PHONE_NUMBER", "key_added"]
    );
    let again = world
        .people()
        .send_adding_token(caller(), who, Way::phone("+4915187654321"))
        .await;
    assert_eq!(refused(again), Refusal::Unmet(Condition::NoAddress));
}

#[tokio::test]
async fn the_owner_of_an_address_is_told_that_somebody_wants_it() {
    let world = World::with_anna().await;
    world.register(phone()).await;
    let who = world.signed_in().await;
    world.kit.courier.forget();
    let people = world.people();
    let sent = people.send_adding_token(caller(), who.clone(), phone());
    sent.await.unwrap();
    assert_eq!(world.told(&phone()), ["key_attempt"]);
    let added = people
        .add_address(caller(), who, phone(), secret("000000"))
        .await;
    assert_eq!(refused(added), Refusal::BadProof { left: Some(4) });
}

#[tokio::test]
async fn of_two_accounts_that_prove_one_address_the_first_gets_it() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    let people = world.people();
    let sent = people.send_adding_token(caller(), who.clone(), phone());
    sent.await.unwrap();
    let text = secret(&world.code(&phone()));
    world.register(phone()).await;
    let added = people.add_address(caller(), who, phone(), text).await;
    assert_eq!(refused(added), Refusal::Conflict);
}

/// Sends the code of a change of the e-mail address.
async fn changing(world: &World, who: &SignedIn) -> String {
    let people = world.people();
    let sent = people.send_change_token(caller(), who.clone(), WayKind::Email);
    sent.await.unwrap();
    world.code(&email())
}

#[tokio::test]
async fn an_address_is_changed_with_a_code_of_each() {
    let (world, who) = World::with_both().await;
    let other = world.tokens().await;
    let people = world.people();
    let old_code = changing(&world, &who).await;
    let text = Some(secret(&old_code));
    let sent = people.send_changed_address_token(caller(), who.clone(), new_email(), text);
    sent.await.unwrap();
    let text = secret(&world.code(&new_email()));
    world.kit.courier.forget();
    people
        .change_address(caller(), who.clone(), Some(new_email()), text)
        .await
        .unwrap();
    for way in [email(), new_email(), phone()] {
        assert_eq!(world.told(&way), ["key_changed"], "{way:?}");
    }
    assert_eq!(refused(world.authenticate(&other).await), Refusal::Blocked);
    let details = people.details(who.clone()).await.unwrap();
    assert_eq!(details.email.as_deref(), Some(NEW_EMAIL));
    let again = people
        .send_change_token(caller(), who, WayKind::Email)
        .await;
    assert!(matches!(
        refused(again),
        Refusal::Unmet(Condition::CooledDown { .. })
    ));
    // The old address is free.
    world.register(email()).await;
}

#[tokio::test]
async fn a_new_address_gets_its_code_only_after_the_old_one_was_proved() {
    let (world, who) = World::with_both().await;
    let people = world.people();
    let send = |way, text: Option<&str>| {
        people.send_changed_address_token(caller(), who.clone(), way, text.map(secret))
    };
    assert_eq!(refused(send(new_email(), None).await), Refusal::WrongState);
    let code = changing(&world, &who).await;
    assert_eq!(refused(send(new_email(), None).await), Refusal::WrongState);
    for bad in [email(), Way::phone("+4915187654321")] {
        assert!(matches!(
            refused(send(bad, Some(&code)).await),
            Refusal::Invalid {
                field: "address",
                ..
            }
        ));
    }
    assert_eq!(
        refused(send(new_email(), Some("wrong")).await),
        Refusal::BadProof { left: Some(4) }
    );
    send(new_email(), Some(&code)).await.unwrap();
    // Again, and to a corrected address.
    send(Way::email("anna@example.org"), None).await.unwrap();
    world.pass(900);
    assert_eq!(refused(send(new_email(), None).await), Refusal::WrongState);
}

#[tokio::test]
async fn an_address_that_is_a_second_step_stays() {
    let (world, who) = World::with_both().await;
    world.second_step(&who, WayKind::Email).await;
    let people = world.people();
    let on = Refusal::Unmet(Condition::FactorOff);
    let change = people.send_change_token(caller(), who.clone(), WayKind::Email);
    assert_eq!(refused(change.await), on);
    let remove = people.send_removing_token(caller(), who, WayKind::Email);
    assert_eq!(refused(remove.await), on);
}

#[tokio::test]
async fn an_address_is_removed_but_the_last_one_stays() {
    let (world, who) = World::with_both().await;
    let people = world.people();
    let sent = people.send_removing_token(caller(), who.clone(), WayKind::Phone);
    sent.await.unwrap();
    let text = secret(&world.code(&phone()));
    world.kit.courier.forget();
    people
        .remove_address(caller(), who.clone(), WayKind::Phone, text)
        .await
        .unwrap();
    assert_eq!(world.told(&phone()), ["key_removed"]);
    assert_eq!(world.told(&email()), ["key_removed"]);
    let details = people.details(who).await.unwrap();
    assert_eq!(
        (details.email.as_deref(), details.phone),
        (Some(EMAIL), None)
    );
    world.pass(86_400);
    let who = world.signed_in().await;
    let last = people.send_removing_token(caller(), who, WayKind::Email);
    assert_eq!(
        refused(last.await),
        Refusal::Unmet(Condition::AnotherAddress)
    );
}

#[tokio::test]
async fn a_second_step_is_switched_on_and_off_and_told() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    let people = world.people();
    world.kit.courier.forget();
    world.second_step(&who, WayKind::Email).await;
    let again = people.enable_second_step(caller(), who.clone(), WayKind::Email);
    assert_eq!(refused(again.await), Refusal::Unmet(Condition::FactorOff));
    let sent = people.send_switch_off_token(caller(), who.clone(), WayKind::Email);
    sent.await.unwrap();
    let text = secret(&world.code(&email()));
    let off = |text| people.disable_second_step(caller(), who.clone(), Factor::Email, text);
    off(text).await.unwrap();
    assert_eq!(world.told(&email()), ["mfa_on", "MFA_DISABLING", "mfa_off"]);
    assert_eq!(
        refused(off(secret("000000")).await),
        Refusal::Unmet(Condition::FactorOn)
    );
}

#[tokio::test]
async fn an_authenticator_is_confirmed_with_a_first_code_and_dropped_with_another() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    let people = world.people();
    let confirm = |text: &str| people.confirm_authenticator(caller(), who.clone(), secret(text));
    assert_eq!(refused(confirm("000000").await), Refusal::WrongState);
    let (key, recovery) = world.authenticator(&who).await;
    assert_eq!(recovery.len(), 10);
    let on = Refusal::Unmet(Condition::FactorOff);
    assert_eq!(refused(confirm("000000").await), on);
    let again = people.start_authenticator(caller(), who.clone()).await;
    assert_eq!(refused(again), on);
    let drop = |text: &str| {
        people.disable_second_step(caller(), who.clone(), Factor::Authenticator, secret(text))
    };
    assert_eq!(
        refused(drop("wrong").await),
        Refusal::BadProof { left: Some(9) }
    );
    drop(&world.app_code(&key)).await.unwrap();
    let details = people.details(who.clone()).await.unwrap();
    assert_eq!(details.second_steps, []);
}

#[tokio::test]
async fn messages_show_the_phrase_and_a_change_is_told_with_the_old_one() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    let people = world.people();
    for (phrase, wish) in [("blue", PhraseWish::Add), ("green", PhraseWish::Change)] {
        let sent = people.send_phrase_token(caller(), who.clone(), wish).await;
        sent.unwrap();
        let text = secret(&world.code(&email()));
        world.kit.courier.forget();
        people
            .set_phrase(caller(), who.clone(), phrase.to_owned(), text)
            .await
            .unwrap();
    }
    let letters = world.kit.courier.letters();
    let shown = letters[0].message.anti_phishing_code.as_deref();
    assert_eq!(shown, Some("blue"), "the owner knows this one");
    world.second_step(&who, WayKind::Email).await;
    let letters = world.kit.courier.letters();
    let newest = letters.last().unwrap();
    assert_eq!(newest.message.anti_phishing_code.as_deref(), Some("green"));
}
